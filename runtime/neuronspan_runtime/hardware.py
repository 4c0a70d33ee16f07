"""The machine this process runs on, and the directory its processes share.

In a pod both come from the node directory that the device plugin mounts; elsewhere the environment names an instance
type to simulate and the directory is this user's own.
"""

import dataclasses
import json
import os
import pathlib
import stat
import tempfile

from neuronspan import errors as domain_errors
from neuronspan import instance_types, names
from neuronspan_runtime import environment, errors

NODE_DIRECTORY = pathlib.Path(names.NODE_DIRECTORY)
"""What the device plugin mounts into every container that holds cores."""

DEFAULT_INSTANCE_TYPE = "trn1.32xlarge"


@dataclasses.dataclass(frozen=True)
class Machine:
    """What the process sees of the machine."""

    hardware: instance_types.Hardware
    directory: pathlib.Path
    """Holds `cores/<n>.lock`, one per NeuronCore, node numbering."""
    prepared: bool
    """Laid out by the device plugin: a core without a lock file is not this container's, and none is made."""

    def lock_file(self, core: int) -> pathlib.Path:
        """Return the file whose lock is the ownership of this core."""
        return self.core_directory / f"{core}{names.CORE_LOCK_SUFFIX}"

    @property
    def core_directory(self) -> pathlib.Path:
        """The directory of all lock files."""
        return self.directory / names.CORE_LOCKS_DIRECTORY


def find(settings: environment.Environment, node_directory: pathlib.Path = NODE_DIRECTORY) -> Machine:
    """Describe the machine. Raises HardwareUnknown when the description or the directory cannot be used."""
    laid_out = next(
        (d for d in (node_directory, settings.state_directory) if d is not None and (d / names.HARDWARE_FILE).exists()),
        None,
    )
    if laid_out is not None:
        machine = Machine(_described(laid_out / names.HARDWARE_FILE, settings), laid_out, prepared=True)
    else:
        hardware = _named(settings.instance_type or DEFAULT_INSTANCE_TYPE, settings.logical_core_size)
        machine = Machine(hardware, _own_directory(settings.state_directory), prepared=False)
    if settings.grant is not None and settings.grant.end > machine.hardware.cores:
        raise errors.HardwareUnknown(
            f"the grant {settings.grant} is not on this machine: "
            f"{machine.hardware.instance_type} has NeuronCores 0-{machine.hardware.cores - 1}"
        )
    return machine


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
    """Make the state directory; one that this process chose itself must be this user's and nobody else's."""
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
            f"{directory} belongs to somebody else or is open to others: "
            f"set {names.STATE_DIRECTORY_ENV} to a directory of your own"
        )
    return directory
