"""Reads Pod manifests.

Law: whatever a manifest says is a value; what cannot be meant is a problem in words. The writes are in ``pod_changes``.
"""

import dataclasses
import functools
import json
from collections.abc import Mapping
from typing import Any, Final

from neuronspan import names
from neuronspan_agent import resources
from neuronspan_operator.objects import container_requests, pod_conditions, pod_requests
from neuronspan_operator.objects.constraints import amounts, pod_constraints

_TERMINAL: Final = frozenset({"Succeeded", "Failed"})
_GATE_GONE: Final = -1
_NEVER: Final = "Never"
_ALWAYS: Final = "Always"


@dataclasses.dataclass(frozen=True, slots=True)
class Controller:
    """The controller that would replace the pod."""

    kind: str
    name: str
    uid: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class PodView:
    """What the planner knows of one pod."""

    uid: str  # kubelet's: see ``resources.pod_uid_of``
    namespace: str
    name: str
    resource_version: str = ""
    phase: str = "Pending"
    deleted: bool = False  # deletionTimestamp is set: its processes may still run
    gate_index: int = _GATE_GONE  # where our gate is in spec.schedulingGates
    other_gates: tuple[str, ...] = ()
    node_name: str = ""
    created: str = ""  # RFC 3339
    priority: int = 0
    preempts: bool = True  # whether its preemptionPolicy lets others be ended for it
    lasting: bool = True  # it is started again whenever it ends
    user_namespace: bool = False  # it has one of its own, ``hostUsers: false``
    started: str = ""  # RFC 3339: when kubelet took it over
    requests: tuple[container_requests.ContainerRequest, ...] = ()
    problems: tuple[str, ...] = ()  # sentences; such a pod is never granted
    unlimited: tuple[str, ...] = ()  # containers that ask by annotation and never got the resource limit
    scheduler_name: str = ""
    labels: Mapping[str, str] = dataclasses.field(default_factory=dict)
    amounts: "amounts.Amounts" = dataclasses.field(default_factory=dict)  # of every resource, as the scheduler counts
    constraints: pod_constraints.Constraints = pod_constraints.NONE
    has_node_selector: bool = False
    owner: Controller | None = None
    pod_group: str = ""
    pod_group_size: int = 0
    grant_annotation: str | None = None
    fenced_until: str = ""  # RFC 3339: no grant made up to then may be carried out, see ``pod_changes.fence_patch``
    has_annotations: bool = False
    unscheduled: pod_conditions.Unscheduled | None = None
    nominated_node: str = ""  # where it has cores reserved, by its status
    object_uid: str = ""  # the API server's, which it compares with that of every write: a mirror has another one

    @property
    def gated(self) -> bool:
        """Whether our scheduling gate holds the pod back."""
        return self.gate_index != _GATE_GONE

    @property
    def unplaced(self) -> bool:
        """Whether nothing but our own next write can let it start: our gate holds it, or we are to bind it."""
        return self.gated if self.node_name else self.gated or self.scheduled_by_us

    @property
    def scheduled_by_us(self) -> bool:
        """Whether we are its scheduler."""
        return self.scheduler_name == names.SCHEDULER

    @property
    def static(self) -> bool:
        """Whether kubelet runs it from a file of its node: nobody else can end it."""
        return resources.is_static(self.uid)

    @property
    def waits(self) -> bool:
        """Whether it is for us to give it cores now."""
        return self.unplaced and not (self.deleted or self.terminal)

    @property
    def terminal(self) -> bool:
        """Whether it has ended for good."""
        return self.phase in _TERMINAL

    @property
    def live(self) -> bool:
        """Whether it may have processes, now or later."""
        return not self.terminal

    @property
    def neuroncores(self) -> int:
        """The amount of aws.amazon.com/neuroncore, as the scheduler counts it."""
        return self.amounts.get(names.CORE_RESOURCE, 0)

    @property
    def neuron_devices(self) -> int:
        """The amount of aws.amazon.com/neuron, as the scheduler counts it."""
        return self.amounts.get(names.DEVICE_RESOURCE, 0)

    @property
    def key(self) -> str:
        """Namespace and name, as kubectl users write them."""
        return f"{self.namespace}/{self.name}"

    @property
    def granted_node(self) -> str:
        """The node its grant annotation names, empty without a readable one."""
        node = self.annotated_grant().get("node")
        return node if isinstance(node, str) else ""

    def annotated_grant(self) -> Mapping[str, Any]:
        """Return the grant annotation's content, empty when it is absent or unreadable."""
        try:
            content = json.loads(self.grant_annotation or "{}")
        except ValueError:
            return {}
        return content if isinstance(content, dict) else {}


def read(manifest: Mapping[str, Any]) -> PodView:
    """Read a Pod as the API server sends it, or as it is written in a file."""
    metadata, spec, status = manifest.get("metadata") or {}, manifest.get("spec") or {}, manifest.get("status") or {}
    annotations = metadata.get("annotations") or {}
    reading = pod_requests.read(annotations, spec)
    totals, problems = amounts.of(spec, status)
    constraints, excess = _constraints(manifest, spec)
    gates = [gate.get("name", "") for gate in spec.get("schedulingGates") or ()]
    return PodView(
        uid=resources.pod_uid_of(manifest),
        namespace=_shared(metadata.get("namespace", "default")),
        name=metadata.get("name", ""),
        resource_version=metadata.get("resourceVersion", ""),
        phase=_shared(status.get("phase", "Pending")),
        deleted="deletionTimestamp" in metadata,
        gate_index=gates.index(names.SCHEDULING_GATE) if names.SCHEDULING_GATE in gates else _GATE_GONE,
        other_gates=tuple(gate for gate in gates if gate != names.SCHEDULING_GATE),
        node_name=_shared(spec.get("nodeName", "")),
        created=metadata.get("creationTimestamp", ""),
        priority=spec.get("priority") or 0,
        preempts=spec.get("preemptionPolicy") != _NEVER,
        lasting=spec.get("restartPolicy", _ALWAYS) == _ALWAYS,
        user_namespace=spec.get("hostUsers") is False,
        started=status.get("startTime") or "",
        requests=reading.requests,
        problems=reading.problems + problems + excess,
        unlimited=reading.unlimited,
        scheduler_name=_shared(spec.get("schedulerName", "")),
        labels=_labels(metadata),
        amounts=totals,
        constraints=constraints,
        has_node_selector=spec.get("nodeSelector") is not None,
        owner=_owner(metadata),
        pod_group=reading.pod_group,
        pod_group_size=reading.pod_group_size,
        grant_annotation=annotations.get(names.GRANT_ANNOTATION),
        fenced_until=pod_conditions.fence(status),
        has_annotations=metadata.get("annotations") is not None,
        unscheduled=pod_conditions.unscheduled(status),
        nominated_node=status.get("nominatedNodeName") or "",
        object_uid=metadata.get("uid", ""),
    )


def read_known(manifest: Mapping[str, Any]) -> PodView | None:
    """Read a Pod for the cache: of one that is none of our business only what it means for others, or nothing at all.

    A cluster has many such pods, and their specs may be large: one without a node, or that has ended, means nothing.
    """
    metadata, spec, status = manifest.get("metadata") or {}, manifest.get("spec") or {}, manifest.get("status") or {}
    if _concerns_us(metadata, spec):
        return read(manifest)
    phase, node = status.get("phase", "Pending"), spec.get("nodeName", "")
    if phase in _TERMINAL or not node:
        return None
    return PodView(
        uid=resources.pod_uid_of(manifest),
        namespace=_shared(metadata.get("namespace", "default")),
        name=metadata.get("name", ""),
        resource_version=metadata.get("resourceVersion", ""),
        phase=_shared(phase),
        deleted="deletionTimestamp" in metadata,
        node_name=_shared(node),
        priority=spec.get("priority") or 0,
        labels=_labels(metadata),
        amounts=amounts.of(spec, status)[0],
        constraints=pod_constraints.read_placed(manifest),
    )


@functools.lru_cache(maxsize=16384)
def _shared(text: str) -> str:
    """Return one string for all that are equal: there are far fewer namespaces and nodes than pods."""
    return text


def _labels(metadata: Mapping[str, Any]) -> Mapping[str, str]:
    labels: Mapping[str, str] = metadata.get("labels") or {}
    return _shared_labels(tuple(labels.items())) if metadata.get("uid") else labels  # a file may say anything


@functools.lru_cache(maxsize=4096)
def _shared_labels(items: tuple[tuple[str, str], ...]) -> Mapping[str, str]:
    """Return one mapping for all pods with the same labels, which those of one template have."""
    return dict(items)


def _constraints(
    manifest: Mapping[str, Any], spec: Mapping[str, Any]
) -> tuple[pod_constraints.Constraints, tuple[str, ...]]:
    """Return what the pod says about its place; too much of it is a problem, and is not kept."""
    found = pod_constraints.read(manifest)
    excess = pod_constraints.excess(found)
    if not excess:
        return found, ()
    if spec.get("nodeName"):  # it has its place
        return pod_constraints.read_placed(manifest), ()
    return pod_constraints.NONE, (excess,)


def _concerns_us(metadata: Mapping[str, Any], spec: Mapping[str, Any]) -> bool:
    """Whether we schedule it, hold it back, or it asks for NeuronCores in any form."""
    return (
        spec.get("schedulerName") == names.SCHEDULER
        or any(gate.get("name") == names.SCHEDULING_GATE for gate in spec.get("schedulingGates") or ())
        or pod_requests.asks(metadata.get("annotations") or {}, spec)
    )


def _owner(metadata: Mapping[str, Any]) -> Controller | None:
    controllers = (owner for owner in metadata.get("ownerReferences") or () if owner.get("controller"))
    controller = next(controllers, None)
    return (
        None
        if controller is None
        else Controller(controller.get("kind", ""), controller.get("name", ""), controller.get("uid", ""))
    )
