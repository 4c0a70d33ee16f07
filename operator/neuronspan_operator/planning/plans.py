"""What planning reads (Snapshot) and what it answers (Plan): plain values, no decision.

Law: a Plan is carried out in this order: ``inquiries`` and ``patches``, ledger writes, and after the write of its node
the writes of claims and volumes, then each binding and ungate.
"""

import dataclasses
import datetime as dt
import enum
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, Self

from neuronspan import ledger, spans
from neuronspan_operator import reasons
from neuronspan_operator.objects import budgets, neuron_nodes, nodes, pod_changes, pods, pools
from neuronspan_operator.objects.constraints import storage
from neuronspan_operator.scheduling.volumes import claiming


@dataclasses.dataclass(frozen=True, slots=True)
class Snapshot:
    """The world at one moment. Pods are keyed by UID, all else by node name; a missing policy is the default one.

    ``gone`` are UIDs of pods that are known not to exist any more; a pod that is merely missing may be unknown to us.
    ``avoided`` are nodes where pods like these were refused after they had got cores there, by UID. ``spared`` are UIDs
    of pods that the API server would not evict lately. A pod that waits for ``starvation_seconds`` has a place kept; 0:
    never.
    """

    pods: Mapping[str, pods.PodView]
    nodes: Mapping[str, nodes.NodeView]
    neuron_nodes: Mapping[str, neuron_nodes.NeuronNodeView]
    policies: Mapping[str, pools.Policy] = dataclasses.field(default_factory=dict)
    gone: AbstractSet[str] = frozenset()
    avoided: Mapping[str, frozenset[str]] = dataclasses.field(default_factory=dict)
    namespaces: Mapping[str, Mapping[str, str]] = dataclasses.field(default_factory=dict)  # the labels of each
    storage: "storage.Storage" = storage.EMPTY
    budgets: "Mapping[str, budgets.Budget]" = dataclasses.field(default_factory=dict)  # by namespace and name
    spared: AbstractSet[str] = frozenset()
    starvation_seconds: float = 0.0


class NoticeType(enum.StrEnum):
    """The two types of Kubernetes Events."""

    NORMAL = "Normal"
    WARNING = "Warning"


@dataclasses.dataclass(frozen=True, slots=True)
class LedgerWrite:
    """Store this ledger if the NeuronNode still has that resourceVersion; ``why`` has a sentence per change."""

    node: str
    resource_version: str
    ledger: ledger.Ledger
    why: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Ungate:
    """Let a guest go to its scheduler, pinned to its node; only when the stored ledger there has these grants."""

    pod: pods.PodView
    node: str
    spans: Mapping[str, spans.CoreSpan]  # by container
    hostname: str = ""  # the node's kubernetes.io/hostname label

    @property
    def patch(self) -> list[dict[str, Any]]:
        """The JSON patch that does it."""
        return pod_changes.ungate_patch(self.pod, self.node, self.spans, self.hostname)


@dataclasses.dataclass(frozen=True, slots=True)
class Bind:
    """Bind the pod to its node; only when the stored ledger of that node has these grants."""

    pod: pods.PodView
    node: str
    spans: Mapping[str, spans.CoreSpan]  # by container


@dataclasses.dataclass(frozen=True, slots=True)
class PodPatch:
    """A patch through a pod's status: a correction of its grant annotation, or a fence before a grant is revoked."""

    pod: pods.PodView
    patch: dict[str, Any]
    why: str


@dataclasses.dataclass(frozen=True, slots=True)
class Inquiry:
    """Ask the API server whether a pod exists that has or holds cores and is not known here."""

    uid: str
    namespace: str
    name: str


@dataclasses.dataclass(frozen=True, slots=True)
class Evict:
    """Evict the pod: its controller makes another one, which is placed anew."""

    pod: pods.PodView
    reason: str
    event: reasons.EventReason = reasons.EventReason.EVICTED


@dataclasses.dataclass(frozen=True, slots=True)
class Notice:
    """An Event on a pod."""

    namespace: str
    name: str
    uid: str
    type: NoticeType
    reason: reasons.EventReason | reasons.WaitingReason
    message: str
    lasting: bool = False  # true for as long as it is told: renewed before the API server forgets it
    said_before: bool = False  # also by another process, as far as the pod shows

    @classmethod
    def on(
        cls,
        pod: pods.PodView,
        reason: reasons.EventReason | reasons.WaitingReason,
        message: str,
        *,
        warning: bool = True,
    ) -> Self:
        """Return the Event for this pod."""
        kind = NoticeType.WARNING if warning else NoticeType.NORMAL
        return cls(pod.namespace, pod.name, pod.uid, kind, reason, message)


@dataclasses.dataclass(frozen=True, slots=True)
class Waiting:
    """Why a pod does not start yet, and what would make it.

    ``node`` is where it has its cores already, or where pods are ending whose cores are kept for it.

    ``passing`` marks what the next round ends by itself: it is not told, since that write would be in the way of the
    binding.
    """

    reason: reasons.WaitingReason
    message: str
    node: str = ""
    passing: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Drift:
    """Ledger and node disagree; ``kind`` is what to count it under."""

    node: str
    kind: reasons.DriftKind
    message: str


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """Everything to do now, in a fixed order: equal snapshots give equal plans.

    ``news`` are the UIDs whose entry in ``waiting`` came, went or changed since the plan before of the same planner.
    """

    ledgers: tuple[LedgerWrite, ...] = ()  # at most one per node
    claims: tuple[claiming.Write, ...] = ()
    bindings: tuple[Bind, ...] = ()
    ungates: tuple[Ungate, ...] = ()
    patches: tuple[PodPatch, ...] = ()
    inquiries: tuple[Inquiry, ...] = ()
    evictions: tuple[Evict, ...] = ()
    notices: tuple[Notice, ...] = ()
    waiting: Mapping[str, Waiting] = dataclasses.field(default_factory=dict)  # by pod UID
    drift: tuple[Drift, ...] = ()
    wake_at: dt.datetime | None = None  # when a timer matters next
    news: frozenset[str] = dataclasses.field(default=frozenset(), compare=False)
    bug: Exception | None = None  # what planning ended in for the pods that wait with PLANNING_FAILED

    @property
    def departures(self) -> tuple[Bind | Ungate, ...]:
        """The pods that go to their nodes, in whatever way."""
        return (*self.bindings, *self.ungates)


def listed(items: Iterable[str], most: int = 5, total: int | None = None) -> str:
    """Join names for a sentence, the first few of them: an Event has room for 1024 characters.

    With ``total`` the items are the first of so many.
    """
    named = list(items)
    more = (len(named) if total is None else total) - most
    rest = f" and {more} more" if more > 0 else ""
    return ", ".join(named[:most]) + rest
