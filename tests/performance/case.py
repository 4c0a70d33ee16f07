"""One case in this process: `python -m performance.case <name> <file for the samples>`."""

import importlib
import json
import pathlib
import sys


def main() -> None:
    """Measure the named case and write its samples as JSON."""
    name, destination = sys.argv[1:]
    samples = importlib.import_module(f"performance.cases.{name}").measure()
    pathlib.Path(destination).write_text(json.dumps(samples), encoding="utf-8")


if __name__ == "__main__":
    main()
