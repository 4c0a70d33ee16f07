"""Measure how planning grows, play what comes after, and write both into the page: `python -m performance.growth`."""

import argparse

from performance import checking
from performance.growth import costs, curves, page


def main() -> None:
    """Do what the command line asks for: everything, or one of the parts."""
    parser = argparse.ArgumentParser(prog="python -m performance.growth", description=__doc__)
    parser.add_argument("part", nargs="*", default=["curves", "model"], help="curves, model; both by default")
    parser.add_argument("--largest", type=int, default=100_000, help="sizes beyond are not measured")
    options = parser.parse_args()
    if "curves" in options.part:
        found = []
        for axis in curves.AXES.values():
            found.append(curves.measure(axis, options.largest))
            print(page.measured(found[-1:]), flush=True)
        page.write("curves", page.measured(found))
        for path, picture in page.pictures(found).items():
            path.write_text(picture, encoding="utf-8")
    if "model" in options.part:
        given = costs.recorded(checking.read())
        page.write("demands", page.demands(given))
        page.write("games", page.games(given, print))


if __name__ == "__main__":
    main()
