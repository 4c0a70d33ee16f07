"""The list of mutants does not rot: each is still one place in the code, with tests that exist."""

import dataclasses

import pytest

from mutants import catalogue

KNOWN = catalogue.read()
SAMPLE = catalogue.Mutant(
    "sample",
    "a sentence",
    "reasons.py",
    "class Outcome(",
    "class Result(",
    ("unit/mutants/test_catalogue.py::test_every_mutant_has_a_name_of_its_own",),
)


@pytest.mark.parametrize("mutant", KNOWN, ids=str)
def test_mutant_is_one_place_in_the_code_and_its_tests_exist(mutant: catalogue.Mutant) -> None:
    assert list(catalogue.problems(mutant)) == []


def test_mutant_may_be_in_the_domain() -> None:
    mutant = dataclasses.replace(
        SAMPLE, package="neuronspan", file="spans.py", before="class CoreSpan", after="class Span"
    )
    assert list(catalogue.problems(mutant)) == []
    assert mutant.source() == (catalogue.ROOT / "deviceplugin/neuronspan/spans.py").read_text("utf-8")


def test_mutant_may_be_in_cpp_and_name_one_case_of_a_test() -> None:
    mutant = dataclasses.replace(
        SAMPLE,
        package="neuronspan_runtime",
        file="csrc/hbm/arena.cpp",
        before="void Arena::trim() {",
        after="void Arena::trim( {",
        noticed_by=("unit/mutants/test_catalogue.py::test_entry_that_is_no_mutant_any_more_is_named[no such text]",),
    )
    assert mutant.native
    assert list(catalogue.problems(mutant)) == []
    elsewhere = (mutant.noticed_by[0].replace("such", "s" + "uch a"),)
    (problem,) = catalogue.problems(dataclasses.replace(mutant, noticed_by=elsewhere))
    assert "there is no test" in problem


def test_every_mutant_has_a_name_of_its_own() -> None:
    names = [mutant.says for mutant in KNOWN]
    assert len(names) == len(set(names))
    assert len(names) >= 24


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"before": "no such text"}, "has 0 times"),
        ({"before": "class "}, "times"),
        ({"file": "nowhere.py"}, "No such file"),
        ({"after": "class Outcome("}, "changes nothing"),
        ({"after": "class ("}, "no Python"),
        ({"noticed_by": ()}, "names no test"),
        ({"noticed_by": ("unit/mutants/test_catalogue.py::test_of_nothing",)}, "there is no test"),
        ({"noticed_by": ("unit/mutants/nowhere.py::test_of_nothing",)}, "there is no test"),
    ],
)
def test_entry_that_is_no_mutant_any_more_is_named(change: dict[str, object], problem: str) -> None:
    assert list(catalogue.problems(SAMPLE)) == []
    (found,) = catalogue.problems(dataclasses.replace(SAMPLE, **change))  # type: ignore[arg-type]
    assert problem in found
