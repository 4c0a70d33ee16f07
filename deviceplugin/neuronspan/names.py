"""Every string that two components of neuronspan must spell alike.

A name used on one side only does not belong here.
"""

from typing import Final

# --- the API group --------------------------------------------------------------------------------
GROUP: Final = "neuronspan.dev"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"
NEURON_NODE_KIND: Final = "NeuronNode"
NEURON_NODES: Final = "neuronnodes"
NEURON_POOLS: Final = "neuronpools"

# --- extended resources: both count the same silicon, the first in NeuronCores, the second in whole devices
CORE_RESOURCE: Final = "aws.amazon.com/neuroncore"
DEVICE_RESOURCE: Final = "aws.amazon.com/neuron"
RESOURCES: Final = (CORE_RESOURCE, DEVICE_RESOURCE)

# --- marks on pods --------------------------------------------------------------------------------
SCHEDULER: Final = "neuronspan"  # spec.schedulerName of the pods that the operator binds
SCHEDULING_GATE: Final = f"{GROUP}/cores"  # of guests: pods that another scheduler binds
MANAGED_LABEL: Final = f"{GROUP}/managed"
MANAGED_VALUE: Final = "true"
HOSTNAME_LABEL: Final = "kubernetes.io/hostname"
LEDGER_LABEL: Final = f"{GROUP}/ledger"  # of nodes that have a NeuronNode: the device plugin stays where it is
LEDGER_VALUE: Final = "kept"
INSTANCE_TYPE_LABEL: Final = "node.kubernetes.io/instance-type"  # of a Node: as its cloud calls the machine

# what each annotation means and which values it has is declared in annotations.py
CORES_ANNOTATION: Final = f"{GROUP}/cores"
CONTAINER_ANNOTATION: Final = f"{GROUP}/container"  # which container the pod-wide annotations mean
CONTAINER_CORES_PREFIX: Final = f"cores.{GROUP}/"  # + container name
DEVICES_ANNOTATION: Final = f"{GROUP}/devices"
CONTAINER_DEVICES_PREFIX: Final = f"devices.{GROUP}/"  # + container name
ENV_ANNOTATION: Final = f"{GROUP}/env"
VISIBLE_CORES_ANNOTATION: Final = f"{GROUP}/visible-cores"
GROUP_SIZES_ANNOTATION: Final = f"{GROUP}/group-sizes"
ALIGN_ANNOTATION: Final = f"{GROUP}/align"
POD_GROUP_ANNOTATION: Final = f"{GROUP}/pod-group"
POD_GROUP_SIZE_ANNOTATION: Final = f"{GROUP}/pod-group-size"
GRANT_ANNOTATION: Final = f"{GROUP}/grant"  # written by the operator: {"node": "w1", "containers": {"app": "4-7"}}
TAKEN_BACK_CONDITION: Final = f"{GROUP}/TakenBack"  # its message is a moment: older grants of the pod are dead

# --- CDI kinds: a device name is "<kind>=<name>" --------------------------------------------------
CDI_CORES_KIND: Final = f"{GROUP}/cores"  # "=4-7": environment of the visible mode
CDI_COUNT_KIND: Final = f"{GROUP}/count"  # "=4-7": environment of the count mode
CDI_CORE_KIND: Final = f"{GROUP}/core"  # "=4": the core's lock file, mounted read-only
CDI_DEVICE_KIND: Final = f"{GROUP}/device"  # "=1": the device node /dev/neuron1

# --- container environment ------------------------------------------------------------------------
VISIBLE_CORES_ENV: Final = "NEURON_RT_VISIBLE_CORES"
NUM_CORES_ENV: Final = "NEURON_RT_NUM_CORES"
GROUP_SIZES_ENV: Final = "NEURONCORE_GROUP_SIZES"
GRANT_ENV: Final = "NEURONSPAN_GRANT"  # always node numbering: the runtime's fence
CORE_NUMBERING_ENV: Final = "NEURONSPAN_CORE_NUMBERING"
INSTANCE_TYPE_ENV: Final = "NEURONSPAN_INSTANCE_TYPE"
LOGICAL_CORE_SIZE_ENV: Final = "NEURONSPAN_LOGICAL_CORE_SIZE"
STATE_DIRECTORY_ENV: Final = "NEURONSPAN_STATE_DIR"

NODE_NUMBERING: Final = "node"  # NEURON_RT_VISIBLE_CORES counts from the node's core 0
CONTAINER_NUMBERING: Final = "container"  # it counts from the grant's first core
CORE_NUMBERINGS: Final = (NODE_NUMBERING, CONTAINER_NUMBERING)

# --- conditions of a NeuronNode that both agents know -------------------------------------------------------------
HARDWARE_ACCEPTED_CONDITION: Final = "HardwareAccepted"  # its message says what is wrong with what was found
REGISTERED_CONDITION: Final = "Registered"  # kubelet knows both resources; the operator grants only then

# --- files of a node, at the same paths on the host and in the container --------------------------
NODE_DIRECTORY: Final = "/run/neuronspan"
HARDWARE_FILE: Final = "hardware.json"  # Hardware.to_dict()
CORE_LOCKS_DIRECTORY: Final = "cores"
CORE_LOCK_SUFFIX: Final = ".lock"  # cores/<n>.lock: flock = ownership of that core between processes
DEVICE_NODE_PREFIX: Final = "/dev/neuron"  # + device index
