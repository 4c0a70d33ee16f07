"""What a new process begins with, from what files and status say of the one before."""

import pytest

from kits.embedded import neuron_node_store
from kits.manifests import builders
from neuronspan import instance_types, names
from neuronspan_deviceplugin import inheriting
from neuronspan_deviceplugin.host import node_directory
from neuronspan_deviceplugin.neuron_node import reading

LARGE, SMALL = (instance_types.hardware_of(each) for each in (builders.LARGE, "inf2.24xlarge"))
ASKED = reading.HardwareProfile(LARGE, names.NODE_NUMBERING)


def _node(served: instance_types.Hardware | None) -> reading.NeuronNode:
    manifest = neuron_node_store.neuron_node()
    manifest["metadata"] = {"name": "w1", "uid": "uid-w1", "resourceVersion": "1"}
    manifest["status"] = {"hardware": served.to_dict()} if served else {}
    return reading.read(manifest)


BEFORE = {
    "nothing is known": (None, None, ASKED),
    "the same": (node_directory.Described(LARGE, detected=False), None, ASKED),
    "files describe another type": (
        node_directory.Described(SMALL, detected=False),
        LARGE,
        reading.HardwareProfile(SMALL, names.NODE_NUMBERING),
    ),
    "after a reboot the status names another type": (None, SMALL, reading.HardwareProfile(SMALL, names.NODE_NUMBERING)),
    "real devices count from 0": (
        node_directory.Described(SMALL, detected=True),
        None,
        reading.HardwareProfile(SMALL, names.CONTAINER_NUMBERING, detected=True),
    ),
}


@pytest.mark.parametrize(("before", "served", "expected"), BEFORE.values(), ids=BEFORE.keys())
def test_process_begins_with_what_was_served(
    before: node_directory.Described | None,
    served: instance_types.Hardware | None,
    expected: reading.HardwareProfile,
) -> None:
    assert inheriting.inherited(ASKED, before, _node(served), names.NODE_NUMBERING) == expected
