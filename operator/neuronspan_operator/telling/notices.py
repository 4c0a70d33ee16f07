"""What is said of a pod, in its condition and in its Events. Pure.

Law: condition and Event say the same sentence; it ends in the waiting reason, so that its row can be looked up.
"""

from collections.abc import Mapping
from typing import Final

from neuronspan import spans
from neuronspan_operator import reasons
from neuronspan_operator.objects import pods
from neuronspan_operator.planning import plans

LONGEST: Final = 1024
"""Characters the API server accepts in an Event; conditions are cut alike, so that both say the same."""

MORE_NODES_HELP: Final = frozenset(
    {
        reasons.WaitingReason.NO_NEURON_NODES,
        reasons.WaitingReason.NEVER_FITS,
        reasons.WaitingReason.NO_NODE_MATCHES,
        reasons.WaitingReason.NO_ROOM,
    }
)
"""Where a node that does not exist yet could take the pod: only these are called Unschedulable, which makes autoscalers
look for one. A pod that waits for its group, its volumes, its controller or the API server would go on waiting."""

_CONDITIONS: Final = frozenset({*map(str, reasons.ConditionReason), *map(str, reasons.WaitingReason)})


def sentence(why: plans.Waiting) -> str:
    """Return why a pod waits, and the code of it."""
    code = f" ({why.reason})"
    return why.message[: LONGEST - len(code)] + code


def condition_reason(why: reasons.WaitingReason) -> str:
    """Return the reason of the PodScheduled condition of a pod that waits for this."""
    return str(reasons.ConditionReason.UNSCHEDULABLE if why in MORE_NODES_HELP else why)


def is_told(pod: pods.PodView) -> bool:
    """Whether the pod's condition is ours: somebody of us has seen that it waits, and said so."""
    return pod.unscheduled is not None and pod.unscheduled.reason in _CONDITIONS


def waits(pod: pods.PodView, why: plans.Waiting) -> plans.Notice:
    """Return the Event of a pod that waits; kube-scheduler's has the same reason."""
    return plans.Notice(
        pod.namespace,
        pod.name,
        pod.uid,
        plans.NoticeType.WARNING,
        reasons.EventReason.FAILED_SCHEDULING,
        sentence(why),
        lasting=True,
        said_before=is_told(pod),
    )


def bound(pod: pods.PodView, node: str, given: Mapping[str, spans.CoreSpan]) -> plans.Notice:
    """Return the Event of a pod that was bound to a node; ``given`` are its cores by container."""
    cores = ", ".join(f"{container} {span}" for container, span in sorted(given.items()))
    message = f"Successfully assigned {pod.key} to {node}: NeuronCores {cores}"
    return plans.Notice.on(pod, reasons.EventReason.SCHEDULED, message, warning=False)
