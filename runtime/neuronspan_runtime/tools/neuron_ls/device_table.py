"""What neuron-ls prints: the table, the topology and the JSON of one look.

Columns, order, widths and JSON keys are those of AWS's neuron-ls (its user guide, and its output on trn1.2xlarge,
inf2.xlarge and trn2.48xlarge; the JSON of newest ones on trn2.3xlarge). In a container the real one shows the exposed
devices only, from 0 on, and no connections but in the JSON, where they are the node's.

Law: pure; a view in, text out.
"""

import dataclasses
import json
from collections.abc import Iterable, Sequence
from typing import Any

from neuronspan import instance_types, topologies
from neuronspan_runtime.tools import device_facts, machine_view

NARROW_COMMAND = 40
WIDE_COMMAND = 80
"""Longest command that the table shows whole, without and with --wide."""


_LINK, _WRAP, _UNWRAP = "◄––►", "*––►", "◄––*"  # noqa: RUF001 - as the real one draws them


@dataclasses.dataclass(frozen=True)
class Row:
    """A process that uses a device."""

    pid: int
    command: str
    version: str


@dataclasses.dataclass(frozen=True)
class ListedDevice:
    """A device and its processes."""

    index: int
    """Node numbering."""
    cores: tuple[int, ...]
    """Those that can be seen, node numbering."""
    rows: tuple[Row, ...]


def devices_of(view: machine_view.MachineView, also: Row | None = None) -> tuple[ListedDevice, ...]:
    """Return the devices with the processes on each; `also` is a process that has all of them open and owns none."""
    return tuple(
        ListedDevice(
            index,
            cores,
            (
                *(Row(owner.pid, owner.command, owner.runtime_version) for owner in view.owners_on(cores)),
                *([also] if also else []),
            ),
        )
        for index, cores in view.devices.items()
    )


def as_json(view: machine_view.MachineView, devices: Sequence[ListedDevice], cpus: str) -> str:
    """Return the JSON text of --json-output. `cpus` is the list of CPUs that are near the devices."""
    return json.dumps([_json_device(view, device, cpus) for device in devices], indent=4)


def _json_device(view: machine_view.MachineView, device: ListedDevice, cpus: str) -> dict[str, Any]:
    hardware = view.hardware
    return {
        "instance_type": hardware.instance_type,
        "instance_id": view.instance_id,
        "neuron_device": view.shown.device(device.index),
        "bdf": device_facts.pci_address(device.index, hardware.devices),
        "cpu_affinity": cpus,
        "numa_node": device_facts.NO_NUMA_NODE,
        "connected_to": list(hardware.connected_to(device.index)) or None,
        "nc_count": len(device.cores),
        "logical_neuroncore_config": hardware.logical_core_size,
        "memory_size": device_facts.memory_bytes(hardware),
        "neuroncore_ids": list(map(view.shown.core, device.cores)),
        "neuron_processes": [
            {"pid": row.pid, "command": row.command, "neuron_runtime_version": row.version} for row in device.rows
        ],
    }


def as_text(view: machine_view.MachineView, devices: Sequence[ListedDevice], cpus: str, *, wide: bool) -> str:
    """Return the header lines and the table."""
    return "\n".join([*_header(view), *_table(_columns(view, devices, cpus, wide=wide), devices)])


def _header(view: machine_view.MachineView) -> list[str]:
    lines = [f"instance-type: {view.hardware.instance_type}", f"instance-id: {view.instance_id}"]
    if view.hardware.can_join_cores:
        lines.append(f"logical-neuroncore-config: {view.hardware.logical_core_size}")
    return lines


@dataclasses.dataclass(frozen=True)
class _Column:
    heading: tuple[str, str]
    cells: tuple[tuple[str, ...], ...]
    """Of each device, one for each of its lines; those of a device are only on its first."""

    @property
    def width(self) -> int:
        return max(map(len, [*self.heading, *(text for texts in self.cells for text in texts)]))


def _columns(
    view: machine_view.MachineView, devices: Sequence[ListedDevice], cpus: str, *, wide: bool
) -> list[_Column]:
    hardware = view.hardware
    memory = f"{device_facts.memory_bytes(hardware) // 2**30} GB"
    connected = [", ".join(map(str, hardware.connected_to(device.index))) for device in devices]

    def of_device(first: str, second: str, texts: Iterable[str]) -> _Column:
        return _Column((first, second), tuple((text,) for text in texts))

    def of_process(first: str, second: str, texts: Iterable[Iterable[str]]) -> _Column:
        return _Column((first, second), tuple(map(tuple, texts)))

    columns = [
        of_device("NEURON", "DEVICE", (str(view.shown.device(device.index)) for device in devices)),
        of_device("NEURON", "CORES", (str(len(device.cores)) for device in devices)),
        of_device("NEURON", "CORE IDS", (_core_ids(view, device) for device in devices)),
        of_device("NEURON", "MEMORY", (memory for _ in devices)),
    ]
    if view.complete and any(connected):
        columns.append(of_device("CONNECTED", "DEVICES", connected))
    addresses = (device_facts.pci_address(device.index, hardware.devices) for device in devices)
    columns.append(of_device("PCI", "BDF", addresses))
    used = any(device.rows for device in devices)
    if used:
        columns.append(of_process("PID", "", ((str(row.pid) for row in device.rows) for device in devices)))
    columns += [
        of_device("CPU", "AFFINITY", (cpus for _ in devices)),
        of_device("NUMA", "NODE", (device_facts.NO_NUMA_NODE for _ in devices)),
    ]
    if used:
        longest = WIDE_COMMAND if wide else NARROW_COMMAND
        columns += [
            of_process("COMMAND", "", ((_cut(row.command, longest) for row in device.rows) for device in devices)),
            of_process("RUNTIME", "VERSION", ((row.version for row in device.rows) for device in devices)),
        ]
    return columns


def _core_ids(view: machine_view.MachineView, device: ListedDevice) -> str:
    return device_facts.ranges(tuple(map(view.shown.core, device.cores)))


def _cut(command: str, longest: int) -> str:
    return command if len(command) <= longest else command[: longest - 3] + "..."


def _table(columns: Sequence[_Column], devices: Sequence[ListedDevice]) -> Iterable[str]:
    """Yield the lines; devices are set apart when one of them has several processes."""
    rule = "+" + "+".join("-" * (column.width + 2) for column in columns) + "+"
    apart = any(len(device.rows) > 1 for device in devices)
    yield rule
    for half in range(2):
        yield _line(column.heading[half].center(column.width) for column in columns)
    yield rule
    for index, device in enumerate(devices):
        for line in range(max(1, len(device.rows))):
            yield _line(_cell(column, index, line).ljust(column.width) for column in columns)
        if apart:
            yield rule
    if not apart:
        yield rule


def _cell(column: _Column, device: int, line: int) -> str:
    texts = column.cells[device]
    return texts[line] if line < len(texts) else ""


def _line(cells: Iterable[str]) -> str:
    return "|" + "|".join(f" {cell} " for cell in cells) + "|"


def topology(hardware: instance_types.Hardware) -> str:
    """Draw how the devices are wired to each other."""
    match hardware.topology:
        case topologies.Topology.TORUS if hardware.connected_to(0):
            picture, legend = _torus(hardware), f"{_WRAP} = Wrap-around link"
        case topologies.Topology.RING:
            picture, legend = [_around(range(hardware.devices))], f"{_WRAP} = Wrap-around link"
        case topologies.Topology.LINE:
            picture, legend = [_chain(range(hardware.devices))], ""
        case topologies.Topology.SWITCH:
            picture, legend = [" ".join(map(_box, range(hardware.devices)))], "all devices are wired to a switch"
        case _:
            picture, legend = [" ".join(map(_box, range(hardware.devices)))], ""
    lines = ["", "Neuron Device Topology", *(f"  {line.rstrip()}" for line in picture)]
    return "\n".join([*lines, "", "Legend:", "", f"         {legend}"] if legend else lines)


def _box(device: int) -> str:
    return f"[{f'{device:>2}':<3}]"


def _chain(devices: Iterable[int]) -> str:
    return _LINK.join(map(_box, devices))


def _around(devices: Iterable[int]) -> str:
    return f"{_WRAP}{_chain(devices)}{_UNWRAP}"


def _torus(hardware: instance_types.Hardware) -> list[str]:
    side = 4
    ends, up, bar, down = ("      " + (mark + " " * 8) * side for mark in "*▲│▼")
    lines = [ends, bar, down]
    for first in range(0, hardware.devices, side):
        lines.append(_around(range(first, first + side)))
        lines += [up, bar, down] if first + side < hardware.devices else [up, bar, ends]
    return lines
