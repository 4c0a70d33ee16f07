"""What a user can change when no pod's end would make another one fit. Pure.

Law: each cause has its own sentence, and no sentence advises what would not help against its cause.
"""

import types
from collections.abc import Collection, Mapping, Sequence
from typing import Final

from neuronspan import names, placement, spans
from neuronspan.fitting import places, refusals, windows
from neuronspan_operator import reasons
from neuronspan_operator.objects import container_requests
from neuronspan_operator.planning.drafting import node_drafts

_Kind = reasons.ObjectionKind

_OF_KIND: Final[Mapping[_Kind, str]] = types.MappingProxyType(
    {
        _Kind.NODE_NAME: "Take the node's name out of the pod.",
        _Kind.NODE_AFFINITY: "Change the pod's node selector or node affinity, or the labels of nodes.",
        _Kind.NODE_FEATURES: "Leave the feature out of the pod, or give a node a kubelet that has it.",
        _Kind.TAINT: "Give the pod a toleration, or take the taint off nodes.",
        _Kind.UNSCHEDULABLE: "Uncordon nodes.",
        _Kind.RESOURCES: "Let the pod request less of what is insufficient, or end pods that have it.",
        _Kind.HOST_PORTS: "Use another host port or none, or end the pod that has it.",
        _Kind.POD_AFFINITY: "Start the pods that this one has to be near to, or change its pod affinity.",
        _Kind.POD_ANTI_AFFINITY: "Add nodes, or change the anti-affinity of this pod or of those that are there.",
        _Kind.TOPOLOGY_SPREAD: "Make room in the domains that have fewest of these pods, or allow a larger maxSkew.",
        _Kind.VOLUMES: "Look at the pod's claims: kubectl describe pvc shows what they wait for.",
    }
)


def of(kinds: Collection[reasons.ObjectionKind]) -> str:
    """Return a sentence per kind of objection, each once, in the order of the kinds."""
    return " ".join(_OF_KIND[kind] for kind in _Kind if kind in kinds)


# --- requests that not even an empty node could serve ----------------------------------------------------------------

_Requests = Sequence[container_requests.ContainerRequest]

# The more a change of the request alone would help, the earlier: the sentence is about the nearest miss.
_NEAREST: Final = (
    placement.Reason.MISALIGNED,
    placement.Reason.NOT_CONNECTED,
    placement.Reason.DEVICE_COUNT,
    placement.Reason.NOT_TOGETHER,
    placement.Reason.OUT_OF_RANGE,
    placement.Reason.TOO_LARGE,
)


def impossibility(node: node_drafts.NodeDraft, requests: _Requests) -> placement.Reason | None:
    """Return why the node's hardware could not hold the requests even if it were empty, None when it could."""
    wanted = [request.on(node.hardware, node.policy.rules) for request in requests]
    found = places.place_all(node.hardware, (), wanted, node.policy.packing)
    return placement.Reason(found.reason) if isinstance(found, placement.Unplaceable) else None


def impossible_words(reason: placement.Reason, node: node_drafts.NodeDraft, requests: _Requests) -> str:
    """Return what to count the node under."""
    if reason is placement.Reason.MISALIGNED:
        return f"node(s) where cores {_misaligned(node, requests)} do not start on a Neuron device"
    if reason in {placement.Reason.TOO_LARGE, placement.Reason.OUT_OF_RANGE}:
        return f"node(s) too small ({node.hardware.cores} NeuronCores)"
    if reason is placement.Reason.NOT_CONNECTED:
        return "node(s) where no such run of Neuron devices is connected"
    if reason is placement.Reason.DEVICE_COUNT:
        return "node(s) whose pool does not give so many Neuron devices, or not these"
    return "node(s) where the cores of all containers cannot be had together"


def impossible(nearest: placement.Reason, node: node_drafts.NodeDraft, requests: _Requests) -> str:
    """Say what would have to be otherwise; the node is the largest of those that miss for this, the nearest, reason."""
    hardware = node.hardware
    if nearest is placement.Reason.MISALIGNED:
        return _align(node, requests)
    if nearest in {placement.Reason.NOT_CONNECTED, placement.Reason.DEVICE_COUNT}:
        return _against_rules(nearest, node, requests)
    if nearest is placement.Reason.NOT_TOGETHER:
        return (
            f"Each container's cores exist on {node.name}, but not all at once: let the containers ask for other "
            "cores, or for fewer, or without alignment."
        )
    size = f"The largest node that the pod may use, {node.name} ({hardware.instance_type}), has"
    if nearest is placement.Reason.OUT_OF_RANGE:
        return f"{size} cores {spans.CoreSpan(0, hardware.cores)}: name cores that exist, or add a larger node."
    return (
        f"{size} {hardware.cores} NeuronCores on {hardware.devices} devices, too few even if it were empty: ask for "
        "less in one pod, or add a larger node."
    )


def rank(reason: placement.Reason) -> int:
    """Return how far off such a request is: the sentence is about the reason with the smallest number."""
    return _NEAREST.index(reason)


def _align(node: node_drafts.NodeDraft, requests: _Requests) -> str:
    cores = node.hardware.cores_per_device
    asks = any(request.align is not None for request in requests if request.first is not None)
    way_out = "take the alignment off the pod" if asks else f"set alignment none in the NeuronPool of {node.name}"
    return (
        f"Cores {_misaligned(node, requests)} do not start on a Neuron device of {node.name}, and the "
        f"{'pod' if asks else 'pool'} wants that: name cores from a multiple of {cores} on, or {way_out}."
    )


def _against_rules(reason: placement.Reason, node: node_drafts.NodeDraft, requests: _Requests) -> str:
    """Say which runs there are in place of those that a rule forbids, and who can change the rule."""
    wanted = [request.on(node.hardware, node.policy.rules) for request in requests]
    exist = (each for each in wanted if (each.first or 0) + each.count <= node.hardware.cores)
    said = dict(refusals.forbidden(node.hardware, each) for each in exist if not windows.starts(node.hardware, each))
    if reason is placement.Reason.DEVICE_COUNT:
        way_out = f"set deviceCounts any in the NeuronPool of {node.name}"
    elif any(request.align is not None for request in requests):
        way_out = f"set {names.ALIGN_ANNOTATION} to device"
    else:
        way_out = f"set alignment device in the NeuronPool of {node.name}"
    return f"On {node.name} {said[reason]}: ask for one that there is, or {way_out}."


def _misaligned(node: node_drafts.NodeDraft, requests: _Requests) -> str:
    firsts = ((request.first, request.cores_on(node.hardware)) for request in requests if request.first is not None)
    off = (spans.CoreSpan(first, count) for first, count in firsts if first % node.hardware.cores_per_device)
    return ", ".join(map(str, off))
