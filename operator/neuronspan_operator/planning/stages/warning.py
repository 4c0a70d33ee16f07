"""Pods that have their node and ask for NeuronCores that kubelet will not give them: they are told so.

Law: such a pod keeps no cores from others, see ``confirming``; nothing here changes what anybody gets.
"""

from neuronspan import names
from neuronspan_operator import reasons
from neuronspan_operator.objects import pods
from neuronspan_operator.planning import plans
from neuronspan_operator.planning.drafting import drafts


def run(draft: drafts.Draft, pod: pods.PodView) -> None:
    """Warn a pod that is on a node and of whose containers some ask by annotation alone."""
    bound = pod.uid in draft.indices.bound(pod.node_name)
    if bound and pod.unlimited and not pod.deleted and pod.uid not in draft.indices.holders:
        draft.notice(pod, reasons.EventReason.WITHOUT_LIMIT, _words(pod), lasting=True)


def _words(pod: pods.PodView) -> str:
    return (
        f"Container {plans.listed(pod.unlimited)} asks for NeuronCores by annotation and has no limit, so kubelet "
        "gives it none: the admission policy was not active when the pod was created. Create the pod again, or write "
        f"the limit {names.CORE_RESOURCE} yourself."
    )
