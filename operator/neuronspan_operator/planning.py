"""The planner: from what is known of the cluster to everything that has to be done now. Pure.

Law: equal snapshots give equal plans, and the world after a plan gives a plan without further ledger writes.
Each stage is a module, in the order of trust: what has ended, what nodes say, what was promised, what is new.
"""

import datetime as dt

from neuronspan_operator import (
    agreement,
    confirming,
    drafts,
    granting,
    groups,
    limbo,
    node_choice,
    plans,
    releasing,
    resuming,
    waiting,
)


def plan(snapshot: plans.Snapshot, now: dt.datetime) -> plans.Plan:
    """Decide everything that follows from the snapshot at that moment (timezone-aware)."""
    draft = drafts.Draft(snapshot, now)
    pod_groups = groups.of(snapshot.pods.values())
    placements = node_choice.Placements()
    releasing.run(draft)
    confirming.run(draft)
    agreement.run(draft)
    resuming.run(draft, pod_groups)
    limbo.run(draft)
    waiting.refuse(draft)
    unserved = granting.run(draft, pod_groups, placements)
    explainer = waiting.Explainer(draft, placements)
    for pod in unserved:
        explainer.explain(pod, pod_groups.get((pod.namespace, pod.pod_group)))
    return draft.plan()
