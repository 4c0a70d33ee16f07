"""Parts of a simulated node for tests of the plugin: device nodes, what CDI entries name, hardware, its manager."""

import pathlib
from collections.abc import Iterable

from kits.kubelet import lock_table
from neuronspan import instance_types, names
from neuronspan_agent import signals
from neuronspan_deviceplugin import metrics
from neuronspan_deviceplugin.allocation import container_edits, resource_manager
from neuronspan_deviceplugin.host import cdi
from neuronspan_deviceplugin.tree import drivers, generating, trees

RUN = pathlib.Path("/run/neuronspan")
NULL = trees.DeviceNode("/dev/null", 1, 3)


def nodes(devices: int = instance_types.MOST_DEVICES) -> dict[int, trees.DeviceNode]:
    """Return the device nodes of so many simulated devices."""
    return dict.fromkeys(range(devices), NULL)


def named(hardware: instance_types.Hardware | None = None, *layers: container_edits.Layer) -> cdi.Node:
    """Return what the entries of a catalogue name; without hardware, of as many devices as a node can have."""
    return cdi.Node(RUN, nodes(hardware.devices if hardware else instance_types.MOST_DEVICES), layers)


class MadeHardware:
    """A node's tree that is nowhere written."""

    def __init__(self, hardware: instance_types.Hardware, driver: drivers.Driver = drivers.NEWEST) -> None:
        self._hardware, self._driver = hardware, driver

    def look(self, broken: Iterable[generating.Fault]) -> trees.Seen:
        """Return the tree with these faults."""
        return trees.seen(generating.generate(self._hardware, self._driver, broken), nodes(self._hardware.devices))


def manager(
    hardware: instance_types.Hardware,
    look: resource_manager.Look = lambda uids: dict.fromkeys(uids, False),
    meters: metrics.Metrics | None = None,
) -> resource_manager.ResourceManager:
    """Return the manager of a node whose locks are free and whose clock stands; ``look`` finds no pod alive."""
    return resource_manager.ResourceManager(
        hardware,
        names.NODE_NUMBERING,
        catalogue=cdi.NoCatalogue(named(hardware)),
        locks=lock_table.LockTable(),
        look=look,
        clock=lambda: 0.0,
        changed=signals.Signal(),
        meters=meters or metrics.Metrics(),
    )
