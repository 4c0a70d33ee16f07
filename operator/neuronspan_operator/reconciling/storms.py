"""Keeps controllers from using up pods: those whose pods fail before they start get cores later and later.

Law: only waiting pods without a grant are held back; what has cores is never touched. A pod whose container holds its
cores ends the delays of its owner.
"""

import dataclasses

from neuronspan import grants
from neuronspan_agent import backoff
from neuronspan_operator import reasons
from neuronspan_operator.objects import pods
from neuronspan_operator.planning import plans
from neuronspan_operator.reconciling import ledger_writes


class StormGuard:
    """Watches snapshots for pods that kubelet refused, and holds their successors back."""

    def __init__(self, failures: backoff.Backoff) -> None:
        self._failures = failures
        self._counted: set[str] = set()

    def calm(self, snapshot: plans.Snapshot) -> tuple[plans.Snapshot, dict[str, plans.Waiting]]:
        """Return the snapshot without the pods that have to wait, and why they wait, by UID."""
        states = _states(snapshot)
        self._observe(snapshot, states)
        held = {
            uid: self._waiting(pod)
            for uid, pod in snapshot.pods.items()
            if pod.waits and uid not in states and self._remaining(pod) > 0
        }
        if not held:
            return snapshot, held
        rest = {uid: pod for uid, pod in snapshot.pods.items() if uid not in held}
        return dataclasses.replace(snapshot, pods=rest), held

    def _observe(self, snapshot: plans.Snapshot, states: dict[str, grants.GrantState]) -> None:
        self._counted &= snapshot.pods.keys()
        for uid, state in states.items():
            pod = snapshot.pods.get(uid)
            if pod is None or pod.owner is None:
                continue
            key = owner_key(pod)
            if state is grants.GrantState.CONFIRMED:
                self._failures.succeeded(key)
            elif state is grants.GrantState.GRANTED and pod.phase == "Failed" and uid not in self._counted:
                self._counted.add(uid)
                if not self._failures.holds(key):  # ten pods refused at once are one failure
                    self._failures.failed(key)

    def _remaining(self, pod: pods.PodView) -> float:
        of_owner = self._failures.remaining(owner_key(pod)) if pod.owner is not None else 0.0
        own = (self._failures.remaining(key) for key in (pod.uid, ledger_writes.grant_key(pod.uid)))
        return max(of_owner, *own)

    def _waiting(self, pod: pods.PodView) -> plans.Waiting:
        if pod.owner is None or not self._failures.holds(owner_key(pod)):
            message = "changing this pod failed; it is tried again soon"
        else:
            message = (
                f"earlier pods of {pod.owner.kind} {pod.owner.name} failed before they started (see their status): "
                "this one gets cores a little later"
            )
        return plans.Waiting(reasons.WaitingReason.BACK_OFF, message)


def owner_key(pod: pods.PodView) -> str:
    """Return the back-off key of the pod's controller, which must exist."""
    owner = pod.owner
    return f"owner/{pod.namespace}/{owner.kind}/{owner.name}" if owner is not None else ""


def _states(snapshot: plans.Snapshot) -> dict[str, grants.GrantState]:
    """Return the state of each pod's grants, Confirmed if any of them is."""
    states: dict[str, grants.GrantState] = {}
    for view in snapshot.neuron_nodes.values():
        for grant in () if view.ledger is None else view.ledger.grants:
            if states.get(grant.pod_uid) is not grants.GrantState.CONFIRMED:
                states[grant.pod_uid] = grant.state
    return states
