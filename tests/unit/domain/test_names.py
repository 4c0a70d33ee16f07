import pytest

from neuronspan import names

# These strings are the public interface: manifests, dashboards and other people's tools spell them out.
PUBLIC_STRINGS = {
    "GROUP": "neuronspan.dev",
    "VERSION": "v1alpha1",
    "API_VERSION": "neuronspan.dev/v1alpha1",
    "NEURON_NODES": "neuronnodes",
    "NEURON_POOLS": "neuronpools",
    "NEURON_NODE_KIND": "NeuronNode",
    "CORE_RESOURCE": "aws.amazon.com/neuroncore",
    "DEVICE_RESOURCE": "aws.amazon.com/neuron",
    "SCHEDULER": "neuronspan",
    "SCHEDULING_GATE": "neuronspan.dev/cores",
    "MANAGED_LABEL": "neuronspan.dev/managed",
    "MANAGED_VALUE": "true",
    "HOSTNAME_LABEL": "kubernetes.io/hostname",
    "LEDGER_LABEL": "neuronspan.dev/ledger",
    "LEDGER_VALUE": "kept",
    "INSTANCE_TYPE_LABEL": "node.kubernetes.io/instance-type",
    "CORES_ANNOTATION": "neuronspan.dev/cores",
    "CONTAINER_ANNOTATION": "neuronspan.dev/container",
    "CONTAINER_CORES_PREFIX": "cores.neuronspan.dev/",
    "DEVICES_ANNOTATION": "neuronspan.dev/devices",
    "CONTAINER_DEVICES_PREFIX": "devices.neuronspan.dev/",
    "ENV_ANNOTATION": "neuronspan.dev/env",
    "VISIBLE_CORES_ANNOTATION": "neuronspan.dev/visible-cores",
    "GROUP_SIZES_ANNOTATION": "neuronspan.dev/group-sizes",
    "ALIGN_ANNOTATION": "neuronspan.dev/align",
    "POD_GROUP_ANNOTATION": "neuronspan.dev/pod-group",
    "POD_GROUP_SIZE_ANNOTATION": "neuronspan.dev/pod-group-size",
    "GRANT_ANNOTATION": "neuronspan.dev/grant",
    "TAKEN_BACK_CONDITION": "neuronspan.dev/TakenBack",
    "CDI_CORES_KIND": "neuronspan.dev/cores",
    "CDI_COUNT_KIND": "neuronspan.dev/count",
    "CDI_CORE_KIND": "neuronspan.dev/core",
    "CDI_DEVICE_KIND": "neuronspan.dev/device",
    "VISIBLE_CORES_ENV": "NEURON_RT_VISIBLE_CORES",
    "NUM_CORES_ENV": "NEURON_RT_NUM_CORES",
    "GROUP_SIZES_ENV": "NEURONCORE_GROUP_SIZES",
    "GRANT_ENV": "NEURONSPAN_GRANT",
    "CORE_NUMBERING_ENV": "NEURONSPAN_CORE_NUMBERING",
    "INSTANCE_TYPE_ENV": "NEURONSPAN_INSTANCE_TYPE",
    "LOGICAL_CORE_SIZE_ENV": "NEURONSPAN_LOGICAL_CORE_SIZE",
    "STATE_DIRECTORY_ENV": "NEURONSPAN_STATE_DIR",
    "NODE_NUMBERING": "node",
    "CONTAINER_NUMBERING": "container",
    "REGISTERED_CONDITION": "Registered",
    "HARDWARE_ACCEPTED_CONDITION": "HardwareAccepted",
    "NODE_DIRECTORY": "/run/neuronspan",
    "HARDWARE_FILE": "hardware.json",
    "CORE_LOCKS_DIRECTORY": "cores",
    "CORE_LOCK_SUFFIX": ".lock",
    "DEVICE_NODE_PREFIX": "/dev/neuron",
}


@pytest.mark.parametrize(("name", "text"), PUBLIC_STRINGS.items(), ids=PUBLIC_STRINGS.keys())
def test_name_is_spelled_as_published(name: str, text: str) -> None:
    assert getattr(names, name) == text


def test_names_has_no_string_that_is_not_listed_here() -> None:
    spelled = {name for name, value in vars(names).items() if name.isupper() and isinstance(value, str)}
    assert spelled == set(PUBLIC_STRINGS)


def test_resources_are_cores_and_devices() -> None:
    assert names.RESOURCES == (names.CORE_RESOURCE, names.DEVICE_RESOURCE)
    assert names.CORE_NUMBERINGS == (names.NODE_NUMBERING, names.CONTAINER_NUMBERING)
