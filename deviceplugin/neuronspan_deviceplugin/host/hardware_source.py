"""Where a profile's hardware is read from: the kernel's tree for detected hardware, a made one for simulated.

Law: both are read in the same way. Only the latter can be told of faults.
"""

import pathlib
from collections.abc import Iterable
from typing import Protocol

from neuronspan import instance_types
from neuronspan_deviceplugin.host import hardware_files, simulated_tree
from neuronspan_deviceplugin.tree import drivers, generating, trees


class Source(Protocol):
    """Shows a node's tree; raises OSError."""

    def look(self, broken: Iterable[generating.Fault]) -> trees.Seen:
        """Return the tree as it is now, with these faults in it where faults can be asked for."""


class Kernel:
    """The tree in which the driver shows the devices that a node has."""

    def __init__(self, roots: hardware_files.Roots) -> None:
        self._roots = roots

    def look(self, broken: Iterable[generating.Fault]) -> trees.Seen:  # noqa: ARG002 - real devices break by themselves
        """Return the tree as it is now."""
        return hardware_files.see(self._roots)


class Simulated:
    """The tree that the driver would show of this hardware, written below a folder; raises OSError."""

    def __init__(
        self, folder: pathlib.Path, hardware: instance_types.Hardware, *, alone: bool, selinux_label: str = ""
    ) -> None:
        self._hardware = hardware
        self._driver = drivers.newest_for(hardware.instance_type)
        self.tree = simulated_tree.written(
            folder,
            lambda: generating.files(hardware, self._driver),
            generating.links(hardware),
            alone=alone,
            selinux_label=selinux_label,
        )

    def look(self, broken: Iterable[generating.Fault]) -> trees.Seen:
        """Return the tree as it is now, with these faults in it."""
        self.tree.tell(generating.health(self._hardware, self._driver, broken))
        return hardware_files.see(self.tree.roots)
