"""What is predicted for AWS's benchmark rows is as near as docs/concepts/time.md says, and the page has the table."""

import pathlib

import pytest

from performance.published import comparing, rows

pytestmark = pytest.mark.timeout(600)  # two dozen programs are counted: seconds, and minutes on a crowded machine
PAGE = pathlib.Path(__file__).parents[4] / "docs" / "concepts" / "time.md"


@pytest.fixture(scope="module")
def compared() -> list[comparing.Comparison]:
    """All rows; the models have no values, so that large ones are counted as fast as small ones."""
    return list(comparing.compared())


def test_page_has_the_table_that_is_predicted(compared: list[comparing.Comparison]) -> None:
    assert "\n".join(comparing.lines(compared)) in PAGE.read_text(encoding="utf-8")


def test_rows_that_nothing_was_fitted_to_are_as_near_as_the_page_says(compared: list[comparing.Comparison]) -> None:
    median, worst = comparing.factors(compared)
    assert median <= comparing.MEDIAN_LIMIT
    assert worst <= comparing.WORST_LIMIT
    page = " ".join(PAGE.read_text(encoding="utf-8").split())  # wherever its lines end
    assert f"median at most {comparing.MEDIAN_LIMIT}" in page
    assert f"worst at most {comparing.WORST_LIMIT}" in page


def test_rows_mean_something() -> None:
    tested = [row for row in rows.ROWS if not row.fitted]
    assert len({row.model for row in tested}) >= 5
    assert len({row.instance.partition(".")[0] for row in tested}) >= 3
    assert len({(row.model, row.instance, row.batch) for row in rows.ROWS}) == len(rows.ROWS)
