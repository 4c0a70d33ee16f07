"""Pods whose user namespace shuts them out of the devices that they are granted: they are told so.

Law: what the node's plugin says counts; nothing here changes what anybody gets.
"""

from neuronspan_operator import reasons
from neuronspan_operator.planning.drafting import drafts, node_drafts


def run(draft: drafts.Draft, node: node_drafts.NodeDraft) -> None:
    """Warn the pods with grants here that have a user namespace of their own, where devices are not mounted."""
    if node.view.user_namespaces is not False:
        return
    for uid in sorted({grant.pod_uid for grant in node.stored.grants}):
        pod = draft.snapshot.pods.get(uid)
        if pod is not None and pod.user_namespace and not (pod.deleted or pod.terminal):
            draft.notice(pod, reasons.EventReason.USER_NAMESPACE, _words(node.name), lasting=True)


def _words(node: str) -> str:
    return (
        f"The pod has a user namespace of its own (hostUsers: false), and the real devices of node {node} do not reach "
        "its containers there: they see another device, or do not start. Give devicePlugin.extraEnv of the chart "
        "NEURONSPAN_MOUNT_DEVICES=true, or create the pod again without hostUsers: false."
    )
