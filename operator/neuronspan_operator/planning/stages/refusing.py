"""Pods that cannot be considered at all get their reason; granting then leaves them out."""

from neuronspan import names
from neuronspan_operator import reasons
from neuronspan_operator.objects import pods
from neuronspan_operator.planning import plans
from neuronspan_operator.planning.drafting import drafts


def run(draft: drafts.Draft, pod: pods.PodView) -> None:
    """Explain a pod that is to be placed if its requests, limits or other gates rule it out."""
    refusal = _refusal(pod)
    if refusal is not None:
        draft.wait(pod.uid, refusal)


def _refusal(pod: pods.PodView) -> plans.Waiting | None:
    if pod.problems:
        return plans.Waiting(reasons.WaitingReason.INVALID_REQUEST, "; ".join(pod.problems))
    if not pod.requests:
        ours = f"scheduling gate {names.SCHEDULING_GATE}" if pod.gated else f"schedulerName {names.SCHEDULER}"
        return plans.Waiting(
            reasons.WaitingReason.NOTHING_ASKED,
            f"the pod has {ours} and asks for no NeuronCores: "
            f"create it again with annotation {names.CORES_ANNOTATION}, or without that",
        )
    if pod.unlimited:
        return plans.Waiting(
            reasons.WaitingReason.NOT_ADMITTED,
            f"container {plans.listed(pod.unlimited)} asks for NeuronCores by annotation and has no limit, so "
            "kubelet would give it none: the admission policy was not active when the pod was created; create the pod "
            f"again, or write the limit {names.CORE_RESOURCE} yourself",
        )
    if pod.other_gates:
        return plans.Waiting(
            reasons.WaitingReason.OTHER_GATES,
            f"the pod also has scheduling gate {plans.listed(pod.other_gates)}: it gets NeuronCores when that is gone",
        )
    return None
