"""What a pod says of itself: its grant annotation, its condition and its Events. Pure.

Law: for users who may see their namespace and not the cluster. Nothing is concluded here: the operator wrote all of it,
and who may see more is said with it.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from neuronspan import names
from neuronspan_operator.objects import pods

_SHOWN = 3


def of(pod: pods.PodView, events: Sequence[Mapping[str, Any]]) -> str:
    """Return where a pod stands by its own account, and its last Events of ours."""
    return "\n".join([f"pod {pod.key} {_account(pod)}", *_lines(events)])


def missing_right(refusal: str, what: str) -> str:
    """Return what right is missing and who can give it; ``what`` is shown instead, the server said ``refusal``."""
    return (
        f"This is only what {what}: {refusal}. Whoever administers the cluster can let you see the rest: "
        "`kubectl create clusterrolebinding NAME --clusterrole=neuronspan-viewer --user=YOU`."
    )


def _account(pod: pods.PodView) -> str:
    granted = list(_granted(pod))
    if granted:
        return "; ".join([f"is {pod.phase}{', being deleted' if pod.deleted else ''}", *granted])
    if not (pod.requests or pod.problems or pod.unplaced):
        return "asks for no NeuronCores"
    if pod.problems:
        return f"can get no cores: {'; '.join(pod.problems)}"
    if pod.terminal:
        return f"has {pod.phase.lower()} and gets no NeuronCores: create it again to run it again"
    if pod.unscheduled is not None:
        return f"waits ({pod.unscheduled.reason}): {pod.unscheduled.message}"
    return f"is {pod.phase}; it has no grant annotation and no condition that says why: does the operator run?"


def _granted(pod: pods.PodView) -> Iterator[str]:
    containers = pod.annotated_grant().get("containers")
    for container, span in sorted(containers.items()) if isinstance(containers, Mapping) else ():
        yield f"container {container}: cores {span} of node {pod.granted_node}"


def _lines(events: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    ours = [each for each in events if each.get("reportingComponent") == names.SCHEDULER]
    for event in sorted(ours, key=_when)[-_SHOWN:]:
        yield f"  {_when(event)} {event.get('reason', '')}: {event.get('message', '')}"


def _when(event: Mapping[str, Any]) -> str:
    series = event.get("series") or {}
    times = series.get("lastObservedTime"), event.get("lastTimestamp"), event.get("eventTime")
    return next((str(each) for each in times if each), str((event.get("metadata") or {}).get("creationTimestamp", "")))
