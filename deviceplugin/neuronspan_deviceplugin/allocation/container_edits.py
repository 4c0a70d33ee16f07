"""What a container that holds cores gets: environment, read-only files of the node, device nodes.

Law: pure; one place decides it, whether it travels as CDI or as plain fields of kubelet's API.
"""

import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Protocol

from neuronspan import grants, instance_types, names, spans, visible_cores

NULL_MAJOR, NULL_MINOR = 1, 3
"""/dev/neuron<n> is a copy of /dev/null: it exists and opens, as code that looks for devices expects."""
NULL_DEVICE = "/dev/null"


@dataclasses.dataclass(frozen=True, slots=True)
class Mount:
    """A file of the host that the container sees and cannot write to."""

    host_path: str
    container_path: str


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


def cdi_devices(span: spans.CoreSpan, mode: grants.EnvMode, hardware: instance_types.Hardware) -> tuple[str, ...]:
    """Return the CDI device names for a span: its environment, its cores' lock files, the devices it touches."""
    kind = names.CDI_COUNT_KIND if mode is grants.EnvMode.COUNT else names.CDI_CORES_KIND
    return (
        f"{kind}={span}",
        *(f"{names.CDI_CORE_KIND}={core}" for core in span),
        *(f"{names.CDI_DEVICE_KIND}={device}" for device in hardware.devices_of(span)),
    )


def hardware_mount(node_directory: pathlib.PurePath) -> Mount:
    """Return the mount of the file that describes the node's hardware."""
    return _mount(node_directory, names.HARDWARE_FILE)


def lock_mount(node_directory: pathlib.PurePath, core: int) -> Mount:
    """Return the mount of one core's lock file."""
    return _mount(node_directory, f"{names.CORE_LOCKS_DIRECTORY}/{core}{names.CORE_LOCK_SUFFIX}")


def device_path(device: int) -> str:
    """Return the path of a Neuron device in the container."""
    return f"{names.DEVICE_NODE_PREFIX}{device}"


@dataclasses.dataclass(frozen=True, slots=True)
class Edits:
    """What one container gets, in full."""

    environment: Mapping[str, str]
    cdi_devices: tuple[str, ...] = ()
    mounts: tuple[Mount, ...] = ()
    devices: tuple[str, ...] = ()


class EditsMaker(Protocol):
    """How edits travel: as names of CDI devices, or in full."""

    def edits(
        self,
        span: spans.CoreSpan,
        mode: grants.EnvMode,
        variables: Mapping[str, str],
        hardware: instance_types.Hardware,
    ) -> Edits:
        """Return what a container with this span gets; ``variables`` is its environment."""


def plain(
    span: spans.CoreSpan,
    variables: Mapping[str, str],
    hardware: instance_types.Hardware,
    node_directory: pathlib.PurePath,
) -> Edits:
    """Return everything without CDI, for container runtimes that do not know it."""
    locks = (lock_mount(node_directory, core) for core in span)
    devices = tuple(map(device_path, hardware.devices_of(span)))
    return Edits(variables, mounts=(hardware_mount(node_directory), *locks), devices=devices)


def _mount(node_directory: pathlib.PurePath, name: str) -> Mount:
    return Mount(str(node_directory / name), f"{names.NODE_DIRECTORY}/{name}")
