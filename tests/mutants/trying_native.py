"""Tries mutants of the C++ library: one is compiled while the tests of another one run.

Law: as of `trying`; libraries are in a directory of their own that is gone afterwards.
"""

import concurrent.futures
import contextlib
import pathlib
import tempfile
from collections.abc import Iterable, Iterator, Sequence

from mutants import catalogue, compiling, trying

_PACKAGE = "neuronspan_runtime"
_SOURCES = "csrc/"
_TORCH = "torch"


def sound(tests: Iterable[str]) -> trying.Trial:
    """Run these tests with a library of the sources as they are, made as those with a bug are."""
    with _libraries() as directory, trying.pool_of(1, _TORCH) as pool:
        library = directory / "sound.so"
        try:
            compiling.workshop().library(compiling.checkout(), library)
        except compiling.CompileFailed as failed:
            return trying.Trial(ran=False, failed=frozenset(), output=str(failed))
        return pool.submit(trying.run, catalogue.ROOT, _PACKAGE, sorted(set(tests)), library).result()


def verdicts(mutants: Sequence[catalogue.Mutant], processes: int) -> Iterator[trying.Verdict]:
    """Try the mutants, so many at a time; yields them in their order."""
    workshop = compiling.workshop()
    with (
        _libraries() as directory,
        trying.pool_of(processes, _TORCH) as pool,
        concurrent.futures.ThreadPoolExecutor(processes) as threads,
    ):

        def tried(number: int, mutant: catalogue.Mutant) -> trying.Verdict:
            library = directory / f"{number}.so"
            try:
                workshop.library(
                    {**compiling.checkout(), mutant.file.removeprefix(_SOURCES): mutant.mutated()}, library
                )
            except compiling.CompileFailed as failed:
                return trying.Verdict(mutant, trying.Trial(ran=False, failed=frozenset(), output=str(failed)))
            return trying.Verdict(
                mutant, pool.submit(trying.run, catalogue.ROOT, _PACKAGE, mutant.tests, library).result()
            )

        yield from threads.map(tried, range(len(mutants)), mutants)


@contextlib.contextmanager
def _libraries() -> Iterator[pathlib.Path]:
    with tempfile.TemporaryDirectory(prefix="mutants-") as directory:
        yield pathlib.Path(directory)
