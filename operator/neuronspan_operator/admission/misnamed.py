"""Names of ours that nobody would read where they stand, or that name what is not there."""

from collections.abc import Iterable, Iterator
from typing import Final

from neuronspan import annotations, names
from neuronspan_operator.admission import bad_values, wishes

_USERS: Final = {each.name: each for each in annotations.OF_USERS}
_PER_CONTAINER: Final = tuple(each.per_container for each in annotations.OF_USERS if each.per_container)


def unknown_annotations(pod: wishes.Pod) -> Iterator[str]:
    """Refuse annotations of ours that do not exist."""
    for key in pod.ours:
        if key in _USERS or key in annotations.OF_OPERATOR or ("/" in key and _is_of_a_container(key)):
            continue
        if _is_of_a_container(key):
            yield (
                f"annotation {key} names no container: write {key}/CONTAINER, where CONTAINER is one of "
                f"{_known(pod.containers)}"
            )
            continue
        forms = ", ".join(f"{prefix}CONTAINER" for prefix in _PER_CONTAINER)
        container = key.split("/")[1] if "/" in key else "CONTAINER"
        instead = ", ".join([*_USERS, forms]) if key.startswith(names.GROUP) else forms.replace("CONTAINER", container)
        yield f"annotation {key} does not exist: use one of {instead}"


def labels(pod: wishes.Pod) -> Iterator[str]:
    """Refuse annotations that were written as labels: nobody reads them there."""
    for key in sorted(pod.labels):
        if key in _USERS or _is_of_a_container(key):
            yield f"label {key} means nothing: write it into the annotations"


def copied_decisions(pod: wishes.Pod) -> Iterator[str]:
    """Refuse what the operator alone writes."""
    for key in pod.ours:
        if key in annotations.OF_OPERATOR:
            yield f"annotation {key} is written by the operator alone, once it has decided: remove it"


def unknown_containers(pod: wishes.Pod) -> Iterator[str]:
    """Refuse annotations of containers that the pod does not have."""
    there = {each.name for each in pod.containers}
    for wish in pod.wishes:
        if wish.by.partition("/")[0] != names.GROUP and wish.container not in there:
            yield (
                f'annotation {wish.by} names container "{wish.container}", which the pod does not have: use one of '
                f"{_known(pod.containers)}"
            )


def bad_container(pod: wishes.Pod) -> Iterator[str]:
    """Refuse a plain init container: it ends before the pod runs, and hands its devices on."""
    lasting = [each for each in pod.containers if not each.hands_on]
    key = names.CONTAINER_ANNOTATION
    if key in pod.annotations and all(each.name != pod.main for each in lasting):
        is_none = "which is no container or sidecar of the pod"
        yield f"{bad_values.shown(key, pod.main)}, {is_none}: use one of {_known(lasting)}"


def unknown_limits(pod: wishes.Pod) -> Iterator[str]:
    """Refuse limits that look like ours."""
    for container in pod.containers:
        for resource in sorted(container.limits):
            if resource.startswith(names.DEVICE_RESOURCE) and resource not in names.RESOURCES:
                yield (
                    f'container "{container.name}" has the limit {resource}, which no node has: '
                    f"use {names.CORE_RESOURCE} for NeuronCores, or {names.DEVICE_RESOURCE} for whole Neuron devices"
                )


def pointless(pod: wishes.Pod) -> Iterator[str]:
    """Refuse annotations that only say how, in a pod that asks for nothing."""
    for key in pod.ours:
        if key in _USERS and not _USERS[key].asks:
            yield (
                f"annotation {key} says how NeuronCores are given, but no container asks for any: "
                f"add {names.CORES_ANNOTATION}, or remove it"
            )


def _known(containers: Iterable[wishes.Container]) -> str:
    return ", ".join(each.name for each in containers)


def _is_of_a_container(key: str) -> bool:
    return f"{key.partition('/')[0]}/" in _PER_CONTAINER
