"""Runs tests on a copy of the package with one bug in it, each time in a fresh process.

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
_PACKAGE = "neuronspan_operator"


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
        return pool.submit(_run, catalogue.ROOT / catalogue.PACKAGES, tuple(sorted(set(tests)))).result()


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
        packages = pathlib.Path(directory)
        shutil.copytree(catalogue.ROOT / catalogue.PACKAGES, packages, dirs_exist_ok=True)
        (packages / mutant.path).write_text(mutant.mutated(), encoding="utf-8")
        return Verdict(mutant, _run(packages, mutant.tests))


def _run(packages: pathlib.Path, tests: Sequence[str]) -> Trial:
    recorder, output = _Recorder(), io.StringIO()
    paths = " ".join(("tests", "deviceplugin", str(packages), "runtime"))
    options = ["-o", f"pythonpath={paths}", *_OPTIONS]
    with contextlib.chdir(catalogue.ROOT), contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
        code = pytest.main([*options, *tests], plugins=[recorder])
    meant = pathlib.Path(sys.modules[_PACKAGE].__file__ or "") if _PACKAGE in sys.modules else pathlib.Path()
    ran = code in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED} and meant.is_relative_to(packages)
    return Trial(ran, frozenset(recorder.failed), output.getvalue())
