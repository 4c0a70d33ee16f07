"""Try the mutants and fail when one survives: `python -m mutants [--processes N] [part of a name ...]`."""

import argparse
import importlib
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from mutants import catalogue, trying


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a line per mutant; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m mutants", description=__doc__)
    parser.add_argument("--processes", type=int, default=2, help="how many are tried at a time")
    parser.add_argument("parts", nargs="*", metavar="PART", help="try those only whose name has one of these parts")
    options = parser.parse_args(arguments)
    known = catalogue.read()
    if found := [problem for mutant in known for problem in catalogue.problems(mutant)]:
        print(*found, sep="\n", file=sys.stderr)
        return 1
    chosen = [mutant for mutant in known if not options.parts or any(part in str(mutant) for part in options.parts)]
    if not chosen:
        parser.error("no mutant has that in its name")
    if unsound := [trial for trial in _sound(chosen) if not trial.ran or trial.failed]:
        print(*(trial.output for trial in unsound), "These tests have to pass first.", sep="\n", file=sys.stderr)
        return 1
    alive = 0
    for verdict in _verdicts(chosen, options.processes):
        print("died    " if verdict.died else "SURVIVED", verdict.mutant, flush=True)
        if not verdict.died:
            alive += 1
            print(*verdict.missed_by if verdict.trial.ran else (verdict.trial.output,), sep="\n", flush=True)
    print(f"{len(chosen) - alive} of {len(chosen)} mutants died")
    return int(alive > 0)


def _sound(mutants: Sequence[catalogue.Mutant]) -> Iterator[trying.Trial]:
    """Run the listed tests without any bug."""
    for native in (False, True):
        if tests := [test for mutant in mutants if mutant.native is native for test in mutant.tests]:
            yield _trying(native=native).sound(tests)


def _verdicts(mutants: Sequence[catalogue.Mutant], processes: int) -> Iterator[trying.Verdict]:
    for native in (False, True):
        if chosen := [mutant for mutant in mutants if mutant.native is native]:
            yield from _trying(native=native).verdicts(chosen, processes)


def _trying(*, native: bool) -> Any:
    """Return the module that tries them; the one for C++ imports torch, which takes seconds."""
    return importlib.import_module("mutants.trying_native") if native else trying


if __name__ == "__main__":
    sys.exit(main())
