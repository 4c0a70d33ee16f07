"""Finds the best node for a pod, fast: pods that ask for the same share one ranking of the nodes.

Law: within a pass a node only gets fuller, so a node without room for a request stays so, until ``forget``.
"""

import bisect
import dataclasses
from collections.abc import Iterable
from collections.abc import Set as AbstractSet

from neuronspan_operator.objects import nodes, pods
from neuronspan_operator.planning import drafts, node_drafts, placements


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """A node and the cores there, in the order of the pod's requests."""

    node: node_drafts.NodeDraft
    spans: placements.Spans


_Entry = tuple[
    placements.Score, str, placements.Spans
]  # score, node (unique in a ranking: comparison ends there), spans


class NodeChoice:
    """All nodes of a pass, ready to be asked for the best one; ``changed`` must hear of every grant."""

    def __init__(self, draft: drafts.Draft) -> None:
        self._draft = draft
        self._rankings: dict[tuple[placements.RequestsKey, str], _Ranking] = {}
        self._hopeless: set[placements.Shape] = set()
        self._changed: list[str] = []

    def changed(self, node: node_drafts.NodeDraft) -> None:
        """Note that a node got fuller."""
        self._changed.append(node.name)

    def forget(self) -> None:
        """Start over after nodes became emptier again."""
        self._rankings.clear()
        self._hopeless.clear()

    def best(self, pod: pods.PodView, excluded: AbstractSet[str]) -> Place | None:
        """Return the best node for the pod and its cores there, None when it fits nowhere."""
        wanted = placements.shape(pod)
        if wanted in self._hopeless:
            return None
        for _, name, granted in self._ranking(pod, wanted).entries:
            node = self._draft.nodes[name]
            if node.host is not None and name not in excluded and not nodes.crowded(pod, node.host, node.usage):
                return Place(node, granted)
        if not excluded:
            self._hopeless.add(wanted)
        return None

    def _ranking(self, pod: pods.PodView, wanted: placements.Shape) -> "_Ranking":
        """Return the nodes whose labels, taints and free cores suit the pod, best first."""
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

    def _entry(self, node: node_drafts.NodeDraft, pod: pods.PodView, wanted: placements.Shape) -> _Entry | None:
        placed = self._draft.placements.on(node, pod.requests, wanted)
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
    return node.host is not None and node.ineligible is None and nodes.repelled(pod, node.host) is None
