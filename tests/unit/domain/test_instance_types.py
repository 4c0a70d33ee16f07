import dataclasses
from typing import Any

import pytest

from kits.manifests import domain
from neuronspan import errors, instance_types, topologies

GIB = 1024**3
NONE, LINE, RING = topologies.Topology.NONE, topologies.Topology.LINE, topologies.Topology.RING
TORUS, SWITCH = topologies.Topology.TORUS, topologies.Topology.SWITCH

# name: devices, physical cores per device, GiB per device, GiB of the node, default logical core size, topology
HARDWARE_PAGES = {
    "inf1.xlarge": (1, 4, 8, 8, 1, NONE),
    "inf1.2xlarge": (1, 4, 8, 8, 1, NONE),
    "inf1.6xlarge": (4, 4, 8, 32, 1, LINE),
    "inf1.24xlarge": (16, 4, 8, 128, 1, LINE),
    "inf2.xlarge": (1, 2, 32, 32, 1, NONE),
    "inf2.8xlarge": (1, 2, 32, 32, 1, NONE),
    "inf2.24xlarge": (6, 2, 32, 192, 1, LINE),
    "inf2.48xlarge": (12, 2, 32, 384, 1, RING),
    "trn1.2xlarge": (1, 2, 32, 32, 1, NONE),
    "trn1.32xlarge": (16, 2, 32, 512, 1, TORUS),
    "trn1n.32xlarge": (16, 2, 32, 512, 1, TORUS),
    "trn2.3xlarge": (1, 8, 96, 96, 2, NONE),
    "trn2.48xlarge": (16, 8, 96, 1536, 2, TORUS),
    "trn2u.48xlarge": (16, 8, 96, 1536, 2, TORUS),
    "trn3pd98.3xlarge": (1, 8, 144, 144, 2, NONE),
    "trn3e.24xlarge": (4, 8, 144, 576, 2, SWITCH),
    "trn3.48xlarge": (16, 8, 144, 2304, 2, SWITCH),
}


@pytest.mark.parametrize("name", HARDWARE_PAGES)
def test_instance_type_agrees_with_the_hardware_pages(name: str) -> None:
    devices, cores, device_gib, node_gib, logical, topology = HARDWARE_PAGES[name]
    entry = instance_types.INSTANCE_TYPES[name]
    assert (entry.devices, entry.cores_per_device, entry.hbm_bytes_per_device) == (devices, cores, device_gib * GIB)
    assert entry.devices * entry.hbm_bytes_per_device == node_gib * GIB
    assert (entry.default_logical_core_size, entry.topology) == (logical, topology)
    assert (entry.name, f"{entry.family}.{name.partition('.')[2]}") == (name, name)


def test_catalogue_has_no_other_instance_types() -> None:
    assert set(instance_types.INSTANCE_TYPES) == set(HARDWARE_PAGES)


@pytest.mark.parametrize(
    ("name", "logical_core_size", "cores", "gib_per_core"),
    [
        ("inf1.24xlarge", None, 64, 2),
        ("inf2.48xlarge", None, 24, 16),
        ("trn1.32xlarge", None, 32, 16),
        ("trn1.32xlarge", 1, 32, 16),
        ("trn2.3xlarge", None, 4, 24),
        ("trn2.3xlarge", 1, 8, 12),
        ("trn2.48xlarge", None, 64, 24),
        ("trn2.48xlarge", 2, 64, 24),
        ("trn2.48xlarge", 1, 128, 12),
        ("trn3pd98.3xlarge", None, 4, 36),
        ("trn3pd98.3xlarge", 1, 8, 18),
        ("trn3.48xlarge", 1, 128, 18),
    ],
)
def test_hardware_of_counts_logical_cores(
    name: str, logical_core_size: int | None, cores: int, gib_per_core: int
) -> None:
    hardware = instance_types.hardware_of(name, logical_core_size)
    assert (hardware.cores, hardware.hbm_bytes_per_core) == (cores, gib_per_core * GIB)
    assert (hardware.instance_type, hardware.devices) == (name, HARDWARE_PAGES[name][0])


def test_hardware_of_an_unknown_instance_type_lists_the_known_ones() -> None:
    with pytest.raises(errors.UnknownInstanceType) as caught:
        instance_types.hardware_of("p5.48xlarge")
    assert caught.value.instance_type == "p5.48xlarge"
    assert "'p5.48xlarge' is not known: use one of inf1.xlarge, " in str(caught.value)
    assert all(name in str(caught.value) for name in HARDWARE_PAGES)


@pytest.mark.parametrize(
    ("name", "size", "text"),
    [
        ("trn1.32xlarge", 2, "trn1.32xlarge has no logical core size 2: use 1"),
        ("inf2.xlarge", 0, "inf2.xlarge has no logical core size 0: use 1"),
        ("trn2.48xlarge", 4, "trn2.48xlarge has no logical core size 4: use 1 or 2"),
    ],
)
def test_hardware_of_refuses_a_logical_core_size_the_type_lacks(name: str, size: int, text: str) -> None:
    with pytest.raises(errors.InvalidHardware) as caught:
        instance_types.hardware_of(name, size)
    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        ("instance_type", "", "instance type is ''"),
        ("instance_type", 7, "instance type is 7"),
        ("devices", 0, "devices of trn1.32xlarge is 0: give a whole number of at least 1"),
        ("devices", True, "devices of trn1.32xlarge is True"),
        ("cores_per_device", -1, "cores_per_device of trn1.32xlarge is -1"),
        ("cores_per_device", "2", "cores_per_device of trn1.32xlarge is '2'"),
        ("hbm_bytes_per_core", 0, "hbm_bytes_per_core of trn1.32xlarge is 0"),
        ("logical_core_size", 3, "logical core size of trn1.32xlarge is 3: it is 1 or 2"),
        ("logical_core_size", True, "logical core size of trn1.32xlarge is True: it is 1 or 2"),
        ("topology", "torus", "topology of trn1.32xlarge is 'torus': it is one of none, line, ring, torus, switch"),
    ],
)
def test_hardware_refuses_what_cannot_exist(field: str, value: Any, text: str) -> None:
    with pytest.raises(errors.InvalidHardware, match=text.replace(".", r"\.")):
        dataclasses.replace(instance_types.hardware_of("trn1.32xlarge"), **{field: value})


def test_hardware_maps_cores_and_devices() -> None:
    hardware = instance_types.hardware_of("trn1.32xlarge")
    assert [hardware.device_of(core) for core in (0, 1, 2, 31)] == [0, 0, 1, 15]
    assert hardware.cores_of_device(1) == domain.span("2-3")
    assert hardware.cores_of_devices(2, 3) == domain.span("4-9")
    assert hardware.devices_of(domain.span("3-6")) == range(1, 4)
    assert hardware.devices_of(domain.span("31")) == range(15, 16)


@pytest.mark.parametrize(
    ("cores", "aligned"), [("0-1", True), ("2-5", True), ("0-31", True), ("1-2", False), ("0", False), ("2-4", False)]
)
def test_hardware_knows_whole_devices(cores: str, aligned: bool) -> None:
    assert instance_types.hardware_of("trn1.32xlarge").is_device_aligned(domain.span(cores)) is aligned


@pytest.mark.parametrize("core", [-1, 32])
def test_hardware_refuses_a_core_it_does_not_have(core: int) -> None:
    with pytest.raises(errors.InvalidHardware, match=f"core {core} does not exist: trn1.32xlarge has 0-31"):
        instance_types.hardware_of("trn1.32xlarge").device_of(core)


@pytest.mark.parametrize(("first", "count"), [(-1, 1), (16, 1), (15, 2), (0, 17), (3, 0)])
def test_hardware_refuses_devices_it_does_not_have(first: int, count: int) -> None:
    with pytest.raises(errors.InvalidHardware, match=r"do not exist: trn1.32xlarge has 0-15"):
        instance_types.hardware_of("trn1.32xlarge").cores_of_devices(first, count)


@pytest.mark.parametrize(
    ("name", "device", "connected"),
    [
        ("trn1.32xlarge", 0, (12, 3, 4, 1)),
        ("trn1.32xlarge", 1, (13, 0, 5, 2)),
        ("trn1.32xlarge", 11, (7, 10, 15, 8)),
        ("trn1.32xlarge", 12, (8, 15, 0, 13)),
        ("trn2.48xlarge", 15, (11, 14, 3, 12)),
        ("inf2.48xlarge", 0, (11, 1)),
        ("inf2.48xlarge", 1, (0, 2)),
        ("inf2.48xlarge", 11, (10, 0)),
        ("inf2.24xlarge", 0, (1,)),
        ("inf2.24xlarge", 3, (2, 4)),
        ("inf2.24xlarge", 5, (4,)),
        ("inf1.6xlarge", 3, (2,)),
        ("inf1.xlarge", 0, ()),
        ("trn2.3xlarge", 0, ()),
        ("trn3e.24xlarge", 1, (0, 2, 3)),
    ],
)
def test_hardware_knows_which_devices_are_wired(name: str, device: int, connected: tuple[int, ...]) -> None:
    assert instance_types.hardware_of(name).connected_to(device) == connected


@pytest.mark.parametrize(
    ("topology", "devices", "device", "connected"),
    [
        (TORUS, 4, 0, ()),  # the driver fills the list for sixteens only
        (TORUS, 32, 16, (28, 19, 20, 17)),
        (RING, 1, 0, ()),
        (RING, 2, 0, (1,)),
        (LINE, 1, 0, ()),
        (SWITCH, 1, 0, ()),
        (NONE, 4, 0, ()),
    ],
)
def test_hardware_wires_unusual_device_counts(
    topology: topologies.Topology, devices: int, device: int, connected: tuple[int, ...]
) -> None:
    usual = instance_types.hardware_of("trn1.32xlarge")
    assert dataclasses.replace(usual, devices=devices, topology=topology).connected_to(device) == connected


@pytest.mark.parametrize("name", HARDWARE_PAGES)
def test_hardware_wires_are_mutual(name: str) -> None:
    hardware = instance_types.hardware_of(name)
    wires = {(a, b) for a in range(hardware.devices) for b in hardware.connected_to(a)}
    assert wires == {(b, a) for a, b in wires}
    assert not any(a == b for a, b in wires)


def test_hardware_refuses_wires_of_a_device_it_does_not_have() -> None:
    with pytest.raises(errors.InvalidHardware, match="do not exist"):
        instance_types.hardware_of("inf1.xlarge").connected_to(1)


def test_hardware_is_stored_in_camel_case() -> None:
    assert instance_types.hardware_of("trn2.48xlarge").to_dict() == {
        "instanceType": "trn2.48xlarge",
        "devices": 16,
        "coresPerDevice": 4,
        "logicalCoreSize": 2,
        "hbmBytesPerCore": 24 * GIB,
        "topology": "torus",
    }


@pytest.mark.parametrize("name", HARDWARE_PAGES)
def test_hardware_reads_what_it_stores(name: str) -> None:
    hardware = instance_types.hardware_of(name)
    assert instance_types.Hardware.from_dict(hardware.to_dict() | {"later": 1}) == hardware


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"topology": "cube"}, "topology is 'cube': it is one of none, line, ring, torus, switch"),
        ({"topology": []}, "topology is "),
        ({"devices": None}, "devices of trn1.32xlarge is None"),
        ({"coresPerDevice": "2"}, "cores_per_device of trn1.32xlarge is '2'"),
    ],
)
def test_hardware_refuses_a_bad_stored_form(change: dict[str, Any], text: str) -> None:
    with pytest.raises(errors.InvalidHardware, match=text):
        instance_types.Hardware.from_dict(instance_types.hardware_of("trn1.32xlarge").to_dict() | change)


def test_hardware_names_the_missing_keys() -> None:
    with pytest.raises(errors.InvalidHardware, match="hardware lacks coresPerDevice, topology: give all of"):
        instance_types.Hardware.from_dict(
            {"instanceType": "x", "devices": 1, "logicalCoreSize": 1, "hbmBytesPerCore": 1}
        )
