"""Reads Node manifests and says why a pod cannot run on a node, by the rules the scheduler will apply to it.

Sources: pkg/scheduler/framework/plugins/{nodeaffinity,tainttoleration,noderesources} and
k8s.io/component-helpers/scheduling/corev1/nodeaffinity.
"""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from neuronspan import names
from neuronspan_operator.objects import pods, quantities

_REPELLING: Final = frozenset({"NoSchedule", "NoExecute"})


@dataclasses.dataclass(frozen=True, slots=True)
class Taint:
    """Keeps pods away that do not tolerate it."""

    key: str
    value: str
    effect: str

    def __str__(self) -> str:
        return f"{self.key}={self.value}:{self.effect}" if self.value else f"{self.key}:{self.effect}"


@dataclasses.dataclass(frozen=True, slots=True)
class Resources:
    """Amounts of what the scheduler counts."""

    cpu_millis: int = 0
    memory_bytes: int = 0
    pods: int = 0
    neuroncore: int = 0
    neuron: int = 0


NOTHING: Final = Resources()


@dataclasses.dataclass(frozen=True, slots=True)
class NodeView:
    """What the planner knows of one node."""

    name: str
    labels: Mapping[str, str] = dataclasses.field(default_factory=dict)
    taints: tuple[Taint, ...] = ()
    ready: bool = False
    unschedulable: bool = False  # cordoned
    deleted: bool = False
    allocatable: Resources = NOTHING

    @property
    def hostname(self) -> str:
        """The value that a node selector on kubernetes.io/hostname must have."""
        return self.labels.get(names.HOSTNAME_LABEL, self.name)


def read(manifest: Mapping[str, Any]) -> NodeView:
    """Read a Node as the API server sends it."""
    metadata, spec, status = manifest.get("metadata") or {}, manifest.get("spec") or {}, manifest.get("status") or {}
    allocatable = status.get("allocatable") or {}
    return NodeView(
        name=metadata.get("name", ""),
        labels=metadata.get("labels") or {},
        taints=tuple(_taint(raw) for raw in spec.get("taints") or ()),
        ready=any(
            (each.get("type"), each.get("status")) == ("Ready", "True") for each in status.get("conditions") or ()
        ),
        unschedulable=bool(spec.get("unschedulable")),
        deleted="deletionTimestamp" in metadata,
        allocatable=Resources(
            quantities.milli(allocatable.get("cpu", 0)),
            quantities.whole(allocatable.get("memory", 0)),
            quantities.whole(allocatable.get("pods", 0)),
            quantities.whole(allocatable.get(names.CORE_RESOURCE, 0)),
            quantities.whole(allocatable.get(names.DEVICE_RESOURCE, 0)),
        ),
    )


def _taint(raw: Mapping[str, Any]) -> Taint:
    return Taint(raw.get("key", ""), raw.get("value") or "", raw.get("effect", ""))


def with_pod(usage: Resources, pod: pods.PodView) -> Resources:
    """Return the usage with one more pod."""
    return Resources(
        usage.cpu_millis + pod.cpu_millis,
        usage.memory_bytes + pod.memory_bytes,
        usage.pods + 1,
        usage.neuroncore + pod.neuroncores,
        usage.neuron + pod.neuron_devices,
    )


# --- may this pod run there? Equal reasons are equal texts: they are counted over nodes ------------------------------


def unavailable(node: NodeView) -> str | None:
    """Say why no new pod can use cores of this node."""
    if node.deleted:
        return "being deleted"
    if node.unschedulable:
        return "cordoned"
    if not node.ready:
        return "not Ready"
    if node.allocatable.neuroncore < 1:
        return "without allocatable NeuronCores (is the device plugin running?)"
    return None


def repelled(pod: pods.PodView, node: NodeView) -> str | None:
    """Say what in the pod's or the node's labels and taints keeps them apart."""
    labels = node.labels
    for key, value in pod.node_selector.items():
        if labels.get(key) != value:
            return "not matching the pod's node selector"
    if pod.affinity and not _wanted(pod.affinity, node):
        return "not matching the pod's node affinity"
    for taint in node.taints:
        if taint.effect in _REPELLING and not any(_tolerates(each, taint) for each in pod.tolerations):
            return f"with the untolerated taint {taint}"
    return None


def crowded(pod: pods.PodView, node: NodeView, usage: Resources) -> str | None:
    """Say which resource the scheduler would find missing.

    ``usage`` is what the node's pods and the promises made to others take.
    """
    limit = node.allocatable
    if usage.pods >= limit.pods:
        return "without a free pod slot"
    if pod.cpu_millis and usage.cpu_millis + pod.cpu_millis > limit.cpu_millis:
        return "with too little free CPU"
    if pod.memory_bytes and usage.memory_bytes + pod.memory_bytes > limit.memory_bytes:
        return "with too little free memory"
    if pod.neuroncores and usage.neuroncore + pod.neuroncores > limit.neuroncore:
        return f"with too little allocatable {names.CORE_RESOURCE} by the scheduler's count"
    if pod.neuron_devices and usage.neuron + pod.neuron_devices > limit.neuron:
        return f"with too little allocatable {names.DEVICE_RESOURCE} by the scheduler's count"
    return None


def _wanted(affinity: Mapping[str, Any], node: NodeView) -> bool:
    required = (affinity.get("nodeAffinity") or {}).get("requiredDuringSchedulingIgnoredDuringExecution")
    if not required:
        return True
    return any(_term_matches(term, node) for term in required.get("nodeSelectorTerms") or ())


def _term_matches(term: Mapping[str, Any], node: NodeView) -> bool:
    expressions, fields = term.get("matchExpressions") or (), term.get("matchFields") or ()
    if not expressions and not fields:
        return False  # an empty term selects nothing
    return _all_match(expressions, node.labels) and _all_match(fields, {"metadata.name": node.name})


def _all_match(requirements: Iterable[Mapping[str, Any]], values: Mapping[str, str]) -> bool:
    for requirement in requirements:
        operator = _OPERATORS.get(requirement.get("operator", ""))
        value = values.get(requirement.get("key", ""))
        if operator is None or not operator(value, requirement.get("values") or ()):
            return False
    return True


def _integer(text: str | None) -> int | None:
    try:
        return None if text is None else int(text)
    except ValueError:
        return None


def _compares(value: str | None, wanted: Iterable[str], *, sign: int) -> bool:
    left, right = _integer(value), _integer(next(iter(wanted), None))
    return left is not None and right is not None and sign * (left - right) > 0


_OPERATORS: Mapping[str, Callable[[str | None, Iterable[str]], bool]] = {
    "In": lambda value, wanted: value is not None and value in wanted,
    "NotIn": lambda value, wanted: value is None or value not in wanted,
    "Exists": lambda value, _: value is not None,
    "DoesNotExist": lambda value, _: value is None,
    "Gt": lambda value, wanted: _compares(value, wanted, sign=1),
    "Lt": lambda value, wanted: _compares(value, wanted, sign=-1),
}


def _tolerates(toleration: Mapping[str, Any], taint: Taint) -> bool:
    operator, key = toleration.get("operator") or "Equal", toleration.get("key") or ""
    if toleration.get("effect") not in {None, "", taint.effect}:
        return False
    if not key:
        return operator == "Exists"
    if key != taint.key:
        return False
    return operator == "Exists" or (operator == "Equal" and (toleration.get("value") or "") == taint.value)
