"""Every reason has a row with its cause and cure, and every row is a reason."""

import enum
import pathlib
import re
from collections.abc import Iterator

import pytest

from neuronspan_operator import reasons

PAGE = pathlib.Path(__file__).parents[3] / "docs" / "reference" / "reasons.md"
SECTIONS: dict[str, tuple[type[enum.StrEnum], ...]] = {
    "Operator": (
        reasons.WaitingReason,
        reasons.ObjectionKind,
        reasons.ConditionReason,
        reasons.EventReason,
        reasons.DriftKind,
        reasons.PoolCondition,
        reasons.PoolReason,
        reasons.Outcome,
        reasons.ReviewOutcome,
    ),
}
_ROW = re.compile(r"\| `(?P<reason>\w+)` \|(?P<where>[^|]+)\|(?P<cause>[^|]+)\|(?P<cure>[^|]+)\|")


def _rows(section: str) -> Iterator[re.Match[str]]:
    """Yield the rows of the table under this heading."""
    _, _, after = PAGE.read_text(encoding="utf-8").partition(f"\n## {section}\n")
    text, _, _ = after.partition("\n## ")
    for line in text.splitlines():
        if line.startswith("| `"):
            row = _ROW.fullmatch(line)
            assert row is not None, line
            yield row


@pytest.mark.parametrize("section", SECTIONS)
def test_page_has_exactly_the_reasons_of_the_code(section: str) -> None:
    written = [str(member) for kind in SECTIONS[section] for member in kind]
    assert sorted(row["reason"] for row in _rows(section)) == sorted(written)


@pytest.mark.parametrize("section", SECTIONS)
def test_each_reason_says_where_it_shows_its_cause_and_its_cure(section: str) -> None:
    cells = [cell.strip() for row in _rows(section) for cell in row.group("where", "cause", "cure")]
    assert cells
    assert all(cells)


@pytest.mark.parametrize("kind", [kind for kinds in SECTIONS.values() for kind in kinds])
def test_each_reason_is_one_word_as_kubernetes_and_prometheus_write_theirs(kind: type[enum.StrEnum]) -> None:
    form = r"[a-z]+" if kind in {reasons.Outcome, reasons.ReviewOutcome} else r"([A-Z][a-z]+)+"
    assert all(re.fullmatch(form, member) for member in kind)
