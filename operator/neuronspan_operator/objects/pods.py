"""Reads Pod manifests, and builds the patches that tell a pod what the ledger says.

Law: every patch tests uid and resourceVersion, so that a decision made on an old pod can never land on a newer one.
"""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from neuronspan import names, spans
from neuronspan_operator.objects import container_requests, pod_requests
from neuronspan_operator.objects.constraints import amounts, pod_constraints

_TERMINAL: Final = frozenset({"Succeeded", "Failed"})
_GATE_GONE: Final = -1


@dataclasses.dataclass(frozen=True, slots=True)
class Controller:
    """The controller that would replace the pod."""

    kind: str
    name: str


@dataclasses.dataclass(frozen=True, slots=True)
class PodView:
    """What the planner knows of one pod."""

    uid: str
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
    requests: tuple[container_requests.ContainerRequest, ...] = ()
    problems: tuple[str, ...] = ()  # sentences; such a pod is never granted
    unlimited: tuple[str, ...] = ()  # containers that ask by annotation and never got the resource limit
    scheduler_name: str = ""
    labels: Mapping[str, str] = dataclasses.field(default_factory=dict)
    amounts: amounts.Amounts = dataclasses.field(default_factory=dict)  # of every resource, as the scheduler counts
    constraints: pod_constraints.Constraints = pod_constraints.NONE
    has_node_selector: bool = False
    owner: Controller | None = None
    pod_group: str = ""
    pod_group_size: int = 0
    grant_annotation: str | None = None
    revoked: tuple[str, ...] = ()  # fences, see ``fence_patch``
    has_annotations: bool = False
    unscheduled_message: str = ""  # why the scheduler did not bind it, in the scheduler's words

    @property
    def gated(self) -> bool:
        """Whether our scheduling gate holds the pod back."""
        return self.gate_index != _GATE_GONE

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
    gates = [gate.get("name", "") for gate in spec.get("schedulingGates") or ()]
    return PodView(
        uid=metadata.get("uid", ""),
        namespace=metadata.get("namespace", "default"),
        name=metadata.get("name", ""),
        resource_version=metadata.get("resourceVersion", ""),
        phase=status.get("phase", "Pending"),
        deleted="deletionTimestamp" in metadata,
        gate_index=gates.index(names.SCHEDULING_GATE) if names.SCHEDULING_GATE in gates else _GATE_GONE,
        other_gates=tuple(gate for gate in gates if gate != names.SCHEDULING_GATE),
        node_name=spec.get("nodeName", ""),
        created=metadata.get("creationTimestamp", ""),
        priority=spec.get("priority") or 0,
        requests=reading.requests,
        problems=reading.problems + problems,
        unlimited=reading.unlimited,
        scheduler_name=spec.get("schedulerName", ""),
        labels=metadata.get("labels") or {},
        amounts=totals,
        constraints=pod_constraints.read(manifest),
        has_node_selector=spec.get("nodeSelector") is not None,
        owner=_owner(metadata),
        pod_group=reading.pod_group,
        pod_group_size=reading.pod_group_size,
        grant_annotation=annotations.get(names.GRANT_ANNOTATION),
        revoked=tuple(filter(None, annotations.get(names.REVOKED_ANNOTATION, "").split(","))),
        has_annotations=metadata.get("annotations") is not None,
        unscheduled_message=_unscheduled_message(status),
    )


def _owner(metadata: Mapping[str, Any]) -> Controller | None:
    controllers = (owner for owner in metadata.get("ownerReferences") or () if owner.get("controller"))
    controller = next(controllers, None)
    return None if controller is None else Controller(controller.get("kind", ""), controller.get("name", ""))


def _unscheduled_message(status: Mapping[str, Any]) -> str:
    for condition in status.get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            message = condition.get("message", "")
            return message if isinstance(message, str) else ""
    return ""


# --- patches ---------------------------------------------------------------------------------------------------------


def grant_content(node: str, granted: Mapping[str, spans.CoreSpan]) -> dict[str, Any]:
    """Return the content of the grant annotation."""
    return {"node": node, "containers": {container: str(span) for container, span in sorted(granted.items())}}


def grant_text(node: str, granted: Mapping[str, spans.CoreSpan]) -> str:
    """Return the grant annotation as it is written."""
    return json.dumps(grant_content(node, granted), separators=(",", ":"))


def ungate_patch(
    pod: PodView, node: str, granted: Mapping[str, spans.CoreSpan], hostname: str = ""
) -> list[dict[str, Any]]:
    """Return the one JSON patch that commits a grant: annotation, node, gate away.

    ``hostname`` is the node's kubernetes.io/hostname label where it differs from the node's name.
    """
    gate = f"/spec/schedulingGates/{pod.gate_index}"
    selector = [] if pod.has_node_selector else [_add("/spec/nodeSelector", {})]
    return [
        *_unchanged(pod),
        {"op": "test", "path": f"{gate}/name", "value": names.SCHEDULING_GATE},
        *_annotate(pod, names.GRANT_ANNOTATION, grant_text(node, granted)),
        *selector,
        _add(f"/spec/nodeSelector/{_escaped(names.HOSTNAME_LABEL)}", hostname or node),
        {"op": "remove", "path": gate},
    ]


def grant_patch(pod: PodView, node: str, granted: Mapping[str, spans.CoreSpan]) -> list[dict[str, Any]]:
    """Return the JSON patch that makes the grant annotation say what the ledger says."""
    return [*_unchanged(pod), *_annotate(pod, names.GRANT_ANNOTATION, grant_text(node, granted))]


def fence(node: str, since: str) -> str:
    """Name one grant of a pod for ``fence_patch``."""
    return f"{node}/{since}"


def fence_patch(pod: PodView, fences: Sequence[str]) -> list[dict[str, Any]]:
    """Return the JSON patch that makes it impossible to carry out these grants of a gated pod.

    It changes the pod's resourceVersion, which every ungate patch tests: one that was computed before cannot land,
    and who computes one later sees the fence.
    """
    fenced = ",".join([*pod.revoked, *fences])
    gate = {"op": "test", "path": f"/spec/schedulingGates/{pod.gate_index}/name", "value": names.SCHEDULING_GATE}
    return [*_unchanged(pod), gate, *_annotate(pod, names.REVOKED_ANNOTATION, fenced)]


def _unchanged(pod: PodView) -> list[dict[str, Any]]:
    return [
        {"op": "test", "path": "/metadata/uid", "value": pod.uid},
        {"op": "test", "path": "/metadata/resourceVersion", "value": pod.resource_version},
    ]


def _annotate(pod: PodView, annotation: str, value: str) -> list[dict[str, Any]]:
    made = [] if pod.has_annotations else [_add("/metadata/annotations", {})]
    return [*made, _add(f"/metadata/annotations/{_escaped(annotation)}", value)]


def _add(path: str, value: Any) -> dict[str, Any]:
    return {"op": "add", "path": path, "value": value}


def _escaped(key: str) -> str:
    """Escape a key for a JSON pointer (RFC 6901)."""
    return key.replace("~", "~0").replace("/", "~1")
