"""Fifth stage: pods that left the gate and cannot get to their cores are sent back, where somebody makes a new one.

Law: the grant stays until the pod is gone; a pod without a controller is only told, nobody deletes it.
"""

from collections.abc import Sequence

from neuronspan import grants
from neuronspan_operator import drafts, node_drafts, plans, pods


def run(draft: drafts.Draft) -> None:
    """Find pods in limbo."""
    for uid in sorted(draft.snapshot.pods):
        pod = draft.snapshot.pods[uid]
        if pod.gated or pod.deleted or pod.terminal or not _concerns_us(draft, pod):
            continue
        reason = _reason(draft, pod)
        if reason:
            _send_back(draft, pod, reason)


def _concerns_us(draft: drafts.Draft, pod: pods.PodView) -> bool:
    return pod.uid in draft.holders or (pod.grant_annotation is not None and not pod.node_name)


def _reason(draft: drafts.Draft, pod: pods.PodView) -> str:
    """Say why the pod will not get its cores, "" while it may."""
    granted = list(draft.granted_on(pod))
    for node, _ in granted:
        if pod.uid in node.contested and not _holds(node, pod):
            return f"somebody else holds its cores on node {node.name}"
    if pod.node_name:
        return ""
    home = draft.home(pod)
    if home and home not in draft.snapshot.nodes:
        return f"node {home} is gone"
    if not granted:
        # in no ledger at all: ours may be older than the pod, so only a grant seen to end is a reason
        return f"its cores on node {home} were taken back" if pod.uid in draft.holders else ""
    node, found = granted[0]  # the first stage left only those of the pod's own node
    return _stuck_before(node, found) or _unbound_for_long(draft, pod, node, found)


def _stuck_before(node: node_drafts.NodeDraft, granted: Sequence[grants.Grant]) -> str:
    if node.node is None:
        return f"node {node.name} is gone"
    if node.node.unschedulable or node.node.deleted or not node.node.ready:
        return f"node {node.name} is {node.ineligible}"
    if any(grant.span.overlaps(run) for grant in granted for run in node.view.unhealthy):
        return f"some of its cores on node {node.name} are unhealthy"
    return ""


def _unbound_for_long(
    draft: drafts.Draft, pod: pods.PodView, node: node_drafts.NodeDraft, granted: Sequence[grants.Grant]
) -> str:
    if not draft.elapsed(min(grant.since for grant in granted), node.policy.limbo_seconds):
        return ""
    words = f": {pod.unscheduled_message}" if pod.unscheduled_message else ""
    return f"the scheduler has not bound it to node {node.name} within {node.policy.limbo_seconds:g} s{words}"


def _holds(node: node_drafts.NodeDraft, pod: pods.PodView) -> bool:
    return any(
        held.pod_uid == pod.uid or (not held.pod_uid and (held.namespace, held.pod) == (pod.namespace, pod.name))
        for held in node.view.held
    )


def _send_back(draft: drafts.Draft, pod: pods.PodView, reason: str) -> None:
    if pod.owner is not None:
        draft.evictions.append(plans.Evict(pod, f"The pod cannot start on its cores: {reason}."))
        return
    draft.notice(
        pod,
        "Limbo",
        f"The pod cannot start on its cores: {reason}. It has no controller that would replace it: "
        f"delete it and create it again to get other cores.",
    )
