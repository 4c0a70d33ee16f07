"""Measure, print the table, and fail when a limit is missed: `python -m performance [--record] [case ...]`."""

import argparse
import pathlib
import sys

from performance import checking, running

DOCUMENT = pathlib.Path(__file__).parents[2] / "docs" / "performance.md"
BEGIN, END = "<!-- measured: begin -->\n", "<!-- measured: end -->\n"


def main() -> int:
    """Return the exit code: 0 when every measured promise was kept."""
    entries = checking.read()
    known = list(dict.fromkeys(entry.limit.case for entry in entries))
    parser = argparse.ArgumentParser(prog="python -m performance", description=__doc__)
    parser.add_argument("case", nargs="*", default=known, help=f"of {', '.join(known)}; all of them by default")
    parser.add_argument("--attempts", type=int, default=3, help="how often a case that misses its limit is measured")
    parser.add_argument(
        "--record", action="store_true", help="keep the numbers in the data file and in the documentation"
    )
    options = parser.parse_args()
    if unknown := [each for each in options.case if not checking.named(each, known)]:
        parser.error(f"no such case: {', '.join(unknown)}; there are {', '.join(known)}")
    chosen = dict.fromkeys(name for each in options.case for name in checking.named(each, known))
    results = [entry for case in chosen for entry in attempted(case, entries, options.attempts)]
    sys.stdout.write("\n" + checking.table(results))
    if options.record:
        record(results, entries)
    for entry in (misses := checking.missed(results)):
        print(f"missed: {entry.limit.says}: {entry.last} is not {entry.limit.promise()}", file=sys.stderr)
    return 1 if misses else 0


def attempted(case: str, entries: list[checking.Entry], attempts: int) -> list[checking.Entry]:
    """Measure a case until it keeps its promises, on a machine that others use too; return the last attempt."""
    limits = [entry.limit for entry in entries if entry.limit.case == case]
    for attempt in range(1, attempts + 1):
        print(f"{case} ({attempt})", flush=True)
        samples = running.samples_of(case)
        results = [
            checking.Entry(limit, checking.measured(samples[limit.quantity], limit.statistic)) for limit in limits
        ]
        if not checking.missed(results):
            break
    return results


def record(results: list[checking.Entry], entries: list[checking.Entry]) -> None:
    """Write what was measured into the data file and the table into the documentation."""
    fresh = {(entry.limit.case, entry.limit.quantity): entry for entry in results}
    merged = [fresh.get((entry.limit.case, entry.limit.quantity), entry) for entry in entries]
    checking.DATA.write_text(checking.written(merged), encoding="utf-8")
    before, _, rest = DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)
    DOCUMENT.write_text(before + BEGIN + checking.table(merged) + END + rest.partition(END)[2], encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
