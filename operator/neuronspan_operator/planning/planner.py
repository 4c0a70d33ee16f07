"""The planner: from what is known of the cluster to everything that has to be done now. Pure.

Law: equal facts give equal plans, whether they became known at once or bit by bit; the plans after one whose ledgers
are stored undo nothing, and come to rest. Each stage is a module with a ``run``; no stage knows another, what they
share is in the draft.
"""

import dataclasses
import datetime as dt
from collections.abc import Collection, Sequence
from typing import Final

from neuronspan_operator import reasons
from neuronspan_operator.planning import composing, facts, plans, renewal
from neuronspan_operator.planning import snapshot as snapshots  # the argument has the plain name
from neuronspan_operator.planning.drafting import drafts
from neuronspan_operator.planning.stages import (
    confirming,
    correcting,
    explaining,
    granting,
    preempting,
    refusing,
    releasing,
    resuming,
    sending_back,
    shutting_out,
    warning,
)

_OF_NODES = releasing, confirming, correcting, shutting_out
"""In the order of trust: what has ended, what nodes say. Then come pods: see ``Planner``."""


AGAIN: Final = dt.timedelta(seconds=1)
"""People read why pods wait, and each event may change the numbers in all of these sentences."""


class Planner:
    """Keeps what is known and what was decided from one plan to the next; after an exception it cannot be used.

    Why a pod waits is said at once; what was said is said anew in rounds, ``again`` from one to the next, and a pod
    that others may be ended for looks for victims as often. After ``starvation_seconds`` a pod that waits has a place
    kept; 0: never.
    """

    def __init__(self, *, starvation_seconds: float = 0.0, again: dt.timedelta = AGAIN) -> None:
        self.facts = facts.Facts(starvation_seconds=starvation_seconds)
        self._draft = drafts.Draft()
        self._granting = granting.Granting(self._draft)
        self._preempting = preempting.Preempting(self._draft, again)
        self._explaining = explaining.Explaining(self._draft, again)

    def plan(self, changes: facts.Changes, now: dt.datetime) -> plans.Plan:
        """Return everything that is to be done at that moment (timezone-aware), after these changes.

        What it refers to is valid until the next call.
        """
        return self._plan(self.facts.take(changes), now)

    def begin(self, snapshot: plans.Snapshot, now: dt.datetime) -> plans.Plan:
        """Return the first plan, for all that is known."""
        return self._plan(self.facts.fill(snapshot), now)

    def _plan(self, touched: facts.Touched, now: dt.datetime) -> plans.Plan:
        draft = self._draft
        draft.begin(self.facts.snapshot(), now)
        work = renewal.absorb(draft, touched)
        work.pods |= self._granting.granted
        for name in sorted(work.nodes):
            work.pods |= self._decide_node(name)
        self._decide_pods(work, anew=touched.endings)
        return composing.of(draft)

    def _decide_node(self, name: str) -> set[str]:
        """Decide about one node; return the UIDs of pods about which that may decide something."""
        draft = self._draft
        before = draft.nodes.get(name)
        affected = set() if before is None else before.contested
        node = draft.open_node(name)
        if node is None:
            return affected
        for stage in _OF_NODES:
            stage.run(draft, node)
        draft.table.note_releases(name)
        guests = {grant.pod_uid for grant in node.stored.grants} & draft.indices.let_go
        return affected | node.contested | guests

    def _decide_pods(self, work: renewal.Work, *, anew: bool) -> None:
        """Decide about pods: first who has grants, then who was let go, then who waits."""
        draft = self._draft
        in_flight = draft.indices.in_flight()
        draft.groups.begin()
        if not (in_flight or work.nodes or work.pods or draft.indices.waiting):
            draft.groups.go_on({})
            self._granting.granted.clear()
            return
        work.pods.update(in_flight)
        for uid in work.pods:
            draft.open_pod(uid)
        draft.count_promises(sorted(work.nodes))
        changed = draft.groups.go_on(resuming.run(draft, in_flight))
        for uid in {uid for key in changed for uid in draft.indices.groups.of(key)} - work.pods:
            draft.open_pod(uid)
            work.pods.add(uid)
        for uid in sorted(work.pods & draft.snapshot.pods.keys()):
            draft.about_pod(uid)
            pod = draft.snapshot.pods[uid]
            sending_back.run(draft, pod)
            warning.run(draft, pod)
        for pod in draft.undecided(work.pods):
            draft.about_pod(pod.uid)
            refusing.run(draft, pod)
        held = {name for uid in in_flight for name in draft.indices.holders.of(uid)}
        draft.count_promises(sorted(held | draft.table.unsettled))
        for name in draft.table.unsettled:
            draft.table.note_releases(name)
        undecided = draft.undecided(work.pods)
        undecided += self._preempting.begin(undecided, anew=anew)
        self._granting.run(undecided, self._preempting if self._preempting.looks else None)
        self._preempting.run()
        self._explaining.run()


def plan(snapshot: plans.Snapshot, now: dt.datetime) -> plans.Plan:
    """Decide everything that follows from the snapshot at that moment (timezone-aware)."""
    return Planner(again=dt.timedelta()).begin(snapshot, now)


def plan_around(snapshot: plans.Snapshot, now: dt.datetime) -> plans.Plan:
    """Plan, and if that ends in an exception leave out the waiting pods that bring it about: all others go on.

    Raises what ``plan`` raises when it is none of these pods.
    """
    try:
        return plan(snapshot, now)
    except Exception as bug:
        granted = snapshots.granted(snapshot)
        suspects = [uid for uid, pod in sorted(snapshot.pods.items()) if pod.waits and uid not in granted]
        guilty = [] if _fails(_without(snapshot, suspects), now) else _guilty(snapshot, suspects, now)
        if not guilty:
            raise
        found = plan(_without(snapshot, guilty), now)
        message = (
            f"Planning for this pod ended in an error of the operator: {bug!r}. Please report it; the log has more."
        )
        why = plans.Waiting(reasons.WaitingReason.PLANNING_FAILED, message)
        return dataclasses.replace(found, waiting={**found.waiting, **dict.fromkeys(guilty, why)}, bug=bug)


def _guilty(snapshot: plans.Snapshot, suspects: Sequence[str], now: dt.datetime) -> list[str]:
    """Return which of the suspects cannot be planned for; without any of them planning succeeds."""
    if not suspects or not _fails(snapshot, now):
        return []
    if len(suspects) == 1:
        return list(suspects)
    half = len(suspects) // 2
    first = _guilty(_without(snapshot, suspects[half:]), suspects[:half], now)
    return [*first, *_guilty(_without(snapshot, first), suspects[half:], now)]


def _fails(snapshot: plans.Snapshot, now: dt.datetime) -> bool:
    try:
        plan(snapshot, now)
    except Exception:  # noqa: BLE001 - see plan_around
        return True
    return False


def _without(snapshot: plans.Snapshot, left_out: Collection[str]) -> plans.Snapshot:
    missing = frozenset(left_out)
    rest = {uid: pod for uid, pod in snapshot.pods.items() if uid not in missing}
    return dataclasses.replace(snapshot, pods=rest)
