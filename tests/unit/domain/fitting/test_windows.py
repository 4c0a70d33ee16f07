"""Which runs of devices are connected, and which numbers of them AWS gives: exhaustively, on every instance type."""

import dataclasses
import functools

import pytest

from neuronspan import instance_types, placement, spans, topologies
from neuronspan.fitting import places, windows

LINK, AWS = placement.Alignment.LINK, placement.DeviceCounts.AWS
TORUS = instance_types.hardware_of("trn1.32xlarge")
EVERY = [
    pytest.param(instance_types.hardware_of(each.name, size), id=f"{each.name} {size}")
    for each in instance_types.INSTANCE_TYPES.values()
    for size in each.logical_core_sizes
]


@functools.cache
def connected(hardware: instance_types.Hardware, devices: range) -> bool:
    """Whether following links inside the run from its first device reaches them all, by hand."""
    reached = {devices.start}
    for _ in devices:
        reached.update(other for each in tuple(reached) for other in hardware.connected_to(each) if other in devices)
    return reached == set(devices)


@pytest.mark.parametrize(
    ("devices", "starts"),
    [
        (1, [*range(16)]),
        (2, [0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14]),
        (3, [0, 1, 4, 5, 8, 9, 12, 13]),
        (4, [0, 4, 8, 12]),
        *((devices, [*range(17 - devices)]) for devices in range(5, 17)),
    ],
)
def test_runs_of_the_torus_that_are_connected(devices: int, starts: list[int]) -> None:
    """12 of 15 runs of 2 devices, 8 of 14 of 3, 4 of 13 of 4, and all from 5 on."""
    assert [run.start for run in windows.connected_runs(TORUS, devices)] == starts


@pytest.mark.parametrize("first", range(13))
def test_four_devices_of_the_torus_are_connected_when_they_are_a_ring(first: int) -> None:
    """Each of a row has two neighbours in the row, as it wraps around; no other run of four is even connected."""
    four = range(first, first + 4)
    is_ring = all(len(set(TORUS.connected_to(each)) & set(four)) == 2 for each in four)
    assert is_ring == (first in {0, 4, 8, 12}) == windows.is_connected(TORUS, four)


@pytest.mark.parametrize("hardware", EVERY)
def test_every_run_given_under_link_is_connected(hardware: instance_types.Hardware) -> None:
    """Each size may start on each core from which it starts on a device and its devices are connected, and no other."""
    for count in range(1, hardware.cores + 1):
        request = placement.Request(count, LINK)
        boundaries = range(0, hardware.cores - count + 1, hardware.cores_per_device)
        legal = [
            first for first in boundaries if connected(hardware, hardware.devices_of(spans.CoreSpan(first, count)))
        ]
        assert list(windows.members(windows.starts(hardware, request))) == legal
        alone = [spans.CoreSpan(legal[-1], count)] if legal else []
        taken = spans.free_runs(hardware.cores, alone)  # all others
        assert places.find_all(hardware, taken, [request], placement.Packing.BEST_FIT) == (tuple(alone) or None)


@pytest.mark.parametrize("hardware", EVERY)
def test_every_instance_type_has_a_connected_run_of_each_size(hardware: instance_types.Hardware) -> None:
    assert all(windows.connected_runs(hardware, devices) for devices in range(1, hardware.devices + 1))


@pytest.mark.parametrize("hardware", EVERY)
def test_only_a_torus_has_runs_that_are_not_connected(hardware: instance_types.Hardware) -> None:
    sizes = range(1, hardware.devices + 1)
    broken = [n for n in sizes if len(windows.connected_runs(hardware, n)) < hardware.devices - n + 1]
    assert broken == ([2, 3, 4] if hardware.topology is topologies.Topology.TORUS else [])


def given(hardware: instance_types.Hardware, count: int) -> list[int]:
    """Return the first cores from which so many are given where numbers of devices are AWS's."""
    return list(windows.members(windows.starts(hardware, placement.Request(count, device_counts=AWS))))


def test_aws_gives_one_four_eight_or_all_devices_of_a_torus_each_in_its_block() -> None:
    by_devices = {devices: [first // 2 for first in given(TORUS, 2 * devices)] for devices in range(1, 17)}
    assert {devices: firsts for devices, firsts in by_devices.items() if firsts} == {
        1: [*range(16)],
        4: [0, 4, 8, 12],
        8: [0, 8],
        16: [0],
    }


def test_aws_gives_part_of_one_device_and_no_cores_beside_whole_ones() -> None:
    trainium2 = instance_types.hardware_of("trn2.48xlarge")  # 16 devices of 4 logical cores
    assert [count for count in range(1, 65) if given(trainium2, count)] == [1, 2, 3, 4, 16, 32, 64]
    assert given(trainium2, 3)[:4] == [0, 1, 4, 5]


@pytest.mark.parametrize("hardware", EVERY)
def test_aws_restricts_a_torus_only(hardware: instance_types.Hardware) -> None:
    if hardware.topology is topologies.Topology.TORUS:
        assert placement.device_counts(hardware) == placement.AWS_DEVICE_COUNTS == (1, 4, 8, 16)
    else:
        assert placement.device_counts(hardware) == ()
        assert all(given(hardware, n) == [*range(hardware.cores - n + 1)] for n in range(1, hardware.cores + 1))


@pytest.mark.parametrize("hardware", [each for each in EVERY if "trn" in str(each.id)])
def test_devices_that_aws_gives_together_are_connected(hardware: instance_types.Hardware) -> None:
    for devices in placement.device_counts(hardware):
        for first in given(hardware, devices * hardware.cores_per_device):
            start = first // hardware.cores_per_device
            assert connected(hardware, range(start, start + devices))


def test_devices_without_links_are_not_connected() -> None:
    apart = dataclasses.replace(TORUS, topology=topologies.Topology.NONE)
    assert windows.connected_runs(apart, 2) == ()
    assert len(windows.connected_runs(apart, 1)) == 16
