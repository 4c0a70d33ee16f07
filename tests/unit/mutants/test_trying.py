"""When a mutant counts as dead."""

import dataclasses
import os
import subprocess
import sys

import pytest

from mutants import catalogue, trying

ONE, OTHER = "tests/unit/test_it.py::test_one", "tests/unit/test_it.py::test_other"
MUTANT = catalogue.Mutant("sample", "a sentence", "pods.py", "a", "b", (ONE.removeprefix("tests/"),))
BOTH = dataclasses.replace(MUTANT, noticed_by=tuple(each.removeprefix("tests/") for each in (ONE, OTHER)))


@pytest.mark.parametrize(
    ("mutant", "trial", "missed_by"),
    [
        (MUTANT, trying.Trial(ran=True, failed=frozenset({ONE}), output=""), ()),
        (BOTH, trying.Trial(ran=True, failed=frozenset({ONE}), output=""), (OTHER,)),
        (MUTANT, trying.Trial(ran=True, failed=frozenset({OTHER}), output=""), (ONE,)),
    ],
    ids=["noticed", "noticed by one of two", "noticed by none"],
)
def test_mutant_dies_when_every_listed_test_fails(
    mutant: catalogue.Mutant, trial: trying.Trial, missed_by: tuple[str, ...]
) -> None:
    verdict = trying.Verdict(mutant, trial)
    assert verdict.missed_by == missed_by
    assert verdict.died == (missed_by == ())


def test_one_case_of_a_test_may_be_meant() -> None:
    case = dataclasses.replace(MUTANT, noticed_by=("unit/test_it.py::test_one[a case]",))
    other = trying.Trial(ran=True, failed=frozenset({ONE, f"{ONE}[another]"}), output="")
    assert trying.Verdict(case, other).missed_by == (f"{ONE}[a case]",)
    assert trying.Verdict(MUTANT, other).died


def test_run_in_which_no_test_ran_kills_nobody() -> None:
    assert not trying.Verdict(MUTANT, trying.Trial(ran=False, failed=frozenset({ONE}), output="")).died


def test_no_package_is_imported_before_the_copy_of_it_that_is_tried() -> None:
    code = "import sys, mutants.trying; print(*{each.partition('.')[0] for each in sys.modules})"
    paths = {"PYTHONPATH": os.pathsep.join(sys.path)}
    shown = subprocess.run([sys.executable, "-c", code], env=paths, capture_output=True, text=True, check=True).stdout
    assert not set(shown.split()) & set(catalogue.DIRECTORIES)
