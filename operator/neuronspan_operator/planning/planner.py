"""The planner: from what is known of the cluster to everything that has to be done now. Pure.

Law: equal snapshots give equal plans; the plans after one whose ledgers are stored undo nothing, and come to rest.
Each stage is a module with a ``run``; no stage knows another, what they share is in the draft.
"""

import datetime as dt

from neuronspan_operator.planning import drafts, plans
from neuronspan_operator.planning.stages import (
    confirming,
    correcting,
    explaining,
    granting,
    refusing,
    releasing,
    resuming,
    sending_back,
    warning,
)

_STAGES = releasing, confirming, correcting, resuming, sending_back, warning, refusing, granting, explaining
"""In the order of trust: what has ended, what nodes say, what was promised, what is new, and why the rest waits."""


def plan(snapshot: plans.Snapshot, now: dt.datetime) -> plans.Plan:
    """Decide everything that follows from the snapshot at that moment (timezone-aware)."""
    draft = drafts.Draft(snapshot, now)
    for stage in _STAGES:
        stage.run(draft)
    return draft.plan()
