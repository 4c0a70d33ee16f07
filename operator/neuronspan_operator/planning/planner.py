"""The planner: from what is known of the cluster to everything that has to be done now. Pure.

Law: equal snapshots give equal plans; the plans after one whose ledgers are stored undo nothing, and come to rest.
Each stage is a module with a ``run``; no stage knows another, what they share is in the draft.
"""

import dataclasses
import datetime as dt
from collections.abc import Collection, Sequence

from neuronspan_operator import reasons
from neuronspan_operator.planning import drafts, plans
from neuronspan_operator.planning import snapshot as snapshots  # the argument has the plain name
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
    warning,
)

_STAGES = releasing, confirming, correcting, resuming, sending_back, warning, refusing, granting, preempting, explaining
"""In the order of trust: what has ended, what nodes say, what was promised, what is new, who ends for whom, and why
the rest waits."""


def plan(snapshot: plans.Snapshot, now: dt.datetime) -> plans.Plan:
    """Decide everything that follows from the snapshot at that moment (timezone-aware)."""
    draft = drafts.Draft(snapshot, now)
    for stage in _STAGES:
        stage.run(draft)
    return draft.plan()


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
