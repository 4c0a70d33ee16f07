"""Runs tests on a copy of the packages, or with a C++ library, that has one bug in it, each time in a fresh process.

Law: the checkout is read and never written. A process is forked from one that has imported what the tests need of
other people's packages, which takes longer than the tests.
"""

import concurrent.futures
import contextlib
import dataclasses
import io
import multiprocessing
import os
import pathlib
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence

import hypothesis
import pytest

from mutants import catalogue

_PRELOADED = [
    "anyio.pytest_plugin",
    "hypothesis.strategies",
    "jsonpatch",
    "prometheus_client",
    "pytest_asyncio.plugin",
    "pytest_kind.plugin",
    "pythonjsonlogger.json",
]
_LONGEST_SECONDS = 60
"""For a test, in place of the two seconds of unit tests: the machine may be busy, and a mutant may loop for ever."""
_LONGEST_NATIVE_SECONDS = 180
"""For a test that loads the C++ library: the first one waits for two imports of torch."""
_NATIVE_OPTIONS = ("-p", "kits.device.fixtures")
"""In place of the configuration of all tiers, which is cut off above: what starts processes that use the device."""
_OPTIONS = (
    "--quiet",
    "--tb=short",
    "--confcutdir=tests/unit",  # what all tiers share brings torch
    *("-p", "no:cacheprovider"),
    *("-W", "ignore::pytest.PytestAssertRewriteWarning"),  # about what the parent has imported
)
_PROFILE = "mutants"


@dataclasses.dataclass(frozen=True)
class Trial:
    """What came of a run: the tests that failed, and what the run printed."""

    ran: bool  # tests were found and run, on the package that was meant
    failed: frozenset[str]  # IDs of cases, and of their tests
    output: str


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What came of a mutant; ``missed_by`` are the tests that did not notice it."""

    mutant: catalogue.Mutant
    trial: Trial

    @property
    def missed_by(self) -> tuple[str, ...]:
        """The listed tests that passed."""
        return tuple(test for test in self.mutant.tests if test not in self.trial.failed)

    @property
    def died(self) -> bool:
        """Whether every listed test noticed the bug."""
        return self.trial.ran and not self.missed_by


class _Recorder:
    """A plugin of pytest that keeps which tests failed."""

    def __init__(self, longest: int) -> None:
        self.failed: set[str] = set()
        self._longest = longest

    def pytest_configure(self) -> None:
        """Let every run draw the same examples, and keep none of them."""
        hypothesis.settings.register_profile(_PROFILE, derandomize=True, database=None)
        hypothesis.settings.load_profile(_PROFILE)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: Sequence[pytest.Item]) -> None:
        """Give every test more time."""
        for item in items:
            item.add_marker(pytest.mark.timeout(self._longest), append=False)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a failure, of a fixture too."""
        if report.failed:
            self.failed |= {report.nodeid, report.nodeid.partition("[")[0]}


def sound(tests: Iterable[str]) -> Trial:
    """Run these tests on the package as it is."""
    with pool_of(1) as pool:
        return pool.submit(run, catalogue.ROOT, "", sorted(set(tests))).result()


def verdicts(mutants: Sequence[catalogue.Mutant], processes: int) -> Iterator[Verdict]:
    """Try the mutants, so many at a time; yields them in their order."""
    with pool_of(processes) as pool:
        yield from pool.map(_try, mutants)


def pool_of(processes: int, *preloaded: str) -> concurrent.futures.ProcessPoolExecutor:
    """Return a pool in which every task has a fresh process, into which these were imported, too."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*_PRELOADED, *preloaded])
    return concurrent.futures.ProcessPoolExecutor(processes, context, max_tasks_per_child=1)


def _try(mutant: catalogue.Mutant) -> Verdict:
    with tempfile.TemporaryDirectory(prefix="mutant-") as directory:
        checkout = pathlib.Path(directory)
        for each in dict.fromkeys(catalogue.DIRECTORIES.values()):
            shutil.copytree(catalogue.ROOT / each, checkout / each)
        (checkout / mutant.directory / mutant.path).write_text(mutant.mutated(), encoding="utf-8")
        return Verdict(mutant, run(checkout, mutant.package, mutant.tests))


def run(checkout: pathlib.Path, package: str, tests: Sequence[str], library: pathlib.Path | None = None) -> Trial:
    """Run the tests on the packages of this checkout, of which ``package`` is the one that is tried ("": any of them).

    With a C++ library, on that one. For a process of its own.
    """
    if library is not None:
        from neuronspan_runtime import environment  # noqa: PLC0415 - else nobody could try a copy of the package

        os.environ[environment.LIBRARY_ENV] = str(library)  # noqa: TID251 - what the tests start inherits it
    recorder, output = _Recorder(_LONGEST_NATIVE_SECONDS if library else _LONGEST_SECONDS), io.StringIO()
    paths = " ".join(("tests", *(str(checkout / each) for each in catalogue.DIRECTORIES.values()), "runtime"))
    options = ["-o", f"pythonpath={paths}", *_OPTIONS, *(_NATIVE_OPTIONS if library else ())]
    with contextlib.chdir(catalogue.ROOT), contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
        code = pytest.main([*options, *tests], plugins=[recorder])
    meant = library is None or str(library) in pathlib.Path("/proc/self/maps").read_text(encoding="utf-8")
    ran = code in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED} and meant and _is_from(package, checkout)
    return Trial(ran, frozenset(recorder.failed), output.getvalue())


def _is_from(package: str, checkout: pathlib.Path) -> bool:
    wanted = [package] if package else catalogue.DIRECTORIES
    found = [pathlib.Path(sys.modules[each].__file__ or "") for each in wanted if each in sys.modules]
    return bool(found) and all(each.is_relative_to(checkout) for each in found)
