"""All that can be wrong with a request, in one order.

A sentence names the thing, the value and the way out. The chart's ``_sentences.tpl`` says the same in CEL, in the same
order and the same words; a test compares the two.
"""

from collections.abc import Iterator

from neuronspan_operator.admission import bad_values, disagreements, misnamed, wishes
from neuronspan_operator.admission.settings import Settings


def problems(pod: wishes.Pod, settings: Settings) -> Iterator[str]:
    """Say all that is wrong with a pod's request, one sentence after the other."""
    yield from misnamed.unknown_annotations(pod)
    yield from misnamed.labels(pod)
    yield from misnamed.copied_decisions(pod)
    yield from bad_values.bad_counts(pod, settings)
    yield from bad_values.bad_visible_cores(pod, settings)
    yield from bad_values.bad_group_sizes(pod, settings)
    yield from bad_values.bad_choices(pod)
    yield from bad_values.bad_pod_group(pod)
    yield from misnamed.unknown_containers(pod)
    yield from misnamed.bad_container(pod)
    yield from misnamed.unknown_limits(pod)
    limits = bad_values.limits(pod)
    yield from bad_values.bad_limits(limits, settings)
    yield from disagreements.of_containers(pod, [*pod.readable, *(each for each in limits if each.count >= 0)])
    asks = bool(pod.wishes or limits)
    if asks:
        yield from disagreements.bad_place(pod)
    yield from disagreements.bad_binder(pod, settings, asks=asks)
    if not asks:
        yield from misnamed.pointless(pod)
