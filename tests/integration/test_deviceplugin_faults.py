"""A real plugin process on the files of real devices: each kind of fault reaches kubelet, and so does its end.

What happened when is what kubelet and API server noted as it reached them; nothing waits for a clock.
"""

import pathlib
import time

import pytest

from kits.kubelet import plugin_process
from neuronspan import instance_types, names, spans
from neuronspan_deviceplugin.host import simulated_tree
from neuronspan_deviceplugin.tree import drivers, faults, generating, layout

HARDWARE = instance_types.hardware_of("trn2.3xlarge")  # one device with four cores of two: it lists its components
SETTLED_SECONDS = 20.0
"""For a fault that the plugin looks for once a second: on a machine whose CPUs others have, ten times as long. How long
the plugin itself waits is measured without a clock, in tests/unit/deviceplugin/test_health_in_time.py."""


class Devices:
    """What the kernel shows of real devices: files, and links to devices of every machine in place of their nodes."""

    def __init__(self, folder: pathlib.Path) -> None:
        self._tree = simulated_tree.written(
            folder, lambda: generating.files(HARDWARE, drivers.NEWEST), generating.links(HARDWARE), alone=True
        )
        node = self._tree.root / layout.DEVICE_NODES / "neuron0"
        node.unlink()
        node.symlink_to("/dev/zero")  # /dev/null is what simulated devices are

    @property
    def flags(self) -> tuple[str, ...]:
        """Where the plugin finds them."""
        roots = self._tree.roots
        return (
            f"--sysfs-root={roots.sysfs}",
            f"--dev-root={roots.dev}",
            f"--dmi-root={roots.dmi}",
            f"--logical-cores-file={roots.logical_cores}",
        )

    def tell(self, *broken: generating.Fault) -> None:
        """Let the driver count and list these faults, and no others."""
        self._tree.tell(generating.health(HARDWARE, drivers.NEWEST, broken))


async def _until_told(machine: plugin_process.Machine, cores: set[int]) -> None:
    """Wait until the status has these cores as unhealthy."""

    def told() -> bool:
        return {each["index"] for each in machine.status.get("cores") or () if not each["healthy"]} == cores

    await machine.until(told)


async def _until_kubelet_has(machine: plugin_process.Machine, cores: int) -> float:
    """Wait until kubelet counts so many healthy cores; return when it did."""
    while machine.kubelet.allocatable(names.CORE_RESOURCE) != cores:
        await machine.kubelet.changed.beyond(machine.kubelet.changed.version)
    return time.monotonic()


@pytest.mark.timeout(120)
async def test_fault_of_each_kind_reaches_kubelet_and_the_status_and_so_does_its_end(tmp_path: pathlib.Path) -> None:
    devices = Devices(tmp_path)
    detected = {"detect": {"instanceType": ""}, "coreNumbering": names.CONTAINER_NUMBERING, "grants": []}
    async with plugin_process.machine(spec=detected) as machine, machine.starting(*devices.flags):
        await machine.until(lambda: machine.status.get("detected"))
        machine.edit(hardware=HARDWARE.to_dict(), cores=HARDWARE.cores)
        await machine.registered()
        for kind in faults.FaultKind:
            struck = {1} if kind in faults.CORE_COUNTERS else set(range(HARDWARE.cores))
            written = time.monotonic()
            devices.tell(generating.Fault(spans.CoreSpan(1, 1), kind))
            assert await _until_kubelet_has(machine, HARDWARE.cores - len(struck)) - written < SETTLED_SECONDS
            await _until_told(machine, struck)
            written = time.monotonic()
            devices.tell()
            assert await _until_kubelet_has(machine, HARDWARE.cores) - written < SETTLED_SECONDS
            await _until_told(machine, set())
