"""Grants of pods that are over become Releasing, and Releasing grants with proof are forgotten.

Law: cores are free again only when the node's plugin reports that no process of the pod is left. A lost plugin proves
nothing, nor does a pod that our cache does not have (it is asked for), nor a node that is gone: its ledger stays whole
until it is given up as a whole (see pools/standings.py).
"""

from neuronspan import grants
from neuronspan_agent import resources
from neuronspan_operator.objects import pods
from neuronspan_operator.planning.drafting import drafts, node_drafts


def run(draft: drafts.Draft, node: node_drafts.NodeDraft) -> None:
    """Release and forget on one node."""
    for grant in node.ledger.grants:
        if grant.state is grants.GrantState.RELEASING:
            if grant.pod_uid in node.view.released:
                proof = "no process of the pod is left on the node"
                node.change(node.ledger.forget(grant.key), f"{grant} is free: {proof}")
        else:
            ended = _ended(draft, node, grant)
            if ended:
                node.change(node.ledger.release(grant.key, draft.since), f"{grant} is released: {ended}")


def _ended(draft: drafts.Draft, node: node_drafts.NodeDraft, grant: grants.Grant) -> str:
    """Say why the pod will never use this grant again, "" when it may."""
    pod = draft.snapshot.pods.get(grant.pod_uid)
    if pod is None and resources.is_static(grant.pod_uid) and _runs(node, grant.pod_uid):
        return ""  # its mirror is gone, and kubelet makes another
    if pod is None:
        return "" if draft.exists(grant.pod_uid, grant.namespace, grant.pod) else "the pod is gone"
    if pod.terminal:
        return f"the pod has {pod.phase.lower()}"
    return _elsewhere(draft, node, pod)


def _runs(node: node_drafts.NodeDraft, uid: str) -> bool:
    return any(held.processes for held in node.view.held if held.pod_uid == uid)


def _elsewhere(draft: drafts.Draft, node: node_drafts.NodeDraft, pod: pods.PodView) -> str:
    home = draft.home(pod)
    return f"the pod belongs to node {home}" if home not in {"", node.name} else ""
