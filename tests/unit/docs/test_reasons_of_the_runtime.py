"""The runtime's section of docs/reference/reasons.md against the statuses and errors that its code has."""

import ast
import inspect
import pathlib
import re

import pytest

from neuronspan_runtime import errors, nrt_status
from neuronspan_runtime.library import torch_builds

PAGE = pathlib.Path(__file__).parents[3] / "docs/reference/reasons.md"


@pytest.fixture(scope="module")
def rows() -> dict[str, tuple[str, str]]:
    """Cause and cure by the reason's cell, of both tables of the section."""
    section = PAGE.read_text(encoding="utf-8").partition("\n## Runtime\n")[2].partition("\n## ")[0]
    cells = [
        [cell.strip() for cell in line.split("|")[1:-1]] for line in section.splitlines() if line.startswith("| `")
    ]
    assert all(len(row) == 3 for row in cells)
    return {reason: (cause, cure) for reason, cause, cure in cells}


def raised_statuses() -> set[nrt_status.NrtStatus]:
    """The statuses that a line of Python names, and those whose number a text of the C++ library says."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in torch_builds.PACKAGE.rglob("*.py")]
    known = nrt_status.NrtStatus.__members__
    attributes = (node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Attribute))
    nodes = [node for node in attributes if node.attr in known]
    named = {node.attr for node in nodes if ast.unparse(node.value).endswith("NrtStatus")}
    texts = [path.read_text(encoding="utf-8") for path in torch_builds.SOURCES.rglob("*.cpp")]
    numbers = {int(number) for text in texts for number in re.findall(r"status=(\d+)", text)}
    return {nrt_status.NrtStatus[name] for name in named} | {nrt_status.NrtStatus(number) for number in numbers}


def test_reasons_explain_every_status_that_is_raised_and_no_other(rows: dict[str, tuple[str, str]]) -> None:
    written = {reason for reason in rows if reason.endswith(")")}
    assert written == {f"`{status.name}` ({status.value})" for status in raised_statuses()}


def test_reasons_explain_every_error_of_the_tree_and_no_other(rows: dict[str, tuple[str, str]]) -> None:
    written = {reason.strip("`") for reason in rows if not reason.endswith(")")}
    classes = [each for _, each in inspect.getmembers(errors, inspect.isclass)]
    assert written == {each.__name__ for each in classes if issubclass(each, errors.NeuronRuntimeError)}


def test_reasons_have_a_cause_and_a_cure(rows: dict[str, tuple[str, str]]) -> None:
    assert rows
    assert not [reason for reason, (cause, cure) in rows.items() if not cause or not cure]
