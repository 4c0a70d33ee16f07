"""The cores of all of a pod's containers at once: every one has its run, or the whole pod is refused."""

import dataclasses
from typing import Any

import pytest

from kits.manifests import domain
from neuronspan import instance_types, placement
from neuronspan.fitting import places, searching

BEST, FIRST = placement.Packing.BEST_FIT, placement.Packing.FIRST_FIT
NONE, DEVICE, LINK = placement.Alignment
NODE = instance_types.hardware_of("trn1.32xlarge")  # 16 devices of 2 cores
SMALL = dataclasses.replace(NODE, devices=4, cores_per_device=4)  # cores 0-15
HOLES = "2-4 8-9 20-24"  # leaves 0-1, 5-7, 10-19, 25-31 of 32


def request(count: int, **fields: Any) -> placement.Request:
    return placement.Request(count, **fields)


def refusal(answer: object) -> placement.Unplaceable:
    assert isinstance(answer, placement.Unplaceable)
    return answer


def test_place_all_finds_connected_devices_behind_a_dead_end_of_the_same_shape() -> None:
    """With device 0-2 in use for the first, no two runs of two are left that are connected; with 5-7 there are."""
    requests = [request(4, align=LINK), request(6, align=LINK), request(4, align=LINK)]
    answer = places.place_all(NODE, domain.spans_of("8-9 18-19 22-25 28-29"), requests, FIRST)
    assert answer == domain.spans_of("0-3 10-15 4-7")


@pytest.mark.parametrize(
    ("taken", "requests", "expected"),
    [
        ("", [], ""),
        ("", [request(4)], "0-3"),
        ("", [request(2), request(4)], "4-5 0-3"),
        ("", [request(4), request(4)], "0-3 4-7"),
        ("", [request(4), request(2, first=1)], "3-6 1-2"),
        ("", [request(1), request(4, align=DEVICE)], "4 0-3"),
        ("0", [request(3), request(4, align=DEVICE)], "1-3 4-7"),
        ("0-3 8-15", [request(2), request(2, first=4)], "6-7 4-5"),
        ("5 12-15", [request(2), request(3), request(3), request(3)], "3-4 0-2 6-8 9-11"),
        ("7-8", [request(3), request(4, align=DEVICE), request(4)], "4-6 0-3 9-12"),
        # aligned cores make room for unaligned ones: they go first, and not always to the first device that fits
        ("7-15", [request(5), request(2, align=DEVICE)], "2-6 0-1"),
        ("7-15", [request(3, align=DEVICE), request(1, align=DEVICE), request(3)], "4-6 0 1-3"),
        ("13-15", [request(5, align=DEVICE), request(2, align=DEVICE), request(6)], "8-12 0-1 2-7"),
    ],
)
def test_place_all_gives_every_container_its_cores(
    taken: str, requests: list[placement.Request], expected: str
) -> None:
    answer = places.place_all(SMALL, domain.spans_of(taken), requests, BEST)
    assert answer == domain.spans_of(expected)


@pytest.mark.parametrize("packing", placement.Packing)
def test_place_all_tries_the_other_combinations(packing: placement.Packing) -> None:
    """Runs of 8, 5 and 3 take 5 + 3 + 4 + 4 in one way only; no policy finds it at the first attempt each time."""
    taken = domain.spans_of("8 14")
    node = dataclasses.replace(NODE, devices=9)
    requests = [request(3), request(4), request(5), request(4)]
    answer = places.place_all(node, taken, requests, packing)
    assert answer == domain.spans_of("15-17 0-3 9-13 4-7")


def test_place_all_gives_what_place_gives_for_one() -> None:
    taken = domain.spans_of(HOLES)
    for packing in placement.Packing:
        for count in range(1, 11):
            alone = places.place(NODE, taken, request(count), packing)
            assert places.place_all(NODE, taken, [request(count)], packing) == (alone,)


@pytest.mark.parametrize(
    ("taken", "requests", "reason", "text"),
    [
        (
            "8-15",
            [request(4), request(5)],
            placement.Reason.NOT_TOGETHER,
            (
                "5 contiguous cores + 4 contiguous cores fit one by one but not together on one node: "
                "they are 9 cores, the node has 16, 8 of them free; the largest free run is 8 (0-7)"
            ),
        ),
        (
            "4",
            [request(3), request(7), request(5)],
            placement.Reason.NOT_TOGETHER,
            "they are 15 cores, the node has 16, 15 of them free; the largest free run is 11 (5-15)",
        ),
        ("", [request(8), request(9)], placement.Reason.TOO_LARGE, "they are 17 cores, the node has 16"),
        (
            "",
            [request(4, first=4), request(2, first=6)],
            placement.Reason.NOT_TOGETHER,
            "the cores 4-7 + the cores 6-7 fit one by one but not together",
        ),
        (
            "",
            [request(4, first=4, align=DEVICE), request(12)],
            placement.Reason.NOT_TOGETHER,
            "the cores 4-7 + 12 contiguous cores fit one by one but not together",
        ),
        (
            "8-15",
            [request(3, align=DEVICE), request(3, align=DEVICE), request(2, align=DEVICE)],
            placement.Reason.NOT_TOGETHER,
            "what would fit now: up to 8 contiguous cores starting on a device",
        ),
        (
            "8-15",
            [request(1), request(9)],
            placement.Reason.NO_RUN,
            "9 contiguous cores cannot be placed: no free run is long enough; the largest free run is 8 (0-7)",
        ),
        ("4-5", [request(1), request(2, first=4)], placement.Reason.SPAN_TAKEN, "the cores 4-5 cannot be placed"),
    ],
    ids=[
        "free-sum",
        "no-combination",
        "node-sum",
        "same-cores",
        "given-cores-stay",
        "aligned",
        "one-alone",
        "one-taken",
    ],
)
def test_place_all_refuses_the_whole_pod(
    taken: str, requests: list[placement.Request], reason: placement.Reason, text: str
) -> None:
    answer = refusal(places.place_all(SMALL, domain.spans_of(taken), requests, BEST))
    assert answer.reason == reason
    assert text in answer.message
    assert f"the largest free run is {answer.largest_free_run}" in answer.message
    assert "what would fit now: up to" in answer.message


LARGE = instance_types.hardware_of("trn2.48xlarge", 1)
RUNS_OF_11 = tuple(domain.span(str(core)) for core in range(11, 128, 12))  # ten of them, and one of 8


HOSTILE = [8, 7, 7, 6, 6, 6, 5, 5, 5, 5, 4, 4, 4, 4, 4, 3, 3, 3, 3, 3, 3, 3]


def odd_ones_aligned(counts: list[int]) -> list[placement.Request]:
    return [request(count, align=DEVICE if count % 2 else NONE) for count in counts]


@pytest.mark.parametrize(
    "requests",
    [[request(6)] * 12, [request(11)] * 9 + [request(9)] * 2, odd_ones_aligned([*HOSTILE, 3, 3, 3, 3, 3, 3])],
    ids=["one-too-many", "one-too-long", "more-than-free"],
)
def test_place_all_decides_large_pods_without_giving_up(requests: list[placement.Request]) -> None:
    """What is not tried twice: the same sizes left in other places; and not at all: more cores than are free."""
    taken = (*RUNS_OF_11, domain.span("125"))
    answer = refusal(places.place_all(LARGE, taken, requests, BEST))
    assert answer.reason == placement.Reason.NOT_TOGETHER
    assert "no combination was found" not in answer.message


def test_place_all_gives_up_on_a_hostile_pod_and_says_so() -> None:
    answer = refusal(places.place_all(LARGE, RUNS_OF_11, odd_ones_aligned(HOSTILE), BEST))
    assert answer.reason == placement.Reason.NOT_TOGETHER
    assert f"no combination was found among the first {searching.SEARCH_LIMIT}" in answer.message


def test_place_all_stops_at_the_search_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    node = dataclasses.replace(NODE, devices=9)
    requests = [request(3), request(4), request(5), request(4)]
    monkeypatch.setattr(searching, "SEARCH_LIMIT", 3)
    answer = refusal(places.place_all(node, domain.spans_of("8 14"), requests, FIRST))
    assert "no combination was found among the first 3" in answer.message
