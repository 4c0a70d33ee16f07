"""Keeps controllers from using up pods: those whose pods fail at their start get cores later and later.

Law: only waiting pods without a grant are held back; what has cores is never touched. A pod whose container comes to
hold its cores ends the delays of its owner.
"""

from collections.abc import Callable, Iterable, Iterator

from neuronspan import grants
from neuronspan_operator import reasons
from neuronspan_operator.objects import pods
from neuronspan_operator.planning import plans
from neuronspan_operator.reconciling import ledger_writes
from neuronspan_operator.reconciling.memory import holdings, pauses


class StormGuard:
    """Watches for pods that kubelet refused, and holds their successors back: ``waiting`` says who waits, and why.

    ``known`` is asked for a pod by its UID; ``failures`` are those of all writes.
    """

    def __init__(
        self,
        failures: pauses.Pauses,
        held: holdings.Holdings,
        known: Callable[[str], pods.PodView | None],
    ) -> None:
        self.waiting: dict[str, plans.Waiting] = {}
        self._failures = failures
        self._held = held
        self._known = known
        self._counted: set[str] = set()
        self._owner_of: dict[str, str] = {}  # the key of the owner by UID, of waiting pods
        self._waiting_of: dict[str, set[str]] = {}  # the other way round

    def observe(self, changed: Iterable[str]) -> dict[str, bool]:
        """Look at the pods that changed, or whose grants did; return who is held back now and who is not any more."""
        affected = set(changed)
        for uid in affected:
            self._observe(uid, self._known(uid))
        for key in self._failures.moved():
            affected |= self._concerned(key)
        return dict(self._decided(affected))

    def _observe(self, uid: str, pod: pods.PodView | None) -> None:
        self._file(uid, owner_key(pod) if pod is not None and pod.waits else "")
        if pod is None:
            self._counted.discard(uid)
        elif pod.owner is not None:
            key, state = owner_key(pod), self._held.state(uid)
            if state is grants.GrantState.CONFIRMED:
                if uid not in self._counted:
                    self._counted.add(uid)
                    self._failures.succeeded(key)
            elif state is grants.GrantState.GRANTED and pod.phase == "Failed" and uid not in self._counted:
                self._counted.add(uid)
                if not self._failures.holds(key):  # ten pods refused at once are one failure
                    self._failures.failed(key)

    def _file(self, uid: str, owner: str) -> None:
        """Enter a waiting pod under its owner, and take out another one."""
        before = self._owner_of.pop(uid, "")
        if before:
            self._waiting_of[before].discard(uid)
            if not self._waiting_of[before]:
                del self._waiting_of[before]
        if owner:
            self._owner_of[uid] = owner
            self._waiting_of.setdefault(owner, set()).add(uid)

    def _concerned(self, key: str) -> set[str]:
        """Return the UIDs of the waiting pods that a back-off key is about."""
        return self._waiting_of.get(key) or {ledger_writes.uid_of_grant(key) or key}

    def _decided(self, affected: Iterable[str]) -> Iterator[tuple[str, bool]]:
        for uid in affected:
            pod, before = self._known(uid), self.waiting.pop(uid, None)
            held = pod is not None and pod.waits and self._held.state(uid) is None and self._remaining(pod) > 0
            if pod is not None and held:
                self.waiting[uid] = self._why(pod)
            if self.waiting.get(uid) != before:
                yield uid, held

    def _remaining(self, pod: pods.PodView) -> float:
        of_owner = self._failures.remaining(owner_key(pod)) if pod.owner is not None else 0.0
        own = (self._failures.remaining(key) for key in (pod.uid, ledger_writes.grant_key(pod.uid)))
        return max(of_owner, *own)

    def _why(self, pod: pods.PodView) -> plans.Waiting:
        if pod.owner is None or not self._failures.holds(owner_key(pod)):
            message = "changing this pod failed; it is tried again soon"
        else:
            message = (
                f"earlier pods of {pod.owner.kind} {pod.owner.name} failed before or at their start "
                "(see their status): this one gets cores a little later"
            )
        return plans.Waiting(reasons.WaitingReason.BACK_OFF, message)


def owner_key(pod: pods.PodView) -> str:
    """Return the back-off key of the pod's controller, "" without one."""
    owner = pod.owner
    return f"owner/{pod.namespace}/{owner.kind}/{owner.name}" if owner is not None else ""
