"""A real plugin process on the files of real devices: each kind of fault reaches kubelet, and so does its end.

How long the plugin itself waits is measured without a clock, in tests/unit/deviceplugin/test_health_in_time.py.
"""

import functools
import pathlib

import pytest

from kits.kubelet import plugin_process
from neuronspan import instance_types, names, spans
from neuronspan_deviceplugin.host import simulated_tree
from neuronspan_deviceplugin.tree import drivers, faults, generating, layout

HARDWARE = instance_types.hardware_of("trn2.3xlarge")  # one device with four cores of two: it lists its components


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


def _unhealthy(machine: plugin_process.Machine) -> dict[int, str]:
    cores = machine.status.get("cores") or ()
    return {each["index"]: each["reason"] for each in cores if not each["healthy"]}


def _are_unhealthy(machine: plugin_process.Machine, cores: set[int]) -> bool:
    return set(_unhealthy(machine)) == cores


async def _until_kubelet_has(machine: plugin_process.Machine, cores: int) -> None:
    """Wait until kubelet counts so many healthy cores."""
    while machine.kubelet.allocatable(names.CORE_RESOURCE) != cores:
        await machine.kubelet.changed.beyond(machine.kubelet.changed.version)


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
            devices.tell(generating.Fault(spans.CoreSpan(1, 1), kind))
            await _until_kubelet_has(machine, HARDWARE.cores - len(struck))
            await machine.until(functools.partial(_are_unhealthy, machine, struck))
            devices.tell()
            await _until_kubelet_has(machine, HARDWARE.cores)
            await machine.until(functools.partial(_are_unhealthy, machine, set()))
        assert machine.kubelet.allocatable(names.CORE_RESOURCE) == HARDWARE.cores
