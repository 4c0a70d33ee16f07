"""Finds the best node for a pod, fast: pods that ask for the same share one ranking of the nodes.

Law: within a pass a node only gets fuller, so a node without room for a request stays so, until ``forget``.
"""

import bisect
import dataclasses
import json
import types
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
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


_Entry = tuple[Score, str, _Runs]  # score, node (unique in a ranking: comparison ends there), spans


def shape(pod: pods.PodView) -> Shape:
    """Give the pod's shape."""
    constraints = (pod.node_selector, pod.affinity.get("nodeAffinity"), pod.tolerations)
    return Shape(
        tuple((each.count, each.resource, each.align, each.first) for each in pod.requests),
        json.dumps(constraints, sort_keys=True) if any(constraints) else "",
        (pod.cpu_millis, pod.memory_bytes, pod.neuroncores, pod.neuron_devices),
    )


class NodeChoice:
    """All nodes of a pass, ready to be asked for the best one; ``changed`` must hear of every grant."""

    def __init__(self, draft: drafts.Draft, placements: "Placements") -> None:
        self._draft = draft
        self._placements = placements
        self._rankings: dict[tuple[_RequestsKey, str], _Ranking] = {}
        self._hopeless: set[Shape] = set()
        self._changed: list[str] = []

    def changed(self, node: node_drafts.NodeDraft) -> None:
        """Note that a node got fuller."""
        self._changed.append(node.name)

    def forget(self) -> None:
        """Start over after nodes became emptier again."""
        self._rankings.clear()
        self._hopeless.clear()

    def best(self, pod: pods.PodView, excluded: AbstractSet[str]) -> Choice | None:
        """Give the best node for the pod and its cores there, None when it fits nowhere."""
        wanted = shape(pod)
        if wanted in self._hopeless:
            return None
        for _, name, granted in self._ranking(pod, wanted).entries:
            node = self._draft.nodes[name]
            if node.node is not None and name not in excluded and not nodes.crowded(pod, node.node, node.usage):
                return Choice(node, granted)
        if not excluded:
            self._hopeless.add(wanted)
        return None

    def _ranking(self, pod: pods.PodView, wanted: Shape) -> "_Ranking":
        """Give the nodes whose labels, taints and free cores suit the pod, best first."""
        key = wanted.requests, wanted.constraints
        ranking = self._rankings.get(key)
        if ranking is None:
            found = (self._entry(node, pod, wanted) for node in self._draft.nodes.values() if _suits(pod, node))
            ranking = self._rankings[key] = _Ranking(entry for entry in found if entry is not None)
        else:
            for name in dict.fromkeys(self._changed[ranking.seen :]):
                if name in ranking:
                    ranking.renew(name, self._entry(self._draft.nodes[name], pod, wanted))
        ranking.seen = len(self._changed)
        return ranking

    def _entry(self, node: node_drafts.NodeDraft, pod: pods.PodView, wanted: Shape) -> _Entry | None:
        placed = self._placements.on(node, pod.requests, wanted)
        return None if placed is None else (placed.score, node.name, placed.spans)


class _Ranking:
    """Nodes with room for one kind of request, best first; ``seen`` counts the changes it knows of."""

    def __init__(self, entries: Iterable[_Entry]) -> None:
        self.entries = sorted(entries)
        self.seen = 0
        self._of_node = {entry[1]: entry for entry in self.entries}

    def __contains__(self, name: object) -> bool:
        return name in self._of_node

    def renew(self, name: str, entry: _Entry | None) -> None:
        """Put a node where it belongs now, or drop it."""
        del self.entries[bisect.bisect_left(self.entries, self._of_node.pop(name))]
        if entry is not None:
            bisect.insort(self.entries, entry)
            self._of_node[name] = entry


def _suits(pod: pods.PodView, node: node_drafts.NodeDraft) -> bool:
    return node.node is not None and node.ineligible is None and nodes.repelled(pod, node.node) is None


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
