import dataclasses

import pytest

from kits.device import pages
from neuronspan_runtime.telemetry import page_layout
from neuronspan_runtime.tools import activity

SECOND = 10**9


def busy(nanoseconds: int, since: int = 0) -> page_layout.Page:
    return pages.page(counters=page_layout.Counters(busy_nanoseconds=nanoseconds, running_since=since))


@pytest.mark.parametrize(
    ("before", "after", "percent"),
    [
        pytest.param(busy(0), busy(SECOND // 2), 50, id="half of the time"),
        pytest.param(busy(SECOND), busy(SECOND), 0, id="idle"),
        pytest.param(busy(5), busy(5, since=10 * SECOND), 100, id="began before and still runs"),
        pytest.param(busy(5), busy(5, since=10 * SECOND + SECOND // 4 * 3), 25, id="began in between and still runs"),
        pytest.param(busy(0, since=9 * SECOND), busy(SECOND + SECOND // 2), 50, id="ran before and ended in between"),
        pytest.param(busy(SECOND), busy(0), 0, id="torn"),
        pytest.param(busy(0), busy(7 * SECOND), 100, id="more than the time there was"),
        pytest.param(None, busy(SECOND // 4), 25, id="new process"),
    ],
)
def test_utilisation_is_the_share_of_the_time_in_which_the_core_worked(
    before: page_layout.Page | None, after: page_layout.Page, percent: float
) -> None:
    assert activity.utilisation(before, after, 10 * SECOND, 11 * SECOND) == pytest.approx(percent)


def test_no_time_is_no_work() -> None:
    assert activity.utilisation(busy(0), busy(5), 7, 7) == 0


def test_page_of_another_process_is_no_beginning() -> None:
    earlier = pages.page(pages.header(start_ticks=1), page_layout.Counters(completed=50), calls=[1000] * 50)
    later = pages.page(counters=page_layout.Counters(completed=3), calls=[1000] * 3)
    assert activity.outcomes(earlier, later) == activity.Outcomes(completed=3)
    assert sum(activity.durations(earlier, later, on_device=True)) == 3


def test_outcomes_are_those_in_between_and_can_be_added() -> None:
    before = pages.page(counters=page_layout.Counters(completed=10, timed_out=1, incorrect_input=2))
    after = pages.page(counters=page_layout.Counters(completed=15, timed_out=1, incorrect_input=4))
    ended = activity.outcomes(before, after)
    assert ended == activity.Outcomes(completed=5, incorrect_input=2)
    assert ended + ended == activity.Outcomes(completed=10, incorrect_input=4)


def test_lasting_is_what_executions_were_to_last_and_what_the_cpu_needed_in_between() -> None:
    def page(simulated: int, computing: int, ticks: int = 5) -> page_layout.Page:
        counters = page_layout.Counters(simulated_nanoseconds=simulated, computing_nanoseconds=computing)
        return pages.page(pages.header(start_ticks=ticks), counters)

    assert activity.lasting(page(SECOND, 5), page(4 * SECOND, SECOND + 5)) == (3.0, 1.0)
    assert activity.lasting(None, page(SECOND, 0)) == (1.0, 0.0)
    assert activity.lasting(page(SECOND, SECOND, ticks=1), page(2 * SECOND, 0)) == (2.0, 0.0)
    assert activity.lasting(page(SECOND, 0), page(0, 0)) == (0.0, 0.0)


def test_percentiles_are_none_without_a_call() -> None:
    assert activity.percentiles(pages.page().total_latency) is None


def test_percentiles_follow_the_calls_in_between() -> None:
    slow, quick = 10 * 10**6, 10**6
    before = pages.page(calls=[slow] * 50)
    after = pages.page(calls=[slow] * 51 + [quick] * 99)
    found = activity.percentiles(activity.durations(before, after, on_device=False))
    assert found is not None
    assert list(found) == ["p0", "p1", "p25", "p50", "p75", "p99", "p100"]
    assert found["p50"] == pytest.approx(0.001, rel=0.125)
    assert found["p99"] == pytest.approx(0.001, rel=0.125)
    assert found["p100"] == pytest.approx(0.010, rel=0.125)
    assert sorted(found.values()) == list(found.values())


def test_histograms_of_cores_are_added() -> None:
    one = pages.page(calls=[2000]).total_latency
    assert sum(activity.added([one, one])) == 2


def test_page_knows_whether_its_table_is_whole() -> None:
    assert pages.page().whole
    assert not dataclasses.replace(pages.page(), counters=page_layout.Counters(models_sequence=1)).whole
