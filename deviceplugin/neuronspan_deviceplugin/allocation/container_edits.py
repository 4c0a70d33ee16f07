"""What a container that holds cores gets: environment, read-only files of the node, device nodes.

Law: pure; one place decides it, whether it travels as CDI or as plain fields of kubelet's API.
"""

import dataclasses
import itertools
import pathlib
from collections.abc import Iterator, Mapping
from typing import Protocol

from neuronspan import grants, instance_types, names, spans, visible_cores
from neuronspan_deviceplugin.tree import trees

NULL_DEVICE = "/dev/null"
"""What /dev/neuron<n> of a simulated node is: it exists and opens, as code that looks for devices expects.

In a container it is mounted and not made: runc makes no device nodes in a pod with a user namespace
(``hostUsers: false``), where it mounts the node that the host has at this very path instead, and the host of simulated
devices has none.
"""

Nodes = Mapping[int, trees.DeviceNode]
"""The device nodes of the host, by device."""


@dataclasses.dataclass(frozen=True, slots=True)
class Mount:
    """A file of the host that the container sees and cannot change; a device among them is opened, and written to."""

    host_path: str
    container_path: str
    device: bool = False


def environment(span: spans.CoreSpan, mode: grants.EnvMode, numbering: str) -> dict[str, str]:
    """Return the variables that tell a container its cores.

    NEURONSPAN_GRANT is always in node numbering. In count mode NEURON_RT_VISIBLE_CORES is set to nothing, which
    counts as unset, so that a value from the pod's own manifest cannot win.
    """
    if mode is grants.EnvMode.COUNT:
        variables = {names.NUM_CORES_ENV: visible_cores.print_num_cores(span.count), names.VISIBLE_CORES_ENV: ""}
    else:
        shown = span if numbering == names.NODE_NUMBERING else spans.CoreSpan(0, span.count)
        variables = {names.VISIBLE_CORES_ENV: visible_cores.print_visible_cores(shown)}
    return variables | {names.GRANT_ENV: str(span), names.CORE_NUMBERING_ENV: numbering}


def group_environment(grant: grants.Grant | None, span: spans.CoreSpan) -> dict[str, str]:
    """Return NEURONCORE_GROUP_SIZES when the grant asks for it; an init container with fewer cores has no groups."""
    if grant is None or not grant.group_sizes or grant.span != span:
        return {}
    return {names.GROUP_SIZES_ENV: grant.group_sizes}


def cdi_devices(
    span: spans.CoreSpan, mode: grants.EnvMode, hardware: instance_types.Hardware, numbering: str
) -> tuple[str, ...]:
    """Return the CDI device names for a span: its environment, its cores' lock files, the devices it touches."""
    kind = names.CDI_COUNT_KIND if mode is grants.EnvMode.COUNT else names.CDI_CORES_KIND
    return (
        f"{kind}={span}",
        *(f"{names.CDI_CORE_KIND}={core}" for core in span),
        *(f"{names.CDI_DEVICE_KIND}={cdi_name(*each)}" for each in shown_devices(span, hardware, numbering)),
    )


def shown_devices(span: spans.CoreSpan, hardware: instance_types.Hardware, numbering: str) -> Iterator[tuple[int, int]]:
    """Return the devices that the span touches, each with its number in the container."""
    devices = hardware.devices_of(span)
    return zip(devices, devices if numbering == names.NODE_NUMBERING else itertools.count(), strict=False)


def cdi_name(device: int, shown: int) -> str:
    """Return the name of a Neuron device, with the number it has in the container, in the catalogue."""
    return str(device) if device == shown else f"{device}-as-{shown}"


def hardware_mount(node_directory: pathlib.PurePath) -> Mount:
    """Return the mount of the file that describes the node's hardware."""
    return _mount(node_directory, names.HARDWARE_FILE)


def lock_mount(node_directory: pathlib.PurePath, core: int) -> Mount:
    """Return the mount of one core's lock file."""
    return _mount(node_directory, f"{names.CORE_LOCKS_DIRECTORY}/{core}{names.CORE_LOCK_SUFFIX}")


@dataclasses.dataclass(frozen=True, slots=True)
class Layer:
    """A folder of the host that the container sees above what is at that place, which stays visible beside it."""

    host_path: str
    container_path: str


@dataclasses.dataclass(frozen=True, slots=True)
class Device:
    """A device node of the host that the container gets, with the kernel's numbers for it."""

    host_path: str
    container_path: str
    major: int
    minor: int


def device_edit(node: trees.DeviceNode, shown: int) -> Mount | Device:
    """Return how a container gets a Neuron device under this number: a real one is made, a simulated one mounted."""
    path = f"{names.DEVICE_NODE_PREFIX}{shown}"
    if node.path == NULL_DEVICE:
        return Mount(NULL_DEVICE, path, device=True)
    return Device(node.path, path, node.major, node.minor)


@dataclasses.dataclass(frozen=True, slots=True)
class Edits:
    """What one container gets, in full."""

    environment: Mapping[str, str]
    cdi_devices: tuple[str, ...] = ()
    mounts: tuple[Mount, ...] = ()
    devices: tuple[Device, ...] = ()


class EditsMaker(Protocol):
    """How edits travel: as names of CDI devices, or in full."""

    def edits(
        self,
        span: spans.CoreSpan,
        mode: grants.EnvMode,
        variables: Mapping[str, str],
        hardware: instance_types.Hardware,
        numbering: str,
    ) -> Edits:
        """Return what a container with this span gets; ``variables`` is its environment."""


def plain(
    span: spans.CoreSpan,
    variables: Mapping[str, str],
    hardware: instance_types.Hardware,
    numbering: str,
    node_directory: pathlib.PurePath,
    nodes: Nodes,
) -> Edits:
    """Return everything without CDI, for container runtimes that do not know it; raises KeyError without a node."""
    locks = (lock_mount(node_directory, core) for core in span)
    found = [device_edit(nodes[each], shown) for each, shown in shown_devices(span, hardware, numbering)]
    mounts = (each for each in found if isinstance(each, Mount))
    devices = tuple(each for each in found if isinstance(each, Device))
    return Edits(variables, mounts=(hardware_mount(node_directory), *locks, *mounts), devices=devices)


def _mount(node_directory: pathlib.PurePath, name: str) -> Mount:
    return Mount(str(node_directory / name), f"{names.NODE_DIRECTORY}/{name}")
