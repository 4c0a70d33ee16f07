"""What can be wrong with a request: one function per kind of mistake, each with its sentences.

A sentence names the thing, the value and the way out. The chart's ``_sentences.tpl`` says the same in CEL, in the same
order and the same words; a test compares the two.
"""

import collections
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from neuronspan import annotations, grants, names
from neuronspan_operator.admission import wishes
from neuronspan_operator.admission.settings import Settings

_Asking = Sequence[tuple[wishes.Container, int]]
"""Containers that ask for one resource, in order, with what they ask for: kubelet keeps one reuse set per resource."""
_SHOWN: Final = 60
"""Characters of a value that a sentence shows."""
_USERS: Final = {each.name: each for each in annotations.OF_USERS}
_PER_CONTAINER: Final = tuple(each.per_container for each in annotations.OF_USERS if each.per_container)
_SELF_COUNTING: Final = frozenset({names.VISIBLE_CORES_ANNOTATION, names.GROUP_SIZES_ANNOTATION})
_LET_IN: Final = "or have such pods let in with the chart value guests.enabled=true"


def problems(pod: wishes.Pod, settings: Settings) -> Iterator[str]:
    """Say all that is wrong with a pod's request, one sentence after the other."""
    yield from _unknown_annotations(pod)
    yield from _labels(pod)
    yield from _copied_decisions(pod)
    yield from _bad_counts(pod, settings)
    yield from _bad_visible_cores(pod, settings)
    yield from _bad_group_sizes(pod, settings)
    yield from _bad_choices(pod)
    yield from _bad_pod_group(pod)
    yield from _unknown_containers(pod)
    yield from _bad_container(pod)
    yield from _unknown_limits(pod)
    limits = _limits(pod, settings)
    yield from _bad_limits(limits, settings)
    yield from _of_containers(pod, [*pod.readable, *(each for each in limits if each.count >= 0)])
    asks = bool(pod.wishes or limits)
    if asks:
        yield from _bad_place(pod)
    yield from _bad_binder(pod, settings, asks=asks)
    if not asks:
        yield from _pointless(pod)


def shown(key: str, value: str) -> str:
    """Name an annotation with its value as sentences quote it: on one line and not too long."""
    short = value[:_SHOWN] + "..." if len(value) > _SHOWN else value
    return f'annotation {key} is "{short}"'.replace("\n", " ")


def _known(containers: Iterable[wishes.Container]) -> str:
    return ", ".join(each.name for each in containers)


# --- names --------------------------------------------------------------------------------------------------------


def _is_of_a_container(key: str) -> bool:
    return f"{key.partition('/')[0]}/" in _PER_CONTAINER


def _unknown_annotations(pod: wishes.Pod) -> Iterator[str]:
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


def _labels(pod: wishes.Pod) -> Iterator[str]:
    for key in sorted(pod.labels):
        if key in _USERS or _is_of_a_container(key):
            yield f"label {key} means nothing: write it into the annotations"


def _copied_decisions(pod: wishes.Pod) -> Iterator[str]:
    for key in pod.ours:
        if key in annotations.OF_OPERATOR:
            yield f"annotation {key} is written by the operator alone, once it has decided: remove it"


def _unknown_containers(pod: wishes.Pod) -> Iterator[str]:
    there = {each.name for each in pod.containers}
    for wish in pod.wishes:
        if wish.by.partition("/")[0] != names.GROUP and wish.container not in there:
            yield (
                f'annotation {wish.by} names container "{wish.container}", which the pod does not have: use one of '
                f"{_known(pod.containers)}"
            )


def _bad_container(pod: wishes.Pod) -> Iterator[str]:
    """Refuse a plain init container: it ends before the pod runs, and hands its devices on."""
    lasting = [each for each in pod.containers if not each.hands_on]
    key = names.CONTAINER_ANNOTATION
    if key in pod.annotations and all(each.name != pod.main for each in lasting):
        is_none = "which is no container or sidecar of the pod"
        yield f"{shown(key, pod.main)}, {is_none}: use one of {_known(lasting)}"


def _unknown_limits(pod: wishes.Pod) -> Iterator[str]:
    for container in pod.containers:
        for resource in sorted(container.limits):
            if resource.startswith(names.DEVICE_RESOURCE) and resource not in names.RESOURCES:
                yield (
                    f'container "{container.name}" has the limit {resource}, which no node has: '
                    f"use {names.CORE_RESOURCE} for NeuronCores, or {names.DEVICE_RESOURCE} for whole Neuron devices"
                )


# --- values -------------------------------------------------------------------------------------------------------


def _bad_counts(pod: wishes.Pod, settings: Settings) -> Iterator[str]:
    for wish in pod.wishes:
        most = wishes.most(wish.resource, settings)
        if wish.by in _SELF_COUNTING or 1 <= wish.count <= most:
            continue
        units = "Neuron devices" if wish.resource == names.DEVICE_RESOURCE else "NeuronCores"
        why = "" if wish.count < 1 else ", and no node has so many"
        yield f"{shown(wish.by, wish.value)}{why}: write a whole number of {units} from 1 to {most}"


def _bad_visible_cores(pod: wishes.Pod, settings: Settings) -> Iterator[str]:
    for wish in pod.wishes:
        if wish.by != names.VISIBLE_CORES_ANNOTATION:
            continue
        if wish.count < 1:
            yield (
                f"{shown(wish.by, wish.value)}, which is not one run of NeuronCores: write the first and the last "
                'core, for example "4-7", or one core'
            )
        elif int(wish.value.rpartition("-")[2]) >= settings.most_cores:
            highest = settings.most_cores - 1
            yield f"{shown(wish.by, wish.value)}, and no node has so many cores: the highest core is {highest}"


def _bad_group_sizes(pod: wishes.Pod, settings: Settings) -> Iterator[str]:
    for wish in pod.wishes:
        if wish.by != names.GROUP_SIZES_ANNOTATION:
            continue
        if wish.count < 1:
            yield (
                f'{shown(wish.by, wish.value)}: write the cores of each group, for example "3,4,1", or "4x2" for '
                "four groups of two"
            )
        elif wish.count > settings.most_cores:
            yield (
                f"{shown(wish.by, wish.value)}, together {wish.count} NeuronCores, and no node has so many: "
                f"make the sum at most {settings.most_cores}"
            )


def _bad_choices(pod: wishes.Pod) -> Iterator[str]:
    for key in pod.ours:
        choices = _USERS[key].choices if key in _USERS else ()
        if choices and pod.annotations[key] not in {each.value for each in choices}:
            yield f"{shown(key, pod.annotations[key])}: {_USERS[key].way_out}"


def _bad_pod_group(pod: wishes.Pod) -> Iterator[str]:
    ways_out = {
        names.POD_GROUP_ANNOTATION: 'write a name of at most 63 lower-case letters, digits, "-" and "."',
        names.POD_GROUP_SIZE_ANNOTATION: "write the number of pods in the group, from 1 to 9999",
    }
    for key in pod.ours:
        if key in ways_out and not wishes.matches(key, pod.annotations[key]):
            yield f"{shown(key, pod.annotations[key])}: {ways_out[key]}"
    if len(ways_out.keys() & pod.annotations.keys()) == 1:
        yield f"annotations {' and '.join(ways_out)} belong together: write both or neither"


def _limits(pod: wishes.Pod, settings: Settings) -> tuple[wishes.Wish, ...]:
    """Return what limits ask for; one of none asks for nothing, unless an annotation asks for the same container."""
    wished = {each.container for each in pod.readable}
    return tuple(
        wishes.Wish(f"limit {resource}", text, each.name, resource, wishes.count_of(text, most))
        for resource in names.RESOURCES
        for most in [wishes.most(resource, settings)]
        for each in pod.containers
        for text in [each.limits.get(resource)]
        if text is not None and (wishes.is_positive(text) or each.name in wished)
    )


def _bad_limits(limits: Iterable[wishes.Wish], settings: Settings) -> Iterator[str]:
    for limit in limits:
        if limit.count >= 0:
            continue
        most = wishes.most(limit.resource, settings)
        why = "and no node has so many" if wishes.is_more(limit.value, most) else "which is no whole number"
        yield (
            f'container "{limit.container}" has the {limit.by}: {limit.value}, {why}: write a number from 1 to {most}'
        )


# --- what they say together ---------------------------------------------------------------------------------------


def _of_containers(pod: wishes.Pod, every: Sequence[wishes.Wish]) -> Iterator[str]:
    of_each: Mapping[str, list[wishes.Wish]] = collections.defaultdict(list)
    for wish in every:
        of_each[wish.container].append(wish)
    contradicting = [
        each for each in pod.containers if len({(wish.resource, wish.count) for wish in of_each[each.name]}) > 1
    ]
    for container in contradicting:
        yield _contradiction(container.name, of_each[container.name])
    for check in (_long_chain,) if contradicting else (_split_reuse, _long_chain):
        for resource in names.RESOURCES:
            asking = (
                (each, next((wish for wish in of_each[each.name] if wish.resource == resource), None))
                for each in pod.containers
            )
            yield from check([(each, wish.count) for each, wish in asking if wish is not None])


def _contradiction(container: str, asking: Sequence[wishes.Wish]) -> str:
    told = " and by ".join(f"{each.by}: {each.value}" for each in asking)
    way_out = (
        ": a container has NeuronCores or whole Neuron devices, not both, so keep one of them"
        if len({each.resource for each in asking}) > 1
        else ", which disagree: keep one of them, or make them equal"
    )
    return f'container "{container}" is asked for by {told}{way_out}'


def _split_reuse(asking: _Asking) -> Iterator[str]:
    for (init, held), (container, count) in itertools.pairwise(asking):
        if init.hands_on and count < held:
            yield (
                f'container "{container.name}" asks for {count} after init container "{init.name}" with {held}: it '
                "would be given a random part of these, which need not be contiguous; "
                f'ask for at least {held} in "{container.name}", or for at most {count} in "{init.name}"'
            )


def _long_chain(asking: _Asking) -> Iterator[str]:
    """More than the CRD of NeuronNode stores of one grant."""
    count = sum(each.hands_on for each, _ in asking)
    if count > grants.MOST_INIT_CONTAINERS:
        yield (
            f"{count} init containers ask for the same Neuron resource, and a grant names at most "
            f"{grants.MOST_INIT_CONTAINERS}: do several steps in one container"
        )


# --- who binds it -------------------------------------------------------------------------------------------------


def _bad_place(pod: wishes.Pod) -> Iterator[str]:
    if pod.node:
        yield (
            f'spec.nodeName is "{pod.node}", but a pod that asks for NeuronCores gets its node together with its '
            f"cores: remove spec.nodeName and write spec.nodeSelector {names.HOSTNAME_LABEL}: {pod.node} instead"
        )


def _bad_binder(pod: wishes.Pod, settings: Settings, *, asks: bool) -> Iterator[str]:
    bound_by_us = "pods that ask for NeuronCores are bound by neuronspan"
    if not asks:
        if pod.scheduler == names.SCHEDULER:
            yield (
                f'spec.schedulerName is "{names.SCHEDULER}", which schedules pods that ask for NeuronCores, and no '
                f"container asks for any: add {names.CORES_ANNOTATION}, or remove spec.schedulerName"
            )
    elif settings.guests and pod.has_claims and pod.scheduler == names.SCHEDULER:
        yield (
            f'spec.schedulerName is "{names.SCHEDULER}", which cannot allocate the pod\'s resource claims: '
            "remove spec.schedulerName"
        )
    elif not settings.guests and pod.has_claims:
        yield (
            f"spec.resourceClaims are allocated by the cluster's own scheduler, and {bound_by_us}: "
            f"remove spec.resourceClaims, {_LET_IN}"
        )
    elif not settings.guests and pod.is_guest:
        yield f'spec.schedulerName is "{pod.scheduler}", but {bound_by_us}: remove spec.schedulerName, {_LET_IN}'
    elif not pod.is_guest and names.SCHEDULING_GATE in pod.gates:
        yield (
            f"scheduling gate {names.SCHEDULING_GATE} is for pods that another scheduler binds, and nobody would ever "
            "remove it here: leave it out"
        )


def _pointless(pod: wishes.Pod) -> Iterator[str]:
    for key in pod.ours:
        if key in _USERS and not _USERS[key].asks:
            yield (
                f"annotation {key} says how NeuronCores are given, but no container asks for any: "
                f"add {names.CORES_ANNOTATION}, or remove it"
            )
