"""Remembers on which nodes pods were refused after they had got cores there: their like are not sent there again.

Law: two refusals count: that of a guest's own scheduler, once per pod that was let go, and that of a binding of ours by
the API server, from the third on. Pods of the same controller that ask the same then keep away from that node for a
while, and longer after each refusal. A pod that gets its node there ends it.
"""

import collections
from collections.abc import Callable, Iterable
from typing import Final

from neuronspan_agent import backoff
from neuronspan_operator.objects import container_requests, pods
from neuronspan_operator.reconciling.memory import pauses

_BINDINGS: Final = 3
"""The first and the second refusal may pass by themselves."""
DELAYS: Final = backoff.Delays(first=300.0, longest=7200.0)
"""Longer than it takes to evict a pod and to make the next one, else it would be sent to the same node at once."""


_Likeness = tuple[str, str, tuple[container_requests.PlacementKey, ...]]
_NOWHERE: Final = frozenset[str]()


class Avoidance:
    """Watches pods; ``avoided`` are the nodes where waiting pods must not be sent now, by UID.

    ``clock`` gives seconds that never go back, ``known`` is asked for a pod by its UID.
    """

    def __init__(self, clock: Callable[[], float], known: Callable[[str], pods.PodView | None]) -> None:
        self.avoided: dict[str, frozenset[str]] = {}
        self._failures = pauses.Pauses(clock, DELAYS)
        self._clock = clock
        self._known = known
        self._waiting: set[str] = set()
        self._counted: set[str] = set()  # pods whose verdict was heard: refused, or on their node
        self._refused_at: dict[tuple[_Likeness, str], float] = {}  # by what was refused, and node
        self._bindings: dict[str, collections.Counter[str]] = {}  # by pod UID and node
        self._held: dict[_Likeness, frozenset[str]] = {}

    def observe(self, changed: Iterable[str]) -> dict[str, frozenset[str]]:
        """Look at the pods that changed; return the nodes to avoid of each waiting pod for which they are others."""
        affected = set(changed)
        for uid in affected:
            self._look(uid, self._known(uid))
        if self._failures.moved():
            self._renew()
            affected |= self._waiting  # seldom: not once per event, but once per refusal and its end
        before = {uid: self.avoided.pop(uid, _NOWHERE) for uid in affected}
        if self._held:  # nearly always there is none: then no pod is looked at
            for uid in affected & self._waiting:
                pod = self._known(uid)
                if pod is not None and (found := self._held.get(_likeness(pod))):
                    self.avoided[uid] = found
        return {uid: now for uid, then in before.items() if (now := self.avoided.get(uid, _NOWHERE)) != then}

    def binding_refused(self, pod: pods.PodView, node: str) -> None:
        """Note that the API server would not have the pod bound to the node."""
        times = self._bindings.setdefault(pod.uid, collections.Counter())
        times[node] += 1
        if times[node] >= _BINDINGS:
            self._refused(_likeness(pod), node)

    def next_release(self) -> float | None:
        """Return the seconds after which a node may be tried again; None when none is avoided."""
        return self._failures.next_release()

    def _look(self, uid: str, pod: pods.PodView | None) -> None:
        (self._waiting.add if pod is not None and pod.waits else self._waiting.discard)(uid)
        if pod is None:
            self._counted.discard(uid)
            self._bindings.pop(uid, None)
        elif uid not in self._counted and _is_let_go(pod):
            if pod.node_name:
                self._counted.add(uid)
                self._succeeded(pod)
            elif pod.unscheduled is not None and pod.unscheduled.by_scheduler:
                self._counted.add(uid)
                self._refused(_likeness(pod), pod.granted_node)

    def _renew(self) -> None:
        """Find out anew who has to keep away from where, and forget what was refused long ago."""
        oldest = self._clock() - 2 * DELAYS.longest
        self._refused_at = {key: moment for key, moment in self._refused_at.items() if moment > oldest}
        self._failures.keep_only({_key(*refused) for refused in self._refused_at})
        held: dict[_Likeness, set[str]] = collections.defaultdict(set)
        for likeness, node in self._refused_at:
            if self._failures.holds(_key(likeness, node)):
                held[likeness].add(node)
        self._held = {likeness: frozenset(nodes) for likeness, nodes in held.items()}

    def _succeeded(self, pod: pods.PodView) -> None:
        if self._refused_at:
            self._failures.succeeded(_key(_likeness(pod), pod.node_name))

    def _refused(self, likeness: _Likeness, node: str) -> None:
        if not self._failures.holds(_key(likeness, node)):  # ten pods refused at once are one refusal
            self._failures.failed(_key(likeness, node))
        self._refused_at[likeness, node] = self._clock()


def _is_let_go(pod: pods.PodView) -> bool:
    """Whether the pod was let go with cores, and is not over."""
    return pod.grant_annotation is not None and not (pod.unplaced or pod.terminal)


def _likeness(pod: pods.PodView) -> _Likeness:
    """Return what pods that are alike have in common: the controller, and the requests."""
    who = pod.owner.uid or pod.owner.name if pod.owner is not None else pod.uid
    return pod.namespace, who, tuple(request.placement_key for request in pod.requests)


def _key(likeness: _Likeness, node: str) -> str:
    return repr((likeness, node))
