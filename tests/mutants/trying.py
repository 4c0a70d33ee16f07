"""Runs tests on a copy of the packages with one bug in it, each time in a fresh process.

Law: the checkout is read and never written. A process is forked from one that has imported what the tests need of
other people's packages, which takes longer than the tests.
"""

import concurrent.futures
import contextlib
import dataclasses
import io
import multiprocessing
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
    failed: frozenset[str]  # IDs without parameters
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

    def __init__(self) -> None:
        self.failed: set[str] = set()

    def pytest_configure(self) -> None:
        """Let every run draw the same examples, and keep none of them."""
        hypothesis.settings.register_profile(_PROFILE, derandomize=True, database=None)
        hypothesis.settings.load_profile(_PROFILE)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: Sequence[pytest.Item]) -> None:
        """Give every test more time."""
        for item in items:
            item.add_marker(pytest.mark.timeout(_LONGEST_SECONDS), append=False)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a failure, of a fixture too."""
        if report.failed:
            self.failed.add(report.nodeid.partition("[")[0])


def sound(tests: Iterable[str]) -> Trial:
    """Run these tests on the package as it is."""
    with _pool(1) as pool:
        return pool.submit(_run, catalogue.ROOT, "neuronspan", tuple(sorted(set(tests)))).result()


def verdicts(mutants: Sequence[catalogue.Mutant], processes: int) -> Iterator[Verdict]:
    """Try the mutants, so many at a time; yields them in their order."""
    with _pool(processes) as pool:
        yield from pool.map(_try, mutants)


def _pool(processes: int) -> concurrent.futures.ProcessPoolExecutor:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOADED)
    return concurrent.futures.ProcessPoolExecutor(processes, context, max_tasks_per_child=1)


def _try(mutant: catalogue.Mutant) -> Verdict:
    with tempfile.TemporaryDirectory(prefix="mutant-") as directory:
        checkout = pathlib.Path(directory)
        for each in dict.fromkeys(catalogue.DIRECTORIES.values()):
            shutil.copytree(catalogue.ROOT / each, checkout / each)
        (checkout / mutant.directory / mutant.path).write_text(mutant.mutated(), encoding="utf-8")
        return Verdict(mutant, _run(checkout, mutant.package, mutant.tests))


def _run(checkout: pathlib.Path, package: str, tests: Sequence[str]) -> Trial:
    """Run the tests on the packages of this checkout, of which ``package`` is the one that is tried."""
    recorder, output = _Recorder(), io.StringIO()
    paths = " ".join(("tests", *(str(checkout / each) for each in catalogue.DIRECTORIES.values()), "runtime"))
    options = ["-o", f"pythonpath={paths}", *_OPTIONS]
    with contextlib.chdir(catalogue.ROOT), contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
        code = pytest.main([*options, *tests], plugins=[recorder])
    meant = pathlib.Path(sys.modules[package].__file__ or "") if package in sys.modules else pathlib.Path()
    ran = code in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED} and meant.is_relative_to(checkout)
    return Trial(ran, frozenset(recorder.failed), output.getvalue())
