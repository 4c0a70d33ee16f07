import dataclasses
from typing import Any

import pytest

from kits.manifests import domain
from neuronspan import errors, instance_types, placement

BEST, FIRST, WORST = placement.Packing.BEST_FIT, placement.Packing.FIRST_FIT, placement.Packing.WORST_FIT
NONE, DEVICE, LINK = placement.Alignment
AWS = placement.DeviceCounts.AWS
NODE = instance_types.hardware_of("trn1.32xlarge")  # 16 devices of 2 cores
SMALL = dataclasses.replace(NODE, devices=4, cores_per_device=4)  # cores 0-15
HOLES = "2-4 8-9 20-24"  # leaves 0-1, 5-7, 10-19, 25-31 of 32


def request(count: int, **fields: Any) -> placement.Request:
    return placement.Request(count, **fields)


def refusal(answer: object) -> placement.Unplaceable:
    assert isinstance(answer, placement.Unplaceable)
    return answer


@pytest.mark.parametrize(
    ("count", "fields", "packing", "expected"),
    [
        (1, {}, BEST, "0"),
        (2, {}, BEST, "0-1"),
        (3, {}, BEST, "5-7"),
        (4, {}, BEST, "25-28"),
        (8, {}, BEST, "10-17"),
        (2, {}, FIRST, "0-1"),
        (4, {}, FIRST, "10-13"),
        (1, {}, WORST, "10"),
        (7, {}, WORST, "10-16"),
        (2, {"align": DEVICE}, BEST, "0-1"),
        (3, {"align": DEVICE}, BEST, "26-28"),
        (6, {"align": DEVICE}, BEST, "26-31"),
        (7, {"align": DEVICE}, BEST, "10-16"),
        (1, {"align": DEVICE}, WORST, "10"),
        (2, {"first": 6}, BEST, "6-7"),
        (2, {"first": 6}, WORST, "6-7"),
        (4, {"first": 12, "align": DEVICE}, BEST, "12-15"),
    ],
)
def test_place_follows_the_policy(
    count: int, fields: dict[str, Any], packing: placement.Packing, expected: str
) -> None:
    answer = placement.place(NODE, domain.spans_of(HOLES), request(count, **fields), packing)
    assert answer == domain.span(expected)


@pytest.mark.parametrize("packing", placement.Packing)
def test_place_starts_at_core_0_of_an_empty_node(packing: placement.Packing) -> None:
    assert placement.place(NODE, (), request(32), packing) == domain.span("0-31")
    assert placement.place(NODE, (), request(4), packing) == domain.span("0-3")


FREE = "the largest free run is 10 (10-19), free are 0-1, 5-7, 10-19, 25-31; what would fit now: up to"


@pytest.mark.parametrize(
    ("count", "fields", "reason", "message"),
    [
        (
            33,
            {},
            placement.Reason.TOO_LARGE,
            f"33 contiguous cores cannot be placed: the node has 32 cores in all; {FREE} 10 contiguous cores",
        ),
        (
            11,
            {},
            placement.Reason.NO_RUN,
            f"11 contiguous cores cannot be placed: no free run is long enough; {FREE} 10 contiguous cores",
        ),
        (
            11,
            {"align": DEVICE},
            placement.Reason.NO_RUN,
            (
                "11 contiguous cores starting on a device cannot be placed: no free run is long enough counted from a "
                f"device's first core; {FREE} 10 contiguous cores starting on a device"
            ),
        ),
        (
            4,
            {"first": 30},
            placement.Reason.OUT_OF_RANGE,
            f"the cores 30-33 cannot be placed: the node's last core is 31; {FREE} 10 contiguous cores",
        ),
        (
            2,
            {"first": 5, "align": DEVICE},
            placement.Reason.MISALIGNED,
            (
                "the cores 5-6 cannot be placed: a device starts at every multiple of 2; "
                f"{FREE} 10 contiguous cores starting on a device"
            ),
        ),
        (
            4,
            {"first": 1},
            placement.Reason.SPAN_TAKEN,
            f"the cores 1-4 cannot be placed: taken: 2, 3, 4; {FREE} 10 contiguous cores",
        ),
    ],
    ids=["too-large", "no-run", "no-aligned-run", "out-of-range", "misaligned", "span-taken"],
)
def test_place_says_why_not_and_what_would_fit(
    count: int, fields: dict[str, Any], reason: placement.Reason, message: str
) -> None:
    answer = refusal(placement.place(NODE, domain.spans_of(HOLES), request(count, **fields), BEST))
    assert answer == placement.Unplaceable(reason, message, 10)


@pytest.mark.parametrize(
    ("taken", "align", "tail"),
    [
        ("0-15", placement.Alignment.NONE, "the largest free run is 0: no core is free"),
        (
            "0-14",
            placement.Alignment.NONE,
            "the largest free run is 1 (15), free are 15; what would fit now: up to 1 core",
        ),
        (
            "0-12",
            DEVICE,
            "the largest free run is 3 (13-15), free are 13-15; what would fit now: nothing that starts on a device",
        ),
        ("0-13 15", DEVICE, "free are 14; what would fit now: nothing that starts on a device"),
        (
            "0-3 6-15",
            DEVICE,
            "free are 4-5; what would fit now: up to 2 contiguous cores starting on a device",
        ),
    ],
    ids=["full", "one", "no-aligned", "no-aligned-short", "aligned"],
)
def test_place_advice_is_true(taken: str, align: placement.Alignment, tail: str) -> None:
    answer = refusal(placement.place(SMALL, domain.spans_of(taken), request(4, align=align), BEST))
    assert answer.message.endswith(tail)


RINGS = "connected runs are 0-3, 4-7, 8-11, 12-15"
GIVEN = (
    "the pool gives part of one device, or 1, 4, 8 or 16 devices of 2 cores, from a multiple of that number of devices"
)


@pytest.mark.parametrize(
    ("taken", "fields", "expected"),
    [
        ("0", {"count": 8, "align": LINK}, "8-15"),
        ("0-1", {"count": 7, "align": LINK}, "8-14"),
        ("0-1", {"count": 10, "align": LINK}, "2-11"),
        ("0-5", {"count": 4, "align": LINK}, "8-11"),
        ("0", {"count": 8, "device_counts": AWS}, "8-15"),
        ("0-15", {"count": 1, "device_counts": AWS}, "16"),
        (
            "0 8 16 24",
            {"count": 8, "align": LINK},
            (
                placement.Reason.NO_RUN,
                (
                    "8 contiguous cores on connected devices cannot be placed: no connected run of 4 devices is free; "
                    f"{RINGS}; the largest free run is 7 (1-7), free are 1-7, 9-15, 17-23, 25-31; what would fit now: "
                    "up to 6 contiguous cores on connected devices"
                ),
            ),
        ),
        (
            "0-1 12-31",
            {"count": 8, "align": LINK},
            (placement.Reason.NO_RUN, "what would fit now: 1, 2, 3 or 5 connected devices of 2 cores"),
        ),
        (
            "0-3",
            {"count": 29, "align": LINK},
            (placement.Reason.NO_RUN, "no free run is long enough counted from a device"),
        ),
        (
            "",
            {"count": 8, "first": 2, "align": LINK},
            (
                placement.Reason.NOT_CONNECTED,
                f"the cores 2-9 cannot be placed: devices 1-4 are not connected; {RINGS}; ",
            ),
        ),
        ("", {"count": 8, "first": 1, "align": LINK}, (placement.Reason.MISALIGNED, "starts at every multiple of 2")),
        (
            "",
            {"count": 6, "device_counts": AWS},
            (placement.Reason.DEVICE_COUNT, f"6 contiguous cores cannot be placed: {GIVEN}"),
        ),
        ("", {"count": 3, "device_counts": AWS}, (placement.Reason.DEVICE_COUNT, GIVEN)),
        (
            "",
            {"count": 8, "first": 4, "device_counts": AWS},
            (placement.Reason.DEVICE_COUNT, f"the cores 4-11 cannot be placed: {GIVEN}"),
        ),
        ("", {"count": 33, "device_counts": AWS}, (placement.Reason.TOO_LARGE, "the node has 32 cores in all")),
        ("", {"count": 2, "first": 31, "device_counts": AWS}, (placement.Reason.OUT_OF_RANGE, "last core is 31")),
        (
            "0 8 16 24",
            {"count": 8, "device_counts": AWS},
            (placement.Reason.NO_RUN, "no 4 devices are free from a multiple of 4 on; the largest free run is 7 (1-7)"),
        ),
        (
            "0-31",
            {"count": 1, "device_counts": AWS},
            (placement.Reason.NO_RUN, "no device has so many free cores in a row; "),
        ),
        (
            "8 16 24",
            {"count": 16, "device_counts": AWS},
            (placement.Reason.NO_RUN, "what would fit now: 1 or 4 devices of 2 cores"),
        ),
    ],
)
def test_place_gives_connected_devices_or_says_which_there_are(
    taken: str, fields: dict[str, Any], expected: str | tuple[placement.Reason, str]
) -> None:
    answer = placement.place(NODE, domain.spans_of(taken), request(**fields), BEST)
    if isinstance(expected, str):
        assert answer == domain.span(expected)
    else:
        found = refusal(answer)
        assert found.reason == expected[0]
        assert expected[1] in found.message


def test_place_says_that_no_devices_are_connected_where_there_are_no_links() -> None:
    apart = dataclasses.replace(NODE, topology=instance_types.Topology.NONE)
    answer = refusal(placement.place(apart, (), request(4, align=LINK), BEST))
    assert answer.reason is placement.Reason.NOT_CONNECTED
    assert (
        "4 contiguous cores on connected devices cannot be placed: no 2 devices in a row are connected;"
        in answer.message
    )


def test_place_all_finds_connected_devices_behind_a_dead_end_of_the_same_shape() -> None:
    """With device 0-2 in use for the first, no two runs of two are left that are connected; with 5-7 there are."""
    requests = [request(4, align=LINK), request(6, align=LINK), request(4, align=LINK)]
    answer = placement.place_all(NODE, domain.spans_of("8-9 18-19 22-25 28-29"), requests, FIRST)
    assert answer == domain.spans_of("0-3 10-15 4-7")


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"count": 0}, "a request for 0 cores: ask for a whole number of at least 1"),
        ({"count": -3}, "a request for -3 cores"),
        ({"count": True}, "a request for True cores"),
        ({"count": "4"}, "a request for '4' cores"),
        ({"count": 4, "align": "device"}, "alignment is 'device': it is one of none, device, link"),
        ({"count": 4, "device_counts": "aws"}, "device counts are 'aws': they are one of any, aws"),
        ({"count": 4, "first": -1}, "first core is -1: give a whole number of at least 0, or none"),
        ({"count": 4, "first": False}, "first core is False"),
    ],
)
def test_request_refuses_what_no_node_could_serve(fields: dict[str, Any], text: str) -> None:
    with pytest.raises(errors.InvalidRequest, match=text):
        placement.Request(**fields)


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
    answer = placement.place_all(SMALL, domain.spans_of(taken), requests, BEST)
    assert answer == domain.spans_of(expected)


@pytest.mark.parametrize("packing", placement.Packing)
def test_place_all_tries_the_other_combinations(packing: placement.Packing) -> None:
    """Runs of 8, 5 and 3 take 5 + 3 + 4 + 4 in one way only; no policy finds it at the first attempt each time."""
    taken = domain.spans_of("8 14")
    node = dataclasses.replace(NODE, devices=9)
    requests = [request(3), request(4), request(5), request(4)]
    answer = placement.place_all(node, taken, requests, packing)
    assert answer == domain.spans_of("15-17 0-3 9-13 4-7")


def test_place_all_gives_what_place_gives_for_one() -> None:
    taken = domain.spans_of(HOLES)
    for packing in placement.Packing:
        for count in range(1, 11):
            alone = placement.place(NODE, taken, request(count), packing)
            assert placement.place_all(NODE, taken, [request(count)], packing) == (alone,)


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
    answer = refusal(placement.place_all(SMALL, domain.spans_of(taken), requests, BEST))
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
    answer = refusal(placement.place_all(LARGE, taken, requests, BEST))
    assert answer.reason == placement.Reason.NOT_TOGETHER
    assert "no combination was found" not in answer.message


def test_place_all_gives_up_on_a_hostile_pod_and_says_so() -> None:
    answer = refusal(placement.place_all(LARGE, RUNS_OF_11, odd_ones_aligned(HOSTILE), BEST))
    assert answer.reason == placement.Reason.NOT_TOGETHER
    assert f"no combination was found among the first {placement.SEARCH_LIMIT}" in answer.message


def test_place_all_stops_at_the_search_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    node = dataclasses.replace(NODE, devices=9)
    requests = [request(3), request(4), request(5), request(4)]
    monkeypatch.setattr(placement, "SEARCH_LIMIT", 3)
    answer = refusal(placement.place_all(node, domain.spans_of("8 14"), requests, FIRST))
    assert "no combination was found among the first 3" in answer.message
