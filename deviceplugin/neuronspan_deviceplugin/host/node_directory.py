"""The node's directory that containers see parts of: what the hardware is, and a lock file for each core.

Law: the description is replaced as a whole; what cannot be read is no description.
"""

import dataclasses
import json
import pathlib

from neuronspan import errors as domain_errors
from neuronspan import instance_types, names
from neuronspan_deviceplugin.host import files, lock_files

_READABLE = 0o644
_TRAVERSABLE = 0o755
_FORMER_PAGES = "telemetry"
"""Where an older version kept counters: containers that it started may still have them mounted."""


_DETECTED = "detected"


@dataclasses.dataclass(frozen=True, slots=True)
class Described:
    """The hardware of a node, and whether it is real."""

    hardware: instance_types.Hardware
    detected: bool


class NodeDirectory:
    """Usually /run/neuronspan, on memory: it is new after a reboot, as locks and processes are."""

    def __init__(self, path: pathlib.Path, selinux_label: str = "") -> None:
        self.locks = lock_files.LockFiles(path / names.CORE_LOCKS_DIRECTORY, path / _FORMER_PAGES, selinux_label)
        self._path = path
        self._selinux_label = selinux_label

    def write(self, hardware: instance_types.Hardware, *, detected: bool = False) -> None:
        """Describe the hardware and make the lock files that are missing; raises OSError."""
        self._path.mkdir(mode=_TRAVERSABLE, parents=True, exist_ok=True)
        description = hardware.to_dict() | ({_DETECTED: True} if detected else {})
        content = json.dumps(description, sort_keys=True).encode()
        files.write_atomically(self._path / names.HARDWARE_FILE, [content], _READABLE, self._selinux_label)
        self.locks.make_missing(hardware.cores)

    def hardware(self) -> Described | None:
        """Return the hardware described last; None when there is none, or none that can be read."""
        try:
            raw = json.loads((self._path / names.HARDWARE_FILE).read_bytes())
            return Described(instance_types.Hardware.from_dict(raw), detected=raw.get(_DETECTED) is True)
        except (OSError, ValueError, TypeError, domain_errors.InvalidHardware):
            return None
