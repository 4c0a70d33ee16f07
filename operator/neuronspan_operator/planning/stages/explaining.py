"""Why each unserved pod has no cores, and what would make it fit.

Law: every pod that the stages before left unserved has its sentence.
"""

from collections.abc import Hashable

from neuronspan_operator.planning import drafts, placements, plans
from neuronspan_operator.planning.explanations import explainer


def run(draft: drafts.Draft) -> None:
    """Explain every unserved pod; pods of which the same is true share the answer."""
    explains = explainer.Explainer(draft)
    answers: dict[Hashable, plans.Waiting] = {}
    for pod in draft.unserved:
        excluded = frozenset(draft.excluded(pod.uid))
        key = placements.shape(pod), placements.surroundings(pod), excluded, pod.pod_group
        if key not in answers:
            answers[key] = explains.explain(pod)
        draft.waiting[pod.uid] = answers[key]
