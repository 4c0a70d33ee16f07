import dataclasses
from typing import Any

import pytest

from kits.manifests import domain
from neuronspan import errors, instance_types, placement, topologies
from neuronspan.fitting import places

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
    answer = places.place(NODE, domain.spans_of(HOLES), request(count, **fields), packing)
    assert answer == domain.span(expected)


@pytest.mark.parametrize("packing", placement.Packing)
def test_place_starts_at_core_0_of_an_empty_node(packing: placement.Packing) -> None:
    assert places.place(NODE, (), request(32), packing) == domain.span("0-31")
    assert places.place(NODE, (), request(4), packing) == domain.span("0-3")


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
    answer = refusal(places.place(NODE, domain.spans_of(HOLES), request(count, **fields), BEST))
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
    answer = refusal(places.place(SMALL, domain.spans_of(taken), request(4, align=align), BEST))
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
    answer = places.place(NODE, domain.spans_of(taken), request(**fields), BEST)
    if isinstance(expected, str):
        assert answer == domain.span(expected)
    else:
        found = refusal(answer)
        assert found.reason == expected[0]
        assert expected[1] in found.message


def test_place_says_that_no_devices_are_connected_where_there_are_no_links() -> None:
    apart = dataclasses.replace(NODE, topology=topologies.Topology.NONE)
    answer = refusal(places.place(apart, (), request(4, align=LINK), BEST))
    assert answer.reason is placement.Reason.NOT_CONNECTED
    assert (
        "4 contiguous cores on connected devices cannot be placed: no 2 devices in a row are connected;"
        in answer.message
    )


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
