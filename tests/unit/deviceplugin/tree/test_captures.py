"""Values of real nodes that others published, read by our reader and compared with what our generator makes.

Values only, in trees of our own: they are a second opinion on the forms of files.
"""

import dataclasses

from kits.kubelet import node_parts
from neuronspan import instance_types
from neuronspan_deviceplugin.tree import drivers, generating, layout, reader, trees

# a trn1.2xlarge with driver 2.26.5.0, in lablup/all-smi (src/device/readers/neuron.rs and its pull request 417)
TRN1 = {
    "sys/module/neuron/version": "2.26.5.0\n",
    "sys/devices/virtual/dmi/id/product_name": "trn1.2xlarge\n",
    "sys/devices/virtual/neuron_device/neuron0/core_count": "2",
    "sys/devices/virtual/neuron_device/neuron0/connected_devices": "\n",
    "sys/devices/virtual/neuron_device/neuron0/info/serial_number": "9ff5434815c8bd80\n",
    "sys/devices/virtual/neuron_device/neuron0/info/architecture/arch_type": "NDv2\n",
    "sys/devices/virtual/neuron_device/neuron0/info/architecture/device_name": "Trainium1\n",
    "sys/devices/virtual/neuron_device/neuron0/info/architecture/instance_type": "Trn1\n",
    "sys/devices/virtual/neuron_device/neuron0/neuron_core0/info/architecture/arch_type": "NCv2\n",
}
# a pod on a trn2.48xlarge, where device 13 was shown as device 0 and kept its neighbours (tools 2.34.10)
NEIGHBOURS_OF_13 = {12, 1, 9, 14}


def test_generator_says_what_the_captured_node_said() -> None:
    files = generating.generate(instance_types.hardware_of("trn1.2xlarge"), drivers.OLDER).files
    serial = f"{layout.device(0)}/{layout.SERIAL_NUMBER}"
    assert {path: files[path].text for path in TRN1 if path != serial} == {
        path: text for path, text in TRN1.items() if path != serial
    }
    assert len(files[serial].text) == len(TRN1[serial])


def test_reader_knows_the_captured_node() -> None:
    seen = trees.Seen(TRN1, trees.devices_in(TRN1), node_parts.nodes(1))
    found = reader.read(seen)
    assert found.hardware == instance_types.hardware_of("trn1.2xlarge")
    assert [each.kind for each in found.problems] == ["HealthUnknown"]  # the capture has no counters
    unreadable = dataclasses.replace(seen, files={**TRN1, f"{layout.device(0)}/{layout.CORE_COUNT}": None})
    assert reader.read(unreadable).hardware == found.hardware


def test_links_of_a_captured_torus_are_ours() -> None:
    files = generating.generate(instance_types.hardware_of("trn2.48xlarge"), drivers.NEWEST).files
    stated = files[f"{layout.device(13)}/{layout.CONNECTED_DEVICES}"].text
    assert {int(each) for each in stated.split(",")} == NEIGHBOURS_OF_13
