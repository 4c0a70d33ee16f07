"""Every reason code of the device plugin is explained in the reference, and nothing else is."""

import enum
import inspect
import pathlib
import re

import pytest

from neuronspan_deviceplugin import reasons

PAGE = pathlib.Path(__file__).parents[3] / "docs" / "reference" / "reasons.md"
EXPLAINED: dict[str, type[enum.StrEnum]] = {
    "Container starts": reasons.StartRefusal,
    "Allocations": reasons.AllocationRefusal,
    "Steering": reasons.SteeringOutcome,
    "Other drift": reasons.OtherDrift,
    "Outcomes": reasons.Outcome,
    "Registrations": reasons.RegistrationCause,
    "Condition types": reasons.ConditionType,
    "Condition reasons": reasons.ConditionReason,
    "Cores": reasons.CoreReason,
    "Hardware": reasons.HardwareProblem,
}


def _tables() -> dict[str, list[list[str]]]:
    """Return the rows of each subsection of the plugin's section."""
    section = re.split(r"^## ", PAGE.read_text(), flags=re.MULTILINE)
    (plugin,) = (each for each in section if each.startswith("Device plugin\n"))
    tables = (each.partition("\n") for each in plugin.split("\n### ")[1:])
    return {
        title: [[cell.strip() for cell in line.strip("|").split("|")] for line in body.splitlines() if "| `" in line]
        for title, _, body in tables
    }


def test_reasons_page_has_a_table_for_every_enum_of_the_plugin() -> None:
    enums = [each for _, each in inspect.getmembers(reasons, inspect.isclass) if issubclass(each, enum.StrEnum)]
    assert list(_tables()) == list(EXPLAINED)
    assert set(EXPLAINED.values()) == set(enums)


@pytest.mark.parametrize(("title", "codes"), EXPLAINED.items(), ids=EXPLAINED.keys())
def test_reasons_page_explains_every_code_and_no_other(title: str, codes: type[enum.StrEnum]) -> None:
    rows = _tables()[title]
    assert [row[0].strip("`") for row in rows] == [each.value for each in codes]
    assert all(len(row) == 4 and all(row) for row in rows)


def test_reasons_page_marks_the_refusals_that_count_as_drift() -> None:
    marked = {row[0].strip("`") for row in _tables()["Container starts"] if "*drift*" in row[1]}
    assert marked == {each.value for each in reasons.StartRefusal if each.is_drift}
