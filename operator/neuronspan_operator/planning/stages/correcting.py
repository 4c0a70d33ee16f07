"""Grant annotations of pods that have their node say what the stored ledger says.

Law: the ledger is the truth; an annotation that says something else is corrected, and the pod gets an Event.
"""

import functools

from neuronspan import spans
from neuronspan_operator import reasons
from neuronspan_operator.objects import pod_changes, pods
from neuronspan_operator.planning import plans
from neuronspan_operator.planning.drafting import drafts, node_drafts


def run(draft: drafts.Draft, node: node_drafts.NodeDraft) -> None:
    """Correct annotations; a grant that changes in this very pass is left to the next one, when it is stored."""
    for uid in sorted({grant.pod_uid for grant in node.stored.grants}):
        pod = draft.snapshot.pods.get(uid)
        if pod is None or pod.deleted or pod.terminal or not pod.resource_version:  # not seen since it was bound
            continue
        if draft.home(pod) == node.name:  # an unplaced pod has no home yet
            _correct(draft, node, pod)


@functools.lru_cache(maxsize=2**15)
def _text(node: str, granted: tuple[tuple[str, spans.CoreSpan], ...]) -> str:
    """Return what the annotation has to say; asked for all pods of a node whenever something about it changes."""
    return pod_changes.grant_text(node, dict(granted))


def _correct(draft: drafts.Draft, node: node_drafts.NodeDraft, pod: pods.PodView) -> None:
    granted = {grant.container: grant.span for grant in node.grants_of(pod.uid)}
    text = _text(node.name, tuple(granted.items()))
    if pod.grant_annotation == text or not granted:
        return
    stored = {grant.container: grant.span for grant in node.stored.of_pod(pod.uid)}
    if granted != stored or pod.annotated_grant() == pod_changes.grant_content(node.name, granted):
        return
    if pod.grant_annotation is None:
        why = f"The pod holds cores without a grant annotation: added {text}."
        draft.notice(pod, reasons.EventReason.GRANT_ADOPTED, why, warning=False)
    else:
        why = f"The grant annotation said {pod.grant_annotation}, the ledger says {text}: corrected."
        draft.notice(pod, reasons.EventReason.GRANT_CORRECTED, why)
    draft.decide(plans.PodPatch(pod, pod_changes.grant_patch(pod, node.name, granted), why))
