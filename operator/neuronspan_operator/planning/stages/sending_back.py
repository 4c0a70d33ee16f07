"""Pods that were let go and cannot get to their cores are sent back, where a controller makes new ones.

Law: nobody is evicted because it waited: a guest goes back only once its own scheduler has said, after it left our
gate, that it cannot place it. Pods whose end would do harm (bare ones, and those of Jobs, which count failures) are
never evicted: they get an Event, and an unbound one loses its cores.
"""

from collections.abc import Sequence
from typing import Final

from neuronspan import grants
from neuronspan_operator import reasons
from neuronspan_operator.objects import pods
from neuronspan_operator.planning import plans
from neuronspan_operator.planning.drafting import drafts, node_drafts

_COUNTING: Final = "Job"
"""Kind of the controller that takes a pod's end for a failure and may give up after some."""


def run(draft: drafts.Draft, pod: pods.PodView) -> None:
    """Send one pod back if it is in limbo."""
    reason = _reason(draft, pod) if _concerns_us(draft, pod) else ""
    if reason:
        _send_back(draft, pod, reason)


def _concerns_us(draft: drafts.Draft, pod: pods.PodView) -> bool:
    if pod.unplaced or pod.deleted or pod.terminal or pod.static:  # kubelet alone decides about one of its files
        return False
    return pod.uid in draft.indices.holders or (pod.grant_annotation is not None and not pod.node_name)


def _reason(draft: drafts.Draft, pod: pods.PodView) -> str:
    """Say why the pod will not get its cores, "" while it may."""
    if pod.node_name:
        node = draft.nodes.get(pod.node_name)
        return "" if node is None else _contested(node, pod)
    if pod.unscheduled is None or not pod.unscheduled.by_scheduler:
        return ""
    home = draft.home(pod)
    if home and home not in draft.snapshot.nodes:
        return f"node {home} is gone"
    granted = next(draft.granted_on(pod), None)  # grants on other nodes have been released
    if granted is None:
        # in no ledger at all: ours may be older than the pod, so only a grant seen to end is a reason
        return f"its cores on node {home} were taken back" if pod.uid in draft.indices.holders else ""
    return _contested(granted[0], pod) or _stuck_before(*granted) or _unbound_for_long(draft, pod, *granted)


def _contested(node: node_drafts.NodeDraft, pod: pods.PodView) -> str:
    if pod.uid not in node.contested or not node.grants_of(pod.uid) or _holds(node, pod):
        return ""
    return f"another container holds its cores on node {node.name}"


def _stuck_before(node: node_drafts.NodeDraft, granted: Sequence[grants.Grant]) -> str:
    if node.host is None:
        return f"node {node.name} is gone"
    if node.host.unschedulable:
        return f"node {node.name} is cordoned"
    if node.host.draining or node.host.deleted or not node.host.ready:
        return f"node {node.name} is {node.ineligible}"
    unhealthy = node.unhealthy_among(granted)
    return f"some of its cores on node {node.name} are unhealthy: {unhealthy}" if unhealthy else ""


def _unbound_for_long(
    draft: drafts.Draft, pod: pods.PodView, node: node_drafts.NodeDraft, granted: Sequence[grants.Grant]
) -> str:
    if not draft.elapsed(min(grant.since for grant in granted), node.policy.limbo_seconds):
        return ""
    words = f": {pod.unscheduled.message}" if pod.unscheduled is not None and pod.unscheduled.message else ""
    return f"its scheduler has not bound it to node {node.name} within {node.policy.limbo_seconds:g} s{words}"


def _holds(node: node_drafts.NodeDraft, pod: pods.PodView) -> bool:
    return any(
        held.pod_uid == pod.uid or (not held.pod_uid and (held.namespace, held.pod) == (pod.namespace, pod.name))
        for held in node.view.held
    )


def _send_back(draft: drafts.Draft, pod: pods.PodView, reason: str) -> None:
    if pod.owner is not None and pod.owner.kind != _COUNTING:
        draft.decide(plans.Evict(pod, f"The pod cannot start on its cores: {reason}."))
        return
    why = "It has no controller that would replace it" if pod.owner is None else "Its Job would count that as a failure"
    message = f"The pod cannot start on its cores: {reason}. {why}: delete it and create it again to get other cores."
    draft.notice(pod, reasons.EventReason.LIMBO, message)
    for node, granted in () if pod.node_name else tuple(draft.granted_on(pod)):
        for grant in granted:
            node.change(node.ledger.release(grant.key, draft.since), f"{grant} is released: {reason}")
