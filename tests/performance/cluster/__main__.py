"""Compare on one cluster and print the figures: `python -m performance.cluster --nodes 100 --pods 400`."""

import argparse
import json
import pathlib
import sys

from performance.cluster import measuring, rig, scheduler_perf, shares


def main() -> None:
    """Measure as the command line says."""
    parser = argparse.ArgumentParser(prog="python -m performance.cluster", description=__doc__)
    parser.add_argument("--nodes", type=int, default=100)
    parser.add_argument("--pods", type=int, default=400, help="of each kind, in every round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--singles", type=int, default=20, help="pods of each kind, one at a time on the idle cluster")
    parser.add_argument("--json", type=pathlib.Path, help="write the results there as scheduler_perf would")
    parser.add_argument("--profiles", type=pathlib.Path, help="a folder for the profiles of operator and API server")
    options = vars(parser.parse_args())
    destination = options.pop("json")
    if options["profiles"]:
        options["profiles"].mkdir(parents=True, exist_ok=True)
    result = measuring.compare(**options)
    sys.stdout.write(measuring.table(result) + "\n" + measuring.calls(result))
    if options["profiles"]:
        saved = {kind: measuring.apiserver_profile(options["profiles"], kind) for kind in rig.KINDS}
        sys.stdout.write("\n" + shares.table(saved, options["pods"]))
    if destination:
        destination.write_text(json.dumps(scheduler_perf.document([result]), indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
