"""What the sentences of several cases have in common."""

from typing import Any

Cases = dict[str, tuple[dict[str, Any], str]]
"""Pods by what is wrong with them, each with the sentence that says it."""

P = "neuronspan.dev/"
COUNT = ": write a whole number of NeuronCores from 1 to 128"
TOO_MANY = ", and no node has so many: write a whole number of NeuronCores from 1 to 128"
RUN = ', which is not one run of NeuronCores: write the first and the last core, for example "4-7", or one core'
GROUPS = ': write the cores of each group, for example "3,4,1", or "4x2" for four groups of two'
EITHER = ": a container has NeuronCores or whole Neuron devices, not both, so keep one of them"
DISAGREE = ", which disagree: keep one of them, or make them equal"
LASTING = ", which is no container or sidecar of the pod: use one of "
PLACE = (
    'spec.nodeName is "w1", but a pod that asks for NeuronCores gets its node together with its cores: '
    "remove spec.nodeName and write spec.nodeSelector kubernetes.io/hostname: w1 instead"
)


def quoted(name: str, value: str, rest: str) -> str:
    return f'annotation {P}{name} is "{value}"{rest}'


def reuse(asking: str, count: int, init: str, held: int) -> str:
    return (
        f'container "{asking}" asks for {count} after init container "{init}" with {held}: it would be given a random '
        f'part of these, which need not be contiguous; ask for at least {held} in "{asking}", or for at most {count} '
        f'in "{init}"'
    )
