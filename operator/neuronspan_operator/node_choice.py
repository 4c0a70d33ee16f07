"""Finds the best node for a pod, fast: pods of the same shape share one heap of nodes, best first.

Law: within a pass a node only gets fuller, so a node that is dropped for a shape stays dropped, until ``forget``.
"""

import dataclasses
import heapq
import json
import types
from collections.abc import Callable, Container, Mapping
from typing import Final

from neuronspan import instance_types, placement, spans
from neuronspan_operator import drafts, node_drafts, nodes, pod_requests, pods

Score = tuple[int, ...]
_Runs = tuple[spans.CoreSpan, ...]
_RequestsKey = tuple[tuple[object, ...], ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Shape:
    """Everything about a pod that decides where it fits."""

    requests: _RequestsKey
    constraints: str
    amounts: tuple[int, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Choice:
    """A node and the cores there, in the order of the pod's requests."""

    node: node_drafts.NodeDraft
    spans: tuple[spans.CoreSpan, ...]


_Entry = tuple[Score, str, int, _Runs]  # score, node (unique in a heap: comparison ends there), its version, spans


def shape(pod: pods.PodView) -> Shape:
    """Give the pod's shape."""
    constraints = (pod.node_selector, pod.affinity.get("nodeAffinity"), pod.tolerations)
    return Shape(
        tuple((each.count, each.resource, each.align, each.first) for each in pod.requests),
        json.dumps(constraints, sort_keys=True) if any(constraints) else "",
        (pod.cpu_millis, pod.memory_bytes, pod.neuroncores, pod.neuron_devices),
    )


class NodeChoice:
    """All nodes of a pass, ready to be asked for the best one."""

    def __init__(self, draft: drafts.Draft, placements: "Placements") -> None:
        self._draft = draft
        self._placements = placements
        self._heaps: dict[Shape, list[_Entry]] = {}
        self._roomy: dict[tuple[_RequestsKey, str], list[node_drafts.NodeDraft]] = {}

    def forget(self) -> None:
        """Start over after nodes became emptier again."""
        self._heaps.clear()
        self._roomy.clear()

    def best(self, pod: pods.PodView, excluded: Container[str]) -> Choice | None:
        """Give the best node for the pod and its cores there, None when it fits nowhere."""
        wanted = shape(pod)
        heap = self._heaps.get(wanted)
        if heap is None:
            entries = (self._entry(node, pod, wanted) for node in self._with_room(pod, wanted))
            heap = self._heaps[wanted] = [entry for entry in entries if entry is not None]
            heapq.heapify(heap)
        aside: list[_Entry] = []
        found = None
        while heap and found is None:
            entry = heapq.heappop(heap)
            _, name, version, granted = entry
            node = self._draft.nodes[name]
            if version == node.version:
                aside.append(entry)
                found = None if name in excluded else Choice(node, granted)
            else:
                renewed = self._entry(node, pod, wanted)
                if renewed is not None:
                    heapq.heappush(heap, renewed)
        for entry in aside:
            heapq.heappush(heap, entry)
        return found

    def _with_room(self, pod: pods.PodView, wanted: Shape) -> list[node_drafts.NodeDraft]:
        """Give the nodes whose labels, taints and free cores suit the pod; its CPU and memory are not asked here."""
        key = wanted.requests, wanted.constraints
        found = self._roomy.get(key)
        if found is None:
            found = self._roomy[key] = [
                node
                for node in self._draft.nodes.values()
                if node.node is not None
                and node.ineligible is None
                and nodes.repelled(pod, node.node) is None
                and self._placements.on(node, pod.requests, wanted) is not None
            ]
        return found

    def _entry(self, node: node_drafts.NodeDraft, pod: pods.PodView, wanted: Shape) -> _Entry | None:
        if node.node is None or nodes.crowded(pod, node.node, node.usage) is not None:
            return None
        placed = self._placements.on(node, pod.requests, wanted)
        return None if placed is None else (placed.score, node.name, node.version, placed.spans)


@dataclasses.dataclass(frozen=True, slots=True)
class _Placed:
    score: Score
    spans: tuple[spans.CoreSpan, ...]


_State = tuple[instance_types.Hardware, placement.Packing, placement.Alignment, tuple[spans.CoreSpan, ...]]


class Placements:
    """Remembers where requests go on nodes in equal states: a cluster has many, the empty ones first of all."""

    def __init__(self) -> None:
        self._states: dict[_State, int] = {}
        self._state_of: dict[str, tuple[int, int]] = {}
        self._found: dict[tuple[int, _RequestsKey], _Placed | None] = {}

    def on(
        self, node: node_drafts.NodeDraft, requests: tuple[pod_requests.ContainerRequest, ...], wanted: Shape
    ) -> _Placed | None:
        """Give the spans for the requests on the node as it is now, with their score; None when they do not fit."""
        key = (self._state(node), wanted.requests)
        if key not in self._found:
            self._found[key] = _place(node, requests)
        return self._found[key]

    def _state(self, node: node_drafts.NodeDraft) -> int:
        version, state = self._state_of.get(node.name, (-1, -1))
        if version != node.version:
            content = (node.hardware, node.policy.packing, node.policy.align, node.taken())
            state = self._states.setdefault(content, len(self._states))
            self._state_of[node.name] = node.version, state
        return state


def _place(node: node_drafts.NodeDraft, requests: tuple[pod_requests.ContainerRequest, ...]) -> _Placed | None:
    wanted = [request.on(node.hardware, node.policy.align) for request in requests]
    taken = node.taken()
    found = placement.place_all(node.hardware, taken, wanted, node.policy.packing)
    if isinstance(found, placement.Unplaceable):
        return None
    before = spans.free_runs(node.hardware.cores, taken)
    after = spans.free_runs(node.hardware.cores, (*taken, *found))
    return _Placed(_SCORES[node.policy.packing](before, after, found), found)


def _left_over(before: _Runs, found: _Runs) -> int:
    """Count the cores that stay free in the runs that are used."""
    used = (run.count for run in before if any(run.overlaps(span) for span in found))
    return sum(used) - sum(span.count for span in found)


def _tightest(before: _Runs, after: _Runs, found: _Runs) -> Score:
    return _left_over(before, found), len(after), sum(run.count for run in after)


def _roomiest(before: _Runs, after: _Runs, found: _Runs) -> Score:
    return -_left_over(before, found), len(after), -sum(run.count for run in after)


# Smaller is better; ties go to the node whose name comes first.
_SCORES: Final[Mapping[placement.Packing, Callable[[_Runs, _Runs, _Runs], Score]]] = types.MappingProxyType(
    {
        placement.Packing.BEST_FIT: _tightest,
        placement.Packing.FIRST_FIT: lambda _before, _after, _found: (0, 0, 0),
        placement.Packing.WORST_FIT: _roomiest,
    }
)
