"""Pods per second and waiting times, from moments that are given."""

import dataclasses

import pytest

from performance.cluster import figures


def _run(bound: list[float]) -> figures.Run:
    names = [f"pod-{number}" for number in range(len(bound))]
    created = {name: 10.0 + number for number, name in enumerate(names)}
    return figures.Run(created, dict(zip(names, bound, strict=True)), {"operator": 0.5})


def test_the_rate_is_of_all_pods_from_the_first_one_sent_to_the_last_one_bound() -> None:
    run = _run([10.5, 11.5, 12.0, 14.0])
    assert run.seconds == 4.0
    assert run.pods_per_second == 1.0


def test_the_rate_of_creation_is_of_the_time_between_first_and_last() -> None:
    assert _run([10.5, 11.5, 12.0]).sent_per_second == 1.0


def test_seconds_are_sampled_after_the_first_one_with_a_pod() -> None:
    assert _run([10.5, 10.9, 11.5, 12.2, 12.9, 13.4]).samples() == [1, 2]


def test_a_quiet_second_shares_the_rate_of_the_next_one() -> None:
    assert _run([10.5, 12.2, 12.9, 13.1, 14.1]).samples() == [1, 1, 1]


def test_seconds_before_the_first_pod_are_no_samples() -> None:
    assert _run([12.5, 13.5, 13.6, 14.5]).samples() == [2]


def test_a_run_within_one_second_is_one_sample() -> None:
    assert _run([10.25, 10.5]).samples() == [4.0]


def test_writes_are_shared_by_the_pods() -> None:
    run = dataclasses.replace(_run([10.5, 11.25]), writes={"POST events": 2.0, "PATCH neuronnodes": 1.0})
    assert run.writes_per_pod() == 1.5


def test_a_pod_waits_from_its_own_creation() -> None:
    assert _run([10.5, 11.25]).latencies() == [500.0, 250.0]


def test_processor_time_is_shared_by_the_pods() -> None:
    assert _run([10.5, 11.25]).processor_milliseconds() == {"operator": 250.0}


@pytest.mark.parametrize(("percent", "value"), [(50, 2.0), (75, 3.0), (90, 4.0), (99, 4.0)])
def test_a_percentile_is_one_of_the_numbers(percent: float, value: float) -> None:
    assert figures.percentile([4.0, 1.0, 3.0, 2.0], percent) == value


def test_the_tail_is_shared_by_the_pods() -> None:
    run = dataclasses.replace(_run([10.5, 11.25]), tail_seconds={"operator": 0.1})
    assert run.tail_milliseconds() == {"operator": 50.0}


def test_looks_are_taken_off_what_processes_took() -> None:
    before, after = {"operator": 1.0, "kube-apiserver": 10.0}, {"operator": 1.5, "kube-apiserver": 14.0}
    found = figures.spent(before, after, 4, {"operator": 0.25, "kube-apiserver": 0.5})
    assert found == {"operator": 0.0, "kube-apiserver": 2.0}
