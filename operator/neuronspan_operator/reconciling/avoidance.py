"""Remembers on which nodes pods were refused after they had got cores there: their like are not sent there again.

Law: two refusals count: that of a guest's own scheduler, once per pod that was let go, and that of a binding of ours by
the API server, from the third on. Pods of the same controller that ask the same then keep away from that node for a
while, and longer after each refusal. A pod that gets its node there ends it.
"""

import collections
import dataclasses
from collections.abc import Callable, Iterator
from typing import Final

from neuronspan_agent import backoff
from neuronspan_operator.objects import container_requests, pods
from neuronspan_operator.planning import plans

_BINDINGS: Final = 3
"""The first and the second refusal may pass by themselves."""
DELAYS: Final = backoff.Delays(first=300.0, longest=7200.0)
"""Longer than it takes to evict a pod and to make the next one, else it would be sent to the same node at once."""


_Likeness = tuple[str, str, tuple[container_requests.PlacementKey, ...]]


class Avoidance:
    """Watches snapshots; ``clock`` gives seconds that never go back."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._failures = backoff.Backoff(clock, DELAYS)
        self._clock = clock
        self._counted: set[str] = set()
        self._refused_at: dict[tuple[_Likeness, str], float] = {}  # by what was refused, and node
        self._bindings: collections.Counter[tuple[str, str]] = collections.Counter()  # by pod UID and node

    def recall(self, snapshot: plans.Snapshot) -> plans.Snapshot:
        """Return the snapshot with the nodes that its waiting pods must not be sent to now."""
        self._observe(snapshot)
        held: dict[_Likeness, set[str]] = collections.defaultdict(set)
        for likeness, node in self._refused_at:
            if self._failures.holds(_key(likeness, node)):
                held[likeness].add(node)
        if not held:  # as nearly always: then no pod is looked at
            return snapshot
        waiting = (pod for pod in snapshot.pods.values() if pod.waits)
        avoided = {pod.uid: frozenset(held[found]) for pod in waiting if (found := _likeness(pod)) in held}
        return dataclasses.replace(snapshot, avoided=avoided) if avoided else snapshot

    def binding_refused(self, pod: pods.PodView, node: str) -> None:
        """Note that the API server would not have the pod bound to the node."""
        self._bindings[pod.uid, node] += 1
        if self._bindings[pod.uid, node] >= _BINDINGS:
            self._refused(_likeness(pod), node)

    def next_release(self) -> float | None:
        """Return the seconds after which a node may be tried again; None when none is avoided."""
        return self._failures.next_release()

    def _observe(self, snapshot: plans.Snapshot) -> None:
        self._counted &= snapshot.pods.keys()
        for uid, node in [key for key in self._bindings if key[0] not in snapshot.pods]:
            del self._bindings[uid, node]
        for pod in _let_go(snapshot):
            if pod.node_name:
                self._succeeded(pod)
            elif pod.unscheduled is not None and pod.unscheduled.by_scheduler and pod.uid not in self._counted:
                self._counted.add(pod.uid)
                self._refused(_likeness(pod), pod.granted_node)
        oldest = self._clock() - 2 * DELAYS.longest
        self._refused_at = {key: moment for key, moment in self._refused_at.items() if moment > oldest}
        self._failures.keep_only({_key(*refused) for refused in self._refused_at})

    def _succeeded(self, pod: pods.PodView) -> None:
        if self._refused_at:
            self._failures.succeeded(_key(_likeness(pod), pod.node_name))

    def _refused(self, likeness: _Likeness, node: str) -> None:
        if not self._failures.holds(_key(likeness, node)):  # ten pods refused at once are one refusal
            self._failures.failed(_key(likeness, node))
        self._refused_at[likeness, node] = self._clock()


def _let_go(snapshot: plans.Snapshot) -> Iterator[pods.PodView]:
    """Yield the pods that were let go with cores, and are not over."""
    for pod in snapshot.pods.values():
        if pod.grant_annotation is not None and not (pod.unplaced or pod.terminal):
            yield pod


def _likeness(pod: pods.PodView) -> _Likeness:
    """Return what pods that are alike have in common: the controller, and the requests."""
    who = pod.owner.uid or pod.owner.name if pod.owner is not None else pod.uid
    return pod.namespace, who, tuple(request.placement_key for request in pod.requests)


def _key(likeness: _Likeness, node: str) -> str:
    return repr((likeness, node))
