"""Parts of a simulated node for tests of the plugin's parts: its device nodes, what CDI entries name, its hardware."""

import pathlib
from collections.abc import Iterable

from neuronspan import instance_types
from neuronspan_deviceplugin.allocation import container_edits
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
