"""The tables that name a test for every statement of AWS's guides and every behaviour: complete, and true of names."""

import contextlib
import dataclasses
import io
import json
import pathlib
import re
from collections.abc import Sequence

import pytest

from kits.device import neuron_processes

ROOT = pathlib.Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"
TABLES = ("guide-statements.md", "behaviours.md")
HEADINGS = json.loads((pathlib.Path(__file__).parent / "guide_headings.json").read_text(encoding="utf-8"))
BEHAVIOURS = 48
"""The rest of the list is about Kubernetes and belongs to other tests."""

TEST = re.compile(r"`((?:unit|guides|properties|device)/[^`]+::[^`]+)`")


@dataclasses.dataclass(frozen=True)
class Row:
    """One row of a table, under its second-level heading."""

    chapter: str
    first: str
    promise: str
    proof: str


def rows(table: str) -> list[Row]:
    """Read all tables of a page."""
    chapter, found = "", []
    for line in (REFERENCE / table).read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            chapter = line.removeprefix("## ")
        if line.startswith("| ") and "|---" not in line:
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            assert len(cells) == 3, line
            found.append(Row(chapter, *cells))
    return [row for row in found if row.first not in {"section", "number"}]


def named_tests() -> list[str]:
    """Every test that a table names."""
    return sorted({name for table in TABLES for row in rows(table) for name in TEST.findall(row.proof)})


class Collector:
    """A plugin that keeps the names of what pytest would run."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        for item in session.items:
            name = item.nodeid.removeprefix("tests/")
            self.names |= {name, name.partition("[")[0]}


def missing_from(files: Sequence[str], names: Sequence[str]) -> list[str]:
    """Collect the files; return the names that pytest would not run."""
    collector = Collector()
    options = ["--collect-only", "-qq", "-p", "no:cacheprovider", "--rootdir", str(ROOT)]
    paths = [str(ROOT / "tests" / file) for file in files]
    with contextlib.redirect_stdout(io.StringIO()):
        status = pytest.main([*options, "-c", str(ROOT / "pyproject.toml"), *paths], plugins=[collector])
    assert status == pytest.ExitCode.OK, status
    return [name for name in names if name not in collector.names]


@pytest.mark.parametrize("chapter", HEADINGS)
def test_every_section_of_the_guide_has_a_row(chapter: str) -> None:
    sections = [row.first for row in rows("guide-statements.md") if row.chapter == chapter]
    assert list(dict.fromkeys(sections)) == HEADINGS[chapter]


def test_every_statement_names_a_test() -> None:
    assert [row for row in rows("guide-statements.md") if not TEST.search(row.proof)] == []


def test_every_behaviour_has_a_row_with_a_test_or_a_reason() -> None:
    found = rows("behaviours.md")
    assert [row.first for row in found] == [str(number + 1) for number in range(BEHAVIOURS)]
    assert [row for row in found if not TEST.search(row.proof) and not row.proof.startswith("none")] == []


def test_every_test_that_a_table_names_is_collected(processes: neuron_processes.Parent) -> None:
    names = named_tests()
    files = sorted({name.partition("::")[0] for name in names})
    assert processes.run({}, missing_from, files, names) == []
