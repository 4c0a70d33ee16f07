"""Parts of a request that do not go together: wishes of one container, of one and the next, and who binds the pod."""

import collections
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from neuronspan import grants, names
from neuronspan_operator.admission import wishes
from neuronspan_operator.admission.settings import Settings

_Asking = Sequence[tuple[wishes.Container, int]]
"""Containers that ask for one resource, in order, with what they ask for: kubelet keeps one reuse set per resource."""
_LET_IN: Final = "or have such pods let in with the chart value guests.enabled=true"


def of_containers(pod: wishes.Pod, every: Sequence[wishes.Wish]) -> Iterator[str]:
    """Refuse what the wishes of a container, or of one and the next, cannot have together."""
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


def bad_place(pod: wishes.Pod) -> Iterator[str]:
    """Refuse a node that the pod names itself."""
    if pod.node:
        yield (
            f'spec.nodeName is "{pod.node}", but a pod that asks for NeuronCores gets its node together with its '
            f"cores: remove spec.nodeName and write spec.nodeSelector {names.HOSTNAME_LABEL}: {pod.node} instead"
        )


def bad_binder(pod: wishes.Pod, settings: Settings, *, asks: bool) -> Iterator[str]:
    """Refuse whoever else would choose the node, unless guests are let in."""
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
