"""Remembers on which nodes the schedulers of guests refused their pods, so that the next ones are not sent there again.

Law: only a verdict about a pod that was let go counts, once per pod; a pod of the same controller that asks the same
keeps away from that node for a while, and longer after each refusal. A pod that is bound there ends it.
"""

import dataclasses
import hashlib
from collections.abc import Callable, Iterator
from typing import Final

from neuronspan_agent import backoff
from neuronspan_operator.objects import pods
from neuronspan_operator.planning import plans

DELAYS: Final = backoff.Delays(first=300.0, longest=7200.0)
"""Longer than it takes to evict a pod and to make the next one, else it would be sent to the same node at once."""


class GuestRefusals:
    """Watches snapshots; ``clock`` gives seconds that never go back."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._failures = backoff.Backoff(clock, DELAYS)
        self._clock = clock
        self._counted: set[str] = set()
        self._refused_at: dict[str, float] = {}

    def recall(self, snapshot: plans.Snapshot) -> plans.Snapshot:
        """Return the snapshot with the nodes that its waiting guests must not be sent to now."""
        self._observe(snapshot)
        avoided = {}
        for pod in snapshot.pods.values():
            if pod.gated:
                nodes = frozenset(name for name in snapshot.neuron_nodes if self._failures.holds(_key(pod, name)))
                if nodes:
                    avoided[pod.uid] = nodes
        return dataclasses.replace(snapshot, avoided=avoided) if avoided else snapshot

    def next_release(self) -> float | None:
        """Return the seconds after which a node may be tried again; None when none is avoided."""
        return self._failures.next_release()

    def _observe(self, snapshot: plans.Snapshot) -> None:
        self._counted &= snapshot.pods.keys()
        for pod in _let_go(snapshot):
            if pod.node_name:
                self._failures.succeeded(_key(pod, pod.node_name))
            elif pod.unscheduled is not None and pod.unscheduled.by_scheduler and pod.uid not in self._counted:
                self._counted.add(pod.uid)
                key = _key(pod, pod.granted_node)
                if not self._failures.holds(key):  # ten pods refused at once are one refusal
                    self._failures.failed(key)
                self._refused_at[key] = self._clock()
        oldest = self._clock() - 2 * DELAYS.longest
        self._refused_at = {key: moment for key, moment in self._refused_at.items() if moment > oldest}
        self._failures.keep_only(self._refused_at.keys())


def _let_go(snapshot: plans.Snapshot) -> Iterator[pods.PodView]:
    """Yield the guests that left our gate with cores, and are not over."""
    for pod in snapshot.pods.values():
        if pod.grant_annotation is not None and not (pod.unplaced or pod.terminal or pod.scheduled_by_us):
            yield pod


def _key(pod: pods.PodView, node: str) -> str:
    """Name a node for all pods that are alike: of one controller, with the same requests."""
    who = pod.owner.uid or pod.owner.name if pod.owner is not None else pod.uid
    what = repr((pod.namespace, who, tuple(request.placement_key for request in pod.requests)))
    return f"{node}/{hashlib.sha256(what.encode()).hexdigest()[:16]}"
