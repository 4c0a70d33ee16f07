"""What neuron-ls prints, against the shapes of the real one's output."""

import dataclasses
import json
import typing

import pytest

from kits.device import pages
from neuronspan import instance_types
from neuronspan_runtime.tools import device_facts, machine_view
from neuronspan_runtime.tools.neuron_ls import device_table

COMMAND = "python serve.py --model resnet50 --port 8080 --workers 4 --log-level info --reload never --batch 16"


def view(
    instance_type: str, *owners: machine_view.CoreOwner, cores: typing.Iterable[int] | None = None
) -> machine_view.MachineView:
    hardware = instance_types.hardware_of(instance_type)
    visible = tuple(range(hardware.cores)) if cores is None else tuple(cores)
    return machine_view.MachineView(hardware, visible, owners, 0, "i-0123456789abcdef0")


def owner(pid: int, cores: typing.Iterable[int], command: str = COMMAND) -> machine_view.CoreOwner:
    owned = tuple(cores)
    page = pages.page(pages.header(owned[0], f"{owned[0]}-{owned[-1]}", pid=pid))
    return machine_view.CoreOwner(pid, owned, command, {owned[0]: page})


def text(seen: machine_view.MachineView, *, wide: bool = False, also: device_table.Row | None = None) -> list[str]:
    devices = device_table.devices_of(seen, also)
    return device_table.as_text(seen, devices, "0-7", wide=wide).splitlines()


def test_idle_single_device_has_neither_connections_nor_processes() -> None:
    """The lines of a real trn1.2xlarge, but for the slot of its one device."""
    assert text(view("trn1.2xlarge")) == [
        "instance-type: trn1.2xlarge",
        "instance-id: i-0123456789abcdef0",
        "+--------+--------+----------+--------+--------------+----------+------+",
        "| NEURON | NEURON |  NEURON  | NEURON |     PCI      |   CPU    | NUMA |",
        "| DEVICE | CORES  | CORE IDS | MEMORY |     BDF      | AFFINITY | NODE |",
        "+--------+--------+----------+--------+--------------+----------+------+",
        "| 0      | 2      | 0-1      | 32 GB  | 0000:00:1f.0 | 0-7      | -1   |",
        "+--------+--------+----------+--------+--------------+----------+------+",
    ]


def test_process_comes_with_its_command_and_version_in_the_real_order() -> None:
    rule = "+--------+--------+----------+--------+--------------+------+----------+------+" + "-" * 42 + "+---------+"
    lines = text(view("inf2.xlarge", owner(4290, [0, 1])))
    assert [lines[2], lines[5], lines[7]] == [rule] * 3
    assert [line.split("|")[6:11] for line in (lines[3], lines[4], lines[6])] == [
        [" PID  ", "   CPU    ", " NUMA ", "                 COMMAND                  ", " RUNTIME "],
        ["      ", " AFFINITY ", " NODE ", "                                          ", " VERSION "],
        [" 4290 ", " 0-7      ", " -1   ", " python serve.py --model resnet50 --po... ", " 0.1.0   "],
    ]


def test_wide_shows_eighty_characters_of_a_command() -> None:
    (line,) = (line for line in text(view("inf2.xlarge", owner(1, [0])), wide=True) if "serve" in line)
    assert line.split("|")[9].strip() == COMMAND[:77] + "..."


def test_devices_are_set_apart_when_one_has_several_processes() -> None:
    lines = text(view("inf2.24xlarge", owner(1, [0], "a"), owner(2, [1, 2], "b")))
    assert [line[2] for line in lines[6:12]] == ["0", " ", "-", "1", "-", "2"]
    assert lines[6].split("|")[7:8] == [" 1   "]
    assert lines[7].split("|")[7:10] == [" 2   ", "          ", "      "]


def test_joined_cores_are_announced_and_counted() -> None:
    lines = text(view("trn2.48xlarge"))
    assert lines[2] == "logical-neuroncore-config: 2"
    assert "| 15     | 4      | 60-63    | 96 GB  | 11, 14, 3, 12 |" in lines[-2]
    assert "| 0      | 4      | 0-3      | 96 GB  | 12, 3, 4, 1   |" in lines[7]


def test_container_sees_its_devices_without_connections() -> None:
    lines = text(view("inf2.48xlarge", cores=[4, 5, 6]))
    assert not any("CONNECTED" in line for line in lines)
    assert [line.split()[1:6:2] for line in lines[6:8]] == [["2", "2", "4-5"], ["3", "1", "6"]]


def test_process_without_a_runtime_is_on_every_device() -> None:
    me = device_table.Row(9, "neuron-ls -a", "NA")
    lines = text(view("inf2.24xlarge"), also=me)
    assert sum("neuron-ls -a" in line and "| NA " in line for line in lines) == 6


# --- JSON -------------------------------------------------------------------------------------------------------------


def parsed(seen: machine_view.MachineView) -> list[dict[str, typing.Any]]:
    value: list[dict[str, typing.Any]] = json.loads(device_table.as_json(seen, device_table.devices_of(seen), "0-7"))
    return value


def test_json_of_a_single_device_is_the_real_ones() -> None:
    """Keys, order, types and layout of the text."""
    seen = view("trn1.2xlarge")
    assert device_table.as_json(seen, device_table.devices_of(seen), "0-7") == (
        '[\n    {\n        "instance_type": "trn1.2xlarge",\n        "instance_id": "i-0123456789abcdef0",\n'
        '        "neuron_device": 0,\n        "bdf": "0000:00:1f.0",\n        "cpu_affinity": "0-7",\n'
        '        "numa_node": "-1",\n        "connected_to": null,\n        "nc_count": 2,\n'
        '        "logical_neuroncore_config": 1,\n        "memory_size": 34359738368,\n'
        '        "neuroncore_ids": [\n            0,\n            1\n        ],\n'
        '        "neuron_processes": []\n    }\n]'
    )


def test_json_of_joined_cores_counts_the_joined_ones() -> None:
    first = parsed(view("trn2.48xlarge", owner(1966680, [0, 1, 2, 3])))[0]
    assert (first["memory_size"], first["nc_count"], first["logical_neuroncore_config"]) == (103079215104, 4, 2)
    assert first["connected_to"] == [12, 3, 4, 1]
    assert first["neuroncore_ids"] == [0, 1, 2, 3]
    assert first["neuron_processes"] == [
        {"pid": 1966680, "command": COMMAND, "neuron_runtime_version": "0.1.0"},
    ]


@pytest.mark.parametrize(
    ("instance_type", "connected"),
    [
        pytest.param("inf2.24xlarge", [[1], [0, 2], [1, 3], [2, 4], [3, 5], [4]], id="a line, whatever the page says"),
        pytest.param("inf1.2xlarge", [None], id="one device"),
        pytest.param("inf1.6xlarge", [[1], [0, 2], [1, 3], [2]], id="a line of four"),
    ],
)
def test_connections_are_the_drivers(instance_type: str, connected: list[list[int] | None]) -> None:
    assert [device["connected_to"] for device in parsed(view(instance_type))] == connected


def test_ring_closes() -> None:
    assert parsed(view("inf2.48xlarge"))[0]["connected_to"] == [11, 1]


# --- topology ---------------------------------------------------------------------------------------------------------


def test_torus_is_drawn_as_the_real_one_draws_it() -> None:
    lines = device_table.topology(instance_types.hardware_of("trn1.32xlarge")).splitlines()
    assert lines[5] == "  *––►[ 0 ]◄––►[ 1 ]◄––►[ 2 ]◄––►[ 3 ]◄––*"  # noqa: RUF001 - as in device_table
    assert sum("►[12 ]◄" in line for line in lines) == 1
    assert lines[-1].strip().endswith("Wrap-around link")


@pytest.mark.parametrize(
    ("instance_type", "line"),
    [
        ("inf2.xlarge", "  [ 0 ]"),
        ("inf1.6xlarge", "  [ 0 ]◄––►[ 1 ]◄––►[ 2 ]◄––►[ 3 ]"),  # noqa: RUF001 - as above
        ("trn3e.24xlarge", "  [ 0 ] [ 1 ] [ 2 ] [ 3 ]"),
    ],
)
def test_other_topologies_are_one_line(instance_type: str, line: str) -> None:
    assert line in device_table.topology(instance_types.hardware_of(instance_type)).splitlines()


# --- facts ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("instance_type", "facts"),
    [
        ("inf1.xlarge", ("inferentia", "v1", "v1")),
        ("inf2.xlarge", ("inferentia2", "v3", "v2")),
        ("trn1.2xlarge", ("trainium", "v2", "v2")),
        ("trn2.48xlarge", ("trainium2", "v4", "v3d")),
        ("trn3.48xlarge", ("trainium3", "v5", "v4d")),
    ],
)
def test_generations_are_named_as_by_neuron_monitor(instance_type: str, facts: tuple[str, str, str]) -> None:
    hardware = instance_types.hardware_of(instance_type)
    named = (
        device_facts.device_type(instance_type),
        device_facts.device_version(instance_type),
        device_facts.core_version(hardware),
    )
    assert named == facts


def test_generation_of_a_type_outside_the_catalogue_is_unknown() -> None:
    hardware = dataclasses.replace(instance_types.hardware_of("trn1.2xlarge"), instance_type="trn9.2xlarge")
    named = (device_facts.device_type("trn9.2xlarge"), device_facts.device_version("trn9.2xlarge"))
    assert (*named, device_facts.core_version(hardware)) == ("unknown",) * 3


@pytest.mark.parametrize("instance_type", instance_types.INSTANCE_TYPES)
def test_addresses_differ(instance_type: str) -> None:
    devices = instance_types.hardware_of(instance_type).devices
    assert len({device_facts.pci_address(device, devices) for device in range(devices)}) == devices


@pytest.mark.parametrize(("numbers", "text_"), [([], ""), ([3], "3"), ([0, 1, 2], "0-2"), ([0, 2, 3, 7], "0,2-3,7")])
def test_ranges_are_short(numbers: list[int], text_: str) -> None:
    assert device_facts.ranges(numbers) == text_
