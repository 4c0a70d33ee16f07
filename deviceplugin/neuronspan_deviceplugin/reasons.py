"""Every reason code that the node agent writes: into refusals, metrics and the NeuronNode's status.

Law: a code is public and stays; the line beside it is its cause. docs/reference/reasons.md adds the cure.
"""

import enum

from neuronspan import names


class StartRefusal(enum.StrEnum):
    """Why a container may not start now; kubelet asks again by itself."""

    UNKNOWN_DEVICES = "UnknownDevices"  # its devices are no run of this node
    HOLDER_UNKNOWN = "HolderUnknown"  # kubelet's record names no pod for its cores yet
    GIVEN_TWICE = "GivenTwice"  # kubelet's record names several pods for its cores
    LEDGER_UNKNOWN = "LedgerUnknown"  # no ledger was read yet, and the pod has not started on these cores before
    NOT_GRANTED = "NotGranted"  # no grant for the pod yet: the operator has to adopt it
    RELEASING = "Releasing"  # the pod is over, its grant is being released
    SWAPPED = "Swapped"  # its cores are the equal grant of another container: the operator has to swap the two
    DRIFT = "Drift"  # the pod is granted other cores, and these to no pod: the operator has to correct the ledger
    GRANTED_TO_ANOTHER = "GrantedToAnother"  # its cores, or some of them, are granted to another container
    FORMER_HOLDER_ALIVE = "FormerHolderAlive"  # processes of a former holder are left, or cannot be ruled out
    LOCK_FILES_UNWRITABLE = "LockFilesUnwritable"  # the lock files of its cores cannot be made for it
    POD_UNKNOWN = "PodUnknown"  # PodResources does not know the pod: it is being deleted
    POD_RESOURCES_DIFFERS = "PodResourcesDiffers"  # PodResources has other devices for it: the pod was replaced

    @property
    def is_drift(self) -> bool:
        """Whether kubelet's devices and the ledger name different cores, or different holders of them."""
        return self in {self.SWAPPED, self.DRIFT, self.GRANTED_TO_ANOTHER, self.GIVEN_TWICE}


class AllocationRefusal(enum.StrEnum):
    """Why devices cannot be given to a container; kubelet marks its pod Failed."""

    NOT_CONTIGUOUS = "NotContiguous"  # kubelet chose devices that are not one run
    UNKNOWN_DEVICE = "UnknownDevice"  # kubelet chose devices that are none of the resource, or not this node's
    HELD_UNDER_OTHER_RESOURCE = "HeldUnderOtherResource"  # a live container has the same silicon by its other name
    HELD_UNDER_FORMER_ID = "HeldUnderFormerId"  # a live pod of before an upgrade has the cores by their former IDs


class SteeringOutcome(enum.StrEnum):
    """How the answer to a preferred allocation came about."""

    GRANT = "grant"  # the granted cores
    UNMANAGED = "unmanaged"  # no grant waits for devices: best fit beside all grants
    DRIFT = "drift"  # a grant waits, but kubelet does not offer its cores: best fit beside all grants
    NONE = "none"  # no such run


class OtherDrift(enum.StrEnum):
    """Kinds of drift besides the refusals of a start that are one."""

    STEERING = "Steering"  # kubelet does not offer the cores of the grant that waits for it


class Outcome(enum.StrEnum):
    """How something ended that has no finer reason."""

    OK = "ok"  # done
    FAILED = "failed"  # the API server refused it, or did not answer


class RegistrationCause(enum.StrEnum):
    """Why the plugin registers with kubelet."""

    START = "start"  # the agent started, or serves other hardware
    KUBELET_RESTARTED = "kubelet-restarted"  # another kubelet.sock than the one registered with
    SOCKET_GONE = "socket-gone"  # our own socket was removed or replaced
    STREAM_LOST = "stream-lost"  # kubelet closed ListAndWatch, or never opened it


class ConditionType(enum.StrEnum):
    """The conditions of a NeuronNode; true is the good state."""

    REGISTERED = names.REGISTERED_CONDITION  # kubelet knows both resources of this agent
    HARDWARE_ACCEPTED = names.HARDWARE_ACCEPTED_CONDITION  # the hardware that is asked for is served
    LEDGER_READABLE = "LedgerReadable"  # the NeuronNode's spec could be read
    PROCESSES_VISIBLE = "ProcessesVisible"  # the control groups of pods are seen
    RECORD_INTACT = "RecordIntact"  # the agent's own record of holders can be read and written


class ConditionReason(enum.StrEnum):
    """Why a condition is as it is."""

    REGISTERED = "Registered"  # kubelet knows both resources
    NOT_REGISTERED = "NotRegistered"  # kubelet does not know a resource, or not any more
    NO_HARDWARE = "NoHardware"  # there is nothing to register yet
    STOPPED = "Stopped"  # the agent was stopped
    ACCEPTED = "Accepted"  # the hardware is served
    MISSING = "Missing"  # spec.hardware is not there, or wrong
    NOT_DETECTED = "NotDetected"  # the node's own hardware is asked for, and it was not found, or not taken over yet
    CHANGE_REFUSED = "ChangeRefused"  # other hardware is asked for while cores are granted or held
    READABLE = "Readable"  # all of spec
    UNREADABLE = "Unreadable"  # a part of spec; its last good value counts
    VISIBLE = "Visible"  # the control groups are seen
    NO_CONTROL_GROUPS = "NoControlGroups"  # they are not found
    INTACT = "Intact"  # the record is as the agent left it
    SET_ASIDE = "SetAside"  # the record could not be read and was set aside, or cannot be written


class CoreReason(enum.StrEnum):
    """Why a core is unhealthy; ``ComponentUnhealthy`` is followed by the components."""

    DEVICE_MISSING = "DeviceMissing"  # its device is not there
    DEVICE_NODE_MISSING = "DeviceNodeMissing"  # its device has no node in /dev
    COMPONENT_UNHEALTHY = "ComponentUnhealthy"  # the driver lists components of its device as unhealthy
    CORE_UNCORRECTABLE = "CoreUncorrectable"  # it had an uncorrectable error
    HBM_UNCORRECTABLE = "HbmUncorrectable"  # it met an uncorrectable error of the device's memory
    DMA_ABORTED = "DmaAborted"  # a transfer of its was aborted
    SRAM_ECC = "SramEcc"  # its device's SRAM had an uncorrectable error
    MEMORY_ECC = "MemoryEcc"  # its device's memory had an uncorrectable error that cannot be repaired


class HardwareProblem(enum.StrEnum):
    """What is not right with the files in which the kernel driver shows a node's devices."""

    NO_DEVICES = "NoDevices"  # there is no Neuron device
    TYPE_UNKNOWN = "TypeUnknown"  # neither firmware nor label names an instance type that is known
    TYPE_CONTRADICTED = "TypeContradicted"  # the devices are not those of the instance type
    CORE_SIZE_UNUSABLE = "CoreSizeUnusable"  # the file of the logical core size has none that the type has
    CORES_DIFFER = "CoresDiffer"  # a device has other cores than those of the instance type
    DEVICES_DIFFER = "DevicesDiffer"  # there are more devices than the instance type has, or some are missing
    CORES_UNREADABLE = "CoresUnreadable"  # the driver lets its owner alone read the number of cores
    LINKS_DIFFER = "LinksDiffer"  # devices are connected in another way than those of the instance type
    NODES_MISSING = "NodesMissing"  # devices have no node in /dev
    HEALTH_UNKNOWN = "HealthUnknown"  # files that tell of faults are not there, or cannot be read

    @property
    def is_blocking(self) -> bool:
        """Whether nothing can be served because of it, rather than less, or with less known."""
        return self in {
            self.NO_DEVICES,
            self.TYPE_UNKNOWN,
            self.TYPE_CONTRADICTED,
            self.CORE_SIZE_UNUSABLE,
            self.CORES_DIFFER,
        }
