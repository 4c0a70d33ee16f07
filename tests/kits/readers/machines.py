"""A container that sees a generated tree where a kernel's own would be, and the programs of the readers' image.

The engine mounts the overlays that the device plugin asks the container runtime for in a cluster: read-only, the tree
above what the kernel shows.
"""

import contextlib
import dataclasses
import pathlib
from collections.abc import Iterator

from cluster import process, reader_image
from neuronspan import instance_types, names
from neuronspan_deviceplugin.host import simulated_tree
from neuronspan_deviceplugin.tree import drivers, generating

SECONDS = 60.0
NOBODY = 65534
ROOT = 0


@dataclasses.dataclass(frozen=True)
class Kind:
    """One kind of node."""

    hardware: instance_types.Hardware
    driver: drivers.Driver

    @property
    def user(self) -> int:
        """Who may read everything there: with older drivers the number of cores is for root only."""
        return NOBODY if self.driver.core_count_mode & 0o004 else ROOT

    def __str__(self) -> str:
        """Return a name for a test."""
        return f"{self.hardware.instance_type}-{self.hardware.logical_core_size}-{self.driver.version}"


@dataclasses.dataclass(frozen=True)
class Machine:
    """A container that runs, and what it shows; ``root`` is the tree."""

    kind: Kind
    root: pathlib.Path
    container: str

    def run(self, *command: str, user: int | None = None) -> str:
        """Return what a program prints there; raises CommandFailed with what it complains of."""
        who = self.kind.user if user is None else user
        return process.run(["docker", "exec", f"--user={who}:{who}", self.container, *command], timeout=SECONDS)


@contextlib.contextmanager
def running(kind: Kind, folder: pathlib.Path) -> Iterator[Machine]:
    """Write the tree below ``folder`` and show it for as long as the context lasts."""
    hardware = kind.hardware
    tree = simulated_tree.written(
        folder, lambda: generating.files(hardware, kind.driver), generating.links(hardware), alone=True
    )
    command = ["docker", "run", "--detach", "--rm", "--init", "--network=none"]
    command += [f"--mount={_overlay(source, place)}" for source, place in tree.shown]
    command += [f"--device=/dev/null:/dev/neuron{index}" for index in range(kind.hardware.devices)]
    settings = {
        names.INSTANCE_TYPE_ENV: kind.hardware.instance_type,
        "NEURON_LOGICAL_NC_CONFIG": str(kind.hardware.logical_core_size),
    }
    command += [f"--env={name}={value}" for name, value in settings.items()]
    container = process.run([*command, reader_image.reference(), "sleep", "infinity"], timeout=SECONDS).strip()
    try:
        yield Machine(kind, tree.root, container)
    finally:
        process.run(["docker", "rm", "--force", "--volumes", container], timeout=SECONDS)


def _overlay(source: str, place: str) -> str:
    options = {"type": "overlay", "device": "overlay", "o": f"lowerdir={source}:{place}"}
    asked = ",".join(f"volume-opt={name}={value}" for name, value in options.items())
    return f"type=volume,destination={place},volume-driver=local,{asked}"
