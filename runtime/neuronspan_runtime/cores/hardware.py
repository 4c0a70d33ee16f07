"""The machine this process runs on, and the directory its processes share.

In a pod both come from the node directory that the device plugin mounts; elsewhere the environment names an instance
type to simulate and the directory is this user's own.

Law: describes and claims nothing; in a pod it makes no file.
"""

import dataclasses
import json
import os
import pathlib
import stat
import tempfile

from neuronspan import errors as domain_errors
from neuronspan import instance_types, names, spans
from neuronspan_runtime import environment, errors, nrt_status

NODE_DIRECTORY = pathlib.Path(names.NODE_DIRECTORY)
"""What the device plugin mounts into every container that holds cores."""

DEFAULT_INSTANCE_TYPE = "trn1.32xlarge"


@dataclasses.dataclass(frozen=True)
class Numbering:
    """By which numbers a process is told of cores and devices: the node's, or those of its container, from 0 on.

    What AWS's device plugin mounts is numbered from 0; what the hardware says of itself is not: links between devices
    and PCI addresses stay the node's (a neuron-ls in a pod on trn2.48xlarge: device 0 is connected to 12, 1, 9, 14).
    """

    first_core: int = 0
    first_device: int = 0

    def core(self, core: int) -> int:
        """Return what the process calls this core of the node."""
        return core - self.first_core

    def device(self, device: int) -> int:
        """Return what the process calls this device of the node."""
        return device - self.first_device


NODE_NUMBERING = Numbering()


@dataclasses.dataclass(frozen=True)
class Machine:
    """What the process sees of the machine."""

    hardware: instance_types.Hardware
    directory: pathlib.Path
    """Holds `cores/<n>.lock`, one per NeuronCore, node numbering."""
    prepared: bool
    """Laid out by the device plugin: a core without a lock file is not this container's, and none is made."""
    scope: spans.CoreSpan
    """The cores that this process may see: its grant, or all."""
    locks_per_core: int = 1
    """Lock files of one core: a node's count the cores that the node shows, a simulated machine's physical ones."""
    shown: Numbering = NODE_NUMBERING
    """How the process is told of cores and devices."""

    def lock_files(self, core: int) -> tuple[pathlib.Path, ...]:
        """Return the files whose locks, together, are the ownership of this core."""
        first = self.first_lock(core)
        return tuple(self._lock_file(first + part) for part in range(self.locks_per_core))

    def first_lock(self, core: int) -> int:
        """Return the number of the core's first lock file: the same for all who join cores otherwise."""
        return core * self.locks_per_core

    def _lock_file(self, number: int) -> pathlib.Path:
        return self.core_directory / f"{number}{names.CORE_LOCK_SUFFIX}"

    @property
    def core_directory(self) -> pathlib.Path:
        """The directory of all lock files."""
        return self.directory / names.CORE_LOCKS_DIRECTORY


def find(settings: environment.Environment, node_directory: pathlib.Path = NODE_DIRECTORY) -> Machine:
    """Describe the machine as this process sees it.

    Raises HardwareUnknown when the description or the directory cannot be used, StartRefused when the grant does not
    begin and end where the joined cores of this process do.
    """
    laid_out = next(
        (d for d in (node_directory, settings.state_directory) if d is not None and (d / names.HARDWARE_FILE).exists()),
        None,
    )
    if laid_out is not None:
        node = _described(laid_out / names.HARDWARE_FILE, settings)
        joined = _joined(node, settings.logical_config)
        locks = joined.logical_core_size // node.logical_core_size
        scope = _scope(_granted(settings.grant, node), joined, locks)
        shown = _numbering(settings, scope, joined)
        return Machine(joined, laid_out, prepared=True, scope=scope, locks_per_core=locks, shown=shown)
    hardware = _simulated(settings)
    scope = _granted(settings.grant, hardware)
    return Machine(
        hardware,
        _own_directory(settings.state_directory),
        prepared=False,
        scope=scope,
        locks_per_core=hardware.logical_core_size,
        shown=_numbering(settings, scope, hardware),
    )


def _numbering(
    settings: environment.Environment, scope: spans.CoreSpan, hardware: instance_types.Hardware
) -> Numbering:
    if settings.numbering == names.NODE_NUMBERING or settings.grant is None:
        return NODE_NUMBERING
    return Numbering(scope.first, hardware.device_of(scope.first))


def _granted(grant: spans.CoreSpan | None, hardware: instance_types.Hardware) -> spans.CoreSpan:
    if grant is None:
        return spans.CoreSpan(0, hardware.cores)
    if grant.end > hardware.cores:
        raise errors.HardwareUnknown(
            f"the grant {grant} is not on this machine: {hardware.instance_type} has NeuronCores 0-{hardware.cores - 1}"
        )
    return grant


def _joined(node: instance_types.Hardware, size: int | None) -> instance_types.Hardware:
    """Return the node as a process sees it that joins its cores further than the node does."""
    if size is None or size == node.logical_core_size or not node.can_join_cores:
        return node
    times, rest = divmod(size, node.logical_core_size)
    if rest or node.cores_per_device % times:
        raise errors.HardwareUnknown(
            f"this node shows NeuronCores of {node.logical_core_size} physical cores each, which cannot be parted: "
            f"leave {' and '.join(environment.LOGICAL_CONFIG_ENVS)} unset, or set them to {node.logical_core_size}"
        )
    return dataclasses.replace(
        node,
        cores_per_device=node.cores_per_device // times,
        logical_core_size=size,
        hbm_bytes_per_core=node.hbm_bytes_per_core * times,
    )


def _scope(granted: spans.CoreSpan, joined: instance_types.Hardware, locks: int) -> spans.CoreSpan:
    if granted.first % locks or granted.count % locks:
        raise errors.StartRefused(
            f"Cannot start process with LNC Size of {joined.logical_core_size}. "
            "Its cores must begin and end at a multiple of it: "
            f"{names.VISIBLE_CORES_ENV}={granted.first}-{granted.last}",
            status=nrt_status.NrtStatus.INVALID,
        )
    return spans.CoreSpan(granted.first // locks, granted.count // locks)


def _simulated(settings: environment.Environment) -> instance_types.Hardware:
    """Return the named machine; a process may join its cores in another way than the machine does by itself."""
    hardware = _named(settings.instance_type or DEFAULT_INSTANCE_TYPE, settings.logical_core_size)
    if settings.logical_config is None or not hardware.can_join_cores:
        return hardware
    return _named(hardware.instance_type, settings.logical_config)


def _described(path: pathlib.Path, settings: environment.Environment) -> instance_types.Hardware:
    try:
        hardware = instance_types.Hardware.from_dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, TypeError, ValueError, domain_errors.NeuronspanError) as error:  # TypeError: JSON, but no object
        raise errors.HardwareUnknown(f"{path} does not describe a machine: {error}") from error
    if settings.instance_type not in {"", hardware.instance_type}:
        raise errors.HardwareUnknown(
            f"this node is a {hardware.instance_type}, but {names.INSTANCE_TYPE_ENV} says {settings.instance_type}: "
            "leave it unset in a pod"
        )
    return hardware


def _named(instance_type: str, logical_core_size: int | None) -> instance_types.Hardware:
    try:
        return instance_types.hardware_of(instance_type, logical_core_size)
    except domain_errors.NeuronspanError as error:
        raise errors.HardwareUnknown(str(error)) from error


def _own_directory(named: pathlib.Path | None) -> pathlib.Path:
    """Make the state directory; one that this process chose itself must be this user's alone."""
    directory = named or pathlib.Path(tempfile.gettempdir()) / f"neuronspan-{os.getuid()}"
    try:
        directory.mkdir(mode=0o700, parents=named is not None, exist_ok=True)
        (directory / names.CORE_LOCKS_DIRECTORY).mkdir(mode=0o700, exist_ok=True)
        status = directory.lstat()
    except OSError as error:
        raise errors.HardwareUnknown(f"the state directory {directory} cannot be made: {error}") from error
    private = stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid() and not status.st_mode & 0o022
    if named is None and not private:
        raise errors.HardwareUnknown(
            f"{directory} belongs to another user or is open to others: "
            f"set {names.STATE_DIRECTORY_ENV} to a directory of your own"
        )
    return directory
