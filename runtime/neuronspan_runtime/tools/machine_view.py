"""Everything that can be seen of a machine's NeuronCores at one moment: who owns which, and what they count.

The kernel says who owns a core; a page only adds to that, and only when its writer is the owner. So a dead process is
never shown, and one that cannot publish its counters is.

Law: takes no lock and disturbs no process.
"""

import dataclasses
import hashlib
import pathlib
import time
from collections.abc import Callable, Iterable, Mapping

from neuronspan import instance_types, names
from neuronspan_runtime.cores import hardware as machines  # the view's field has the plain name
from neuronspan_runtime.telemetry import page_layout, page_memory, processes
from neuronspan_runtime.tools import lock_owners

UNKNOWN_VERSION = "NA"
"""What neuron-ls prints for a process whose runtime version is not known."""


@dataclasses.dataclass(frozen=True)
class CoreOwner:
    """A process that owns cores."""

    pid: int
    """In the reader's PID namespace."""
    cores: tuple[int, ...]
    """Node numbering, ascending."""
    command: str
    """Empty when the reader may not know it."""
    pages: Mapping[int, page_layout.Page] = dataclasses.field(default_factory=dict)
    """Of each core that has one, at the moment of the view."""
    process: processes.Process | None = None
    """Times and host memory; None when the reader may not know them."""

    @property
    def header(self) -> page_layout.Header | None:
        """What the process says of itself."""
        return next((page.header for page in self.pages.values()), None)

    @property
    def tag(self) -> str:
        """NEURON_PROCESS_TAG, or the PID."""
        header = self.header
        return header.tag if header and header.tag != str(header.pid) else str(self.pid)

    @property
    def runtime_version(self) -> str:
        """Version of its runtime, NA when it does not say."""
        return self.header.runtime_version if self.header else UNKNOWN_VERSION


@dataclasses.dataclass(frozen=True)
class MachineView:
    """The machine at one moment."""

    hardware: instance_types.Hardware
    cores: tuple[int, ...]
    """The cores that can be seen, node numbering: in a pod those that were granted to the container."""
    owners: tuple[CoreOwner, ...]
    """By PID."""
    moment: int
    """Nanoseconds of the monotonic clock."""
    instance_id: str
    """Made up, but the same for all readers on this machine."""
    shown: machines.Numbering = machines.NODE_NUMBERING
    """How the reader is told of cores and devices."""

    @property
    def devices(self) -> Mapping[int, tuple[int, ...]]:
        """The cores that can be seen of each device that can."""
        per_device: dict[int, tuple[int, ...]] = {}
        for core in self.cores:
            device = self.hardware.device_of(core)
            per_device[device] = (*per_device.get(device, ()), core)
        return per_device

    @property
    def complete(self) -> bool:
        """Whether all of the machine can be seen, as outside of a pod."""
        return len(self.cores) == self.hardware.cores

    def owner_of(self, core: int) -> CoreOwner | None:
        """Return who owns a core."""
        return next((owner for owner in self.owners if core in owner.cores), None)

    def owners_on(self, cores: Iterable[int]) -> tuple[CoreOwner, ...]:
        """Return who owns any of these cores."""
        wanted = frozenset(cores)
        return tuple(owner for owner in self.owners if wanted.intersection(owner.cores))


def look(
    machine: machines.Machine,
    *,
    proc: pathlib.Path = processes.PROC,
    clock: Callable[[], int] = time.monotonic_ns,
) -> MachineView:
    """Return what is there at this moment."""
    visible = _visible(machine)
    held = _held(machine, visible, proc)
    owners = tuple(_owner(machine, pid, cores, proc) for pid, cores in sorted(held.items()))
    return MachineView(machine.hardware, visible, owners, clock(), _instance_id(machine, proc), machine.shown)


def _visible(machine: machines.Machine) -> tuple[int, ...]:
    """Outside of a pod lock files appear when a core is first claimed; in one they are what is granted."""
    cores = range(machine.hardware.cores)
    if not machine.prepared:
        return tuple(cores)
    return tuple(core for core in cores if all(path.exists() for path in machine.lock_files(core)))


def _held(machine: machines.Machine, cores: Iterable[int], proc: pathlib.Path) -> dict[int, tuple[int, ...]]:
    """Return the cores of each owner; a process that joins cores in another way may own a part of one."""
    files = {(core, part): path for core in cores for part, path in enumerate(machine.lock_files(core))}
    held: dict[int, set[int]] = {}
    for (core, _), pid in lock_owners.owners(files, proc).items():
        held.setdefault(pid, set()).add(core)
    return {pid: tuple(sorted(owned)) for pid, owned in held.items()}


def _owner(machine: machines.Machine, pid: int, cores: tuple[int, ...], proc: pathlib.Path) -> CoreOwner:
    process = processes.read(pid, proc)
    found = page_memory.read(machine, pid, cores, proc)
    pages = {core: page for core, page in found.items() if _written_by(page, process)}
    return CoreOwner(pid, cores, processes.command(pid, proc), pages, process)


def _written_by(page: page_layout.Page, process: processes.Process | None) -> bool:
    """Whether the owner wrote the page, or a process that it was forked from; when it began tells them apart."""
    return process is None or page.header.start_ticks == process.start_ticks


def _instance_id(machine: machines.Machine, proc: pathlib.Path) -> str:
    """Make up an ID that is the same in all containers of a node and differs between nodes on one kernel."""
    try:
        boot = (proc / "sys/kernel/random/boot_id").read_text()
    except OSError:
        boot = ""
    described = machine.directory / names.HARDWARE_FILE if machine.prepared else machine.directory
    try:
        status = described.stat()
        place = f"{status.st_dev}:{status.st_ino}"
    except OSError:
        place = ""
    return "i-0" + hashlib.sha256(f"{boot}{place}".encode()).hexdigest()[:16]
