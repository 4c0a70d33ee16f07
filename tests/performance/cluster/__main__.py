"""Compare on one cluster and print the figures: `python -m performance.cluster --nodes 100 --pods 400`."""

import argparse
import sys

from performance.cluster import measuring


def main() -> None:
    """Measure as the command line says."""
    parser = argparse.ArgumentParser(prog="python -m performance.cluster", description=__doc__)
    parser.add_argument("--nodes", type=int, default=100)
    parser.add_argument("--pods", type=int, default=400, help="of each kind, in every round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--singles", type=int, default=20, help="pods of each kind, one at a time on the idle cluster")
    sys.stdout.write(measuring.table(measuring.compare(**vars(parser.parse_args()))))


if __name__ == "__main__":
    main()
