"""Pods that left the gate and cannot get to their cores are sent back, where a controller makes new ones.

Law: the grant stays until the pod is gone; a pod without a controller gets an Event and is not deleted.
"""

from collections.abc import Sequence

from neuronspan import grants
from neuronspan_operator import reasons
from neuronspan_operator.objects import pods
from neuronspan_operator.planning import drafts, node_drafts, plans


def run(draft: drafts.Draft) -> None:
    """Find pods in limbo."""
    for uid in sorted(uid for uid, pod in draft.snapshot.pods.items() if _concerns_us(draft, pod)):
        pod = draft.snapshot.pods[uid]
        reason = _reason(draft, pod)
        if reason:
            _send_back(draft, pod, reason)


def _concerns_us(draft: drafts.Draft, pod: pods.PodView) -> bool:
    if pod.gated or pod.deleted or pod.terminal:
        return False
    return pod.uid in draft.holders or (pod.grant_annotation is not None and not pod.node_name)


def _reason(draft: drafts.Draft, pod: pods.PodView) -> str:
    """Say why the pod will not get its cores, "" while it may."""
    if pod.node_name:
        node = draft.nodes.get(pod.node_name)
        return "" if node is None else _contested(node, pod)
    home = draft.home(pod)
    if home and home not in draft.snapshot.nodes:
        return f"node {home} is gone"
    granted = next(draft.granted_on(pod), None)  # grants on other nodes have been released
    if granted is None:
        # in no ledger at all: ours may be older than the pod, so only a grant seen to end is a reason
        return f"its cores on node {home} were taken back" if pod.uid in draft.holders else ""
    return _contested(granted[0], pod) or _stuck_before(*granted) or _unbound_for_long(draft, pod, *granted)


def _contested(node: node_drafts.NodeDraft, pod: pods.PodView) -> str:
    if pod.uid not in node.contested or not node.grants_of(pod.uid) or _holds(node, pod):
        return ""
    return f"another container holds its cores on node {node.name}"


def _stuck_before(node: node_drafts.NodeDraft, granted: Sequence[grants.Grant]) -> str:
    if node.host is None:
        return f"node {node.name} is gone"
    if node.host.unschedulable or node.host.deleted or not node.host.ready:
        return f"node {node.name} is {node.ineligible}"
    unhealthy = node.unhealthy_among(granted)
    return f"some of its cores on node {node.name} are unhealthy: {unhealthy}" if unhealthy else ""


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
        reasons.EventReason.LIMBO,
        f"The pod cannot start on its cores: {reason}. It has no controller that would replace it: "
        f"delete it and create it again to get other cores.",
    )
