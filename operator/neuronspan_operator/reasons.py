"""Every reason that the operator writes: in Events, conditions of pools, metrics and ``kubectl neuron explain``.

Law: a reason is a member here and a row of docs/reference/reasons.md, which a test compares with this module.
"""

import enum


class WaitingReason(enum.StrEnum):
    """Why a pod has no cores yet, or may not use them: at the end of the sentence that its Event and its condition say.

    Also a label of neuronspan_waiting_pods.
    """

    INVALID_REQUEST = "InvalidRequest"  # an annotation or a limit cannot be meant
    NOTHING_ASKED = "NothingAsked"  # our scheduler or our gate without any request
    NOT_ADMITTED = "NotAdmitted"  # asks by annotation and never got the limit
    OTHER_GATES = "OtherGates"  # another scheduling gate holds it, too
    NO_NEURON_NODES = "NoNeuronNodes"  # no node has a NeuronNode
    NEVER_FITS = "NeverFits"  # larger than any node it may use
    NO_NODE_MATCHES = "NoNodeMatches"  # selector, affinity or taints leave no node
    NO_ROOM = "NoRoom"  # nodes would do, and have no room now
    POD_GROUP = "PodGroup"  # the other pods of its group are missing or still without cores
    WAITING_FOR_VOLUMES = "WaitingForVolumes"  # it has cores, and its claims have no volumes yet
    REVOKED = "Revoked"  # its grant cannot be used and is being taken back
    PREEMPTING = "Preempting"  # pods are ending, and the cores that they leave are kept for it
    BACK_OFF = "BackOff"  # its controller's earlier pods failed, or changing this pod did
    VOLUMES = "Volumes"  # a claim or a volume of it is not as every node would need it
    PLANNING_FAILED = "PlanningFailed"  # planning for it ends in an error of ours; all others go on
    WRITE_REFUSED = "WriteRefused"  # the API server refused or failed, twice, what would give it its cores


class ConditionReason(enum.StrEnum):
    """Reasons of a pod's PodScheduled condition; where more nodes would not help it is the waiting reason itself."""

    UNSCHEDULABLE = "Unschedulable"  # other or more nodes would help: cluster autoscalers act on it


class ObjectionKind(enum.StrEnum):
    """Why a node will not do for a pod; each stands in sentences with its own way out."""

    NODE_NAME = "NodeName"  # the pod names another node
    NODE_AFFINITY = "NodeAffinity"  # node selector or required node affinity
    NODE_FEATURES = "NodeFeatures"  # its kubelet lacks a feature that the pod needs
    TAINT = "Taint"  # a taint that the pod does not tolerate
    UNSCHEDULABLE = "Unschedulable"  # cordoned, not ready or being deleted
    RESOURCES = "Resources"  # too little CPU, memory, pod slots or any other resource
    HOST_PORTS = "HostPorts"  # a port of the node is taken
    POD_AFFINITY = "PodAffinity"  # the pods it must be near are not there
    POD_ANTI_AFFINITY = "PodAntiAffinity"  # pods it must not be near are there
    TOPOLOGY_SPREAD = "TopologySpread"  # the spread would become too uneven
    VOLUMES = "Volumes"  # a volume, a claim or its class


class EventReason(enum.StrEnum):
    """What was done to a pod, or has to be done by people; an Event."""

    FAILED_SCHEDULING = "FailedScheduling"  # it waits: the sentence says for what, and ends in the waiting reason
    SCHEDULED = "Scheduled"  # it is bound to its node and has its cores
    STATUS_REFUSED = "StatusRefused"  # the API server refused the condition that says why it waits
    GRANTED = "Granted"  # it has its cores and has left the gate
    EVICTED = "Evicted"  # it could not start on its cores
    PREEMPTED = "Preempted"  # it was ended for a pod of higher priority
    PREEMPTING = "Preempting"  # others are ended for it
    LIMBO = "Limbo"  # it cannot start on its cores, and no controller would replace it
    GRANT_ADOPTED = "GrantAdopted"  # it holds cores and had no grant annotation
    GRANT_CORRECTED = "GrantCorrected"  # its grant annotation differed from the ledger
    WITHOUT_LIMIT = "WithoutLimit"  # it has its node, asks by annotation, and kubelet gives it no cores
    USER_NAMESPACE = "UserNamespace"  # it has one of its own, in which the node's devices do not reach its containers
    PATCH_REFUSED = "PatchRefused"  # the API server refused to change it


class DriftKind(enum.StrEnum):
    """How ledger and node disagree; a label of neuronspan_drift_total."""

    UNREADABLE_LEDGER = "UnreadableLedger"  # spec of the NeuronNode is no ledger
    MOVED_GRANT = "MovedGrant"  # the container holds other cores than it was granted
    ADOPTED_HOLDER = "AdoptedHolder"  # cores were held without a grant and have one now
    NOT_ADOPTABLE = "NotAdoptable"  # cores are held without a grant, and no grant can be made of it
    CONTESTED_CORES = "ContestedCores"  # cores are held that the ledger does not give to the holder


class PoolCondition(enum.StrEnum):
    """Types of a NeuronPool's conditions."""

    READY = "Ready"  # the pool's nodes are as it wants them
    CONFLICT = "Conflict"  # another pool selects a node of it
    PROFILE_PENDING = "ProfilePending"  # a node cannot be changed while it is in use


class PoolReason(enum.StrEnum):
    """Reasons of a NeuronPool's conditions."""

    NODES_READY = "NodesReady"  # every node is as the pool wants it
    NO_NODES = "NoNodes"  # no node has the pool's labels
    DRAINING = "Draining"  # the pool is being deleted and has nodes in use
    OVERLAPPING_POOLS = "OverlappingPools"  # two pools select one node
    NO_CONFLICT = "NoConflict"  # no other pool selects a node of it
    NODES_IN_USE = "NodesInUse"  # nodes keep their hardware or ledger until they are empty
    HARDWARE_UNKNOWN = "HardwareUnknown"  # nodes that are asked what they have did not say it yet, or cannot
    NO_PROFILE_PENDING = "NoProfilePending"  # nothing waits for a node to be empty
    UNKNOWN_INSTANCE_TYPE = "UnknownInstanceType"  # not in the catalogue
    INVALID_HARDWARE = "InvalidHardware"  # the instance type does not have this logical core size
    INVALID_POLICY = "InvalidPolicy"  # spec.policy cannot be used


class Outcome(enum.StrEnum):
    """How a write ended, or a round; a label of the metrics that count them."""

    DONE = "done"  # as asked
    WRITTEN = "written"  # the ledger is stored
    CREATED = "created"  # the Event is new
    UPDATED = "updated"  # the Event was there and has another message now
    RENEWED = "renewed"  # the Event was there, and lives on
    REPEATED = "repeated"  # the Event was there, and nothing of it changed
    EVICTED = "evicted"  # the API server took the eviction
    CONFLICT = "conflict"  # another client wrote the ledger first
    STALE = "stale"  # the pod is no longer as it was planned on
    GONE = "gone"  # there is no such pod any more
    HELD = "held"  # left alone for a while, after a failure
    REFUSED = "refused"  # the API server's rules forbid it
    FAILED = "failed"  # no answer, or another error


class ReviewOutcome(enum.StrEnum):
    """How the webhook answered a review; a label of neuronspan_webhook_reviews_total."""

    ALLOWED = "allowed"  # as it is
    CHANGED = "changed"  # with the patch that makes a request of ours of it
    REFUSED = "refused"  # in words that say why
    BROKEN = "broken"  # what came was no review; the API server does as the failurePolicy says
    FAILED = "failed"  # an error of ours, which is logged once; the same
