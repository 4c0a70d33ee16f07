"""Where requests fit on a node as it is now, remembered: nodes in the same state have the same answer. Pure."""

import dataclasses
import types
from collections.abc import Callable, Hashable, Mapping
from typing import Final, NamedTuple

from neuronspan import instance_types, placement, spans
from neuronspan.fitting import places
from neuronspan_operator.objects import container_requests, pods
from neuronspan_operator.planning.drafting import node_drafts

Score = tuple[int, ...]
Spans = tuple[spans.CoreSpan, ...]
RequestsKey = tuple[container_requests.PlacementKey, ...]


class Shape(NamedTuple):
    """Everything about a pod that decides where it fits."""

    requests: RequestsKey
    constraints: Hashable  # what decides on nodes without a look at other pods
    amounts: tuple[tuple[str, int], ...]  # by resource


def requests_key(pod: pods.PodView) -> RequestsKey:
    """Return everything that decides where the pod's cores may be."""
    return tuple([each.placement_key for each in pod.requests])


def shape(pod: pods.PodView) -> Shape:
    """Return the pod's shape."""
    wanted = pod.constraints
    return Shape(
        requests_key(pod),
        (pod.node_name, tuple(sorted(wanted.node_selector.items())), wanted.node_affinity, wanted.tolerations),
        tuple(sorted(pod.amounts.items())),
    )


def surroundings(pod: pods.PodView) -> Hashable:
    """Return everything else about a pod that decides where it may be: what it and other pods say about each other."""
    said = pod.constraints
    labels = tuple(sorted(pod.labels.items()))
    of_others = said.pod_affinity, said.spread, said.host_ports, said.claims, said.disks
    return pod.namespace, labels, said.node_features, of_others


@dataclasses.dataclass(frozen=True, slots=True)
class Fit:
    """Where requests go on one node, and how well; a smaller score is better."""

    score: Score
    spans: Spans


_MOST: Final = 100_000
"""Answers that are remembered, of some hundred bytes each."""

_State = tuple[instance_types.Hardware, placement.Packing, placement.Rules, tuple[spans.CoreSpan, ...]]


class Placements:
    """Remembers where requests go on nodes in equal states: a cluster has many, the empty ones first of all."""

    def __init__(self) -> None:
        self._states: dict[_State, int] = {}
        self._state_of: dict[str, tuple[int, int]] = {}
        self._found: dict[tuple[int, RequestsKey], Fit | None] = {}

    def on(
        self,
        node: node_drafts.NodeDraft,
        requests: tuple[container_requests.ContainerRequest, ...],
        wanted: RequestsKey,
    ) -> Fit | None:
        """Return the spans for the requests on the node as it is now, with their score; None when they do not fit."""
        if len(self._found) > _MOST:
            self._forget()
        key = (self._state(node), wanted)
        if key not in self._found:
            self._found[key] = _place(node, requests)
        return self._found[key]

    def _forget(self) -> None:
        self._states.clear()
        self._state_of.clear()
        self._found.clear()

    def _state(self, node: node_drafts.NodeDraft) -> int:
        version, state = self._state_of.get(node.name, (-1, -1))
        if version != node.version:
            content = (node.hardware, node.policy.packing, node.policy.rules, node.taken())
            state = self._states.setdefault(content, len(self._states))
            self._state_of[node.name] = node.version, state
        return state


def beside(
    node: node_drafts.NodeDraft, requests: tuple[container_requests.ContainerRequest, ...], kept: Spans
) -> Fit | None:
    """Return where the requests fit on a node of which these cores are kept for others; None when they do not."""
    return _place(node, requests, kept)


def _place(
    node: node_drafts.NodeDraft, requests: tuple[container_requests.ContainerRequest, ...], kept: Spans = ()
) -> Fit | None:
    wanted = [request.on(node.hardware, node.policy.rules) for request in requests]
    taken = (*node.taken(), *kept)
    found = places.find_all(node.hardware, taken, wanted, node.policy.packing)
    if found is None:
        return None
    before = spans.free_runs(node.hardware.cores, taken)
    after = spans.free_runs(node.hardware.cores, (*taken, *found))
    return Fit(_SCORES[node.policy.packing](before, after, found), found)


def _left_over(before: Spans, found: Spans) -> int:
    """Count the cores that stay free in the runs that are used."""
    used = (run.count for run in before if any(run.overlaps(span) for span in found))
    return sum(used) - sum(span.count for span in found)


def _tightest(before: Spans, after: Spans, found: Spans) -> Score:
    return _left_over(before, found), len(after), sum(run.count for run in after)


def _roomiest(before: Spans, after: Spans, found: Spans) -> Score:
    return -_left_over(before, found), len(after), -sum(run.count for run in after)


# Smaller is better; ties go to the node whose name comes first.
_SCORES: Final[Mapping[placement.Packing, Callable[[Spans, Spans, Spans], Score]]] = types.MappingProxyType(
    {
        placement.Packing.BEST_FIT: _tightest,
        placement.Packing.FIRST_FIT: lambda _before, _after, _found: (0, 0, 0),
        placement.Packing.WORST_FIT: _roomiest,
    }
)
