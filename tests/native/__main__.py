"""`python -m native`: what `make check-torch-versions` and `make test-sanitizers` run."""

import argparse
import pathlib
import sys
import tempfile
from collections.abc import Sequence

from native import sanitizers, torch_versions


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one check; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m native", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    versions = commands.add_parser("versions", help="compile against every supported torch, warnings are errors")
    versions.add_argument("--compiler", default="g++")
    versions.add_argument("versions", nargs="*", default=torch_versions.VERSIONS, metavar="VERSION")
    commands.add_parser("sanitizers", help="run tests with a library that checks itself; what follows is for pytest")
    options, rest = parser.parse_known_args(arguments)
    if options.command == "versions":
        if rest:
            parser.error(f"unknown arguments: {' '.join(rest)}")
        return _versions(options.versions, options.compiler)
    with tempfile.TemporaryDirectory(prefix="sanitizers-") as directory:
        return sanitizers.run_tests(rest or ["tests/unit/runtime", "tests/guides"], pathlib.Path(directory, "found"))


def _versions(versions: Sequence[str], compiler: str) -> int:
    problems = 0
    for version in versions:
        verdict = torch_versions.check(version, compiler)
        problems += verdict.problems
        print(verdict, flush=True)
    return int(problems > 0)


if __name__ == "__main__":
    sys.exit(main())
