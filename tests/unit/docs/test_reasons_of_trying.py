"""Every reason code of `neuronspan try` is explained in the reference, and nothing else is."""

import enum
import inspect
import pathlib
import re

import pytest

import neuronspan_embedded
from neuronspan_embedded import reasons

PAGE = pathlib.Path(__file__).parents[3] / "docs" / "reference" / "reasons.md"
EXPLAINED: dict[str, type[enum.StrEnum]] = {
    "Containers": reasons.ContainerReason,
    "Pods of a node": reasons.PodReason,
    "Manifests": reasons.ManifestReason,
}


def _tables() -> dict[str, list[list[str]]]:
    """Return the rows of each subsection of the section."""
    section = re.split(r"^## ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    (own,) = (each for each in section if each.startswith("Trying it\n"))
    tables = (each.partition("\n") for each in own.split("\n### ")[1:])
    return {
        title: [[cell.strip() for cell in line.strip("|").split("|")] for line in body.splitlines() if "| `" in line]
        for title, _, body in tables
    }


def test_page_has_a_table_for_every_enum() -> None:
    enums = [each for _, each in inspect.getmembers(reasons, inspect.isclass) if issubclass(each, enum.StrEnum)]
    assert list(_tables()) == list(EXPLAINED)
    assert set(EXPLAINED.values()) == set(enums)


@pytest.mark.parametrize(("title", "codes"), EXPLAINED.items(), ids=EXPLAINED.keys())
def test_page_explains_every_code_with_place_cause_and_cure(title: str, codes: type[enum.StrEnum]) -> None:
    rows = _tables()[title]
    assert [row[0].strip("`") for row in rows] == [each.value for each in codes]
    assert all(len(row) == 4 and all(row) for row in rows)


def test_every_code_is_used_by_the_code() -> None:
    sources = pathlib.Path(neuronspan_embedded.__file__).parent.rglob("*.py")
    used = {name for path in sources for name in re.findall(r"\.([A-Z_]+)\b", path.read_text(encoding="utf-8"))}
    assert {member.name for kind in EXPLAINED.values() for member in kind} <= used
