"""What a new process begins with: the hardware that the one before it served.

Law: pure; containers may hold cores of that hardware, and whether they do is known once the records were read.
"""

import dataclasses

from neuronspan import names
from neuronspan_deviceplugin.host import node_directory
from neuronspan_deviceplugin.neuron_node import reading


def inherited(
    profile: reading.HardwareProfile,
    before: node_directory.Described | None,
    node: reading.NeuronNode | None,
    numbering: str,
) -> reading.HardwareProfile:
    """Return what was served on this boot or an earlier one; without that ``profile``, which is asked for.

    ``before`` is what the node's files describe; after a reboot the status says what was served.
    """
    if before is None and node is not None and (hardware := reading.served(node)):
        before = node_directory.Described(hardware, profile.detected)
    if before is None or before == node_directory.Described(profile.hardware, profile.detected):
        return profile
    if before.detected is profile.detected:
        return dataclasses.replace(profile, hardware=before.hardware)
    return served_before(before, numbering)


def served_before(before: node_directory.Described, numbering: str) -> reading.HardwareProfile:
    """Return what is served from files alone; ``numbering`` is that of simulated hardware."""
    shown = names.CONTAINER_NUMBERING if before.detected else numbering
    return reading.HardwareProfile(before.hardware, shown, before.detected)
