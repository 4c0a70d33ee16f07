"""Finds the best node for a pod, fast: pods that ask for the same share one ranking of the nodes.

Law: within a pass a node only gets fuller, so a node without room for a request stays so, until ``forget``. What
depends on other pods (affinity, spread, ports, volumes) is judged for each pod, as the cluster is at that moment.
"""

import bisect
import dataclasses
from collections.abc import Hashable, Iterable, Iterator
from collections.abc import Set as AbstractSet

from neuronspan import placement
from neuronspan_operator.objects import pods
from neuronspan_operator.planning import drafts, kept, node_drafts, placements
from neuronspan_operator.scheduling import cluster_state, screening, taints


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
        self._rankings: dict[tuple[placements.RequestsKey, Hashable], _Ranking] = {}
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
        screen = screening.Screen(pod, self._draft.cluster)
        ranking = self._ranking(pod, wanted, screen)
        possible = self._beside_kept(self._possible(ranking, screen, excluded), pod)
        if ranking.has_disliked or screening.minds(pod, self._draft.cluster):
            found = self._preferred(pod, list(possible))
        else:
            found = next(possible, None)
        if found is None and screen.is_plain and not excluded:
            self._hopeless.add(wanted)
        return None if found is None else Place(self._draft.nodes[found[1]], found[2])

    def _possible(self, ranking: "_Ranking", screen: screening.Screen, excluded: AbstractSet[str]) -> Iterator[_Entry]:
        """Yield the nodes where the pod may be and has its cores, best packed first."""
        for entry in ranking.entries:
            if entry[1] not in excluded and screen.changing_objection(self._state(entry[1])) is None:
                yield entry

    def _beside_kept(self, possible: Iterable[_Entry], pod: pods.PodView) -> Iterator[_Entry]:
        """Yield the places that leave alone what is kept for pods before this one, elsewhere on the node if need be."""
        rank = kept.rank(pod)
        for entry in possible:
            reserved = self._draft.kept.against(entry[1], rank)
            if not any(mine.overlaps(span) for mine in entry[2] for span in reserved):
                yield entry
                continue
            placed = placements.beside(self._draft.nodes[entry[1]], pod.requests, reserved)
            if placed is not None:
                yield placed.score, entry[1], placed.spans

    def _preferred(self, pod: pods.PodView, possible: list[_Entry]) -> _Entry | None:
        """Return the node that the pod likes most, of equals the best packed; the pools may turn that round."""
        liked = screening.soft_scores(pod, self._draft.cluster, [self._state(name) for _, name, _ in possible])
        after = placement.Preferences.AFTER_PACKING
        if all(self._draft.nodes[name].policy.preferences is after for _, name, _ in possible):
            return min(possible, key=lambda entry: (entry[0], -liked[entry[1]], entry[1]), default=None)
        return min(possible, key=lambda entry: (-liked[entry[1]], entry[0], entry[1]), default=None)

    def _ranking(self, pod: pods.PodView, wanted: placements.Shape, screen: screening.Screen) -> "_Ranking":
        """Return the nodes whose labels, taints and free cores suit the pod, best first."""
        key = wanted.requests, wanted.constraints
        ranking = self._rankings.get(key)
        if ranking is None:
            found = (self._entry(node, pod, wanted) for node in self._draft.nodes.values() if self._suits(node, screen))
            entries = [entry for entry in found if entry is not None]
            disliked = any(taints.is_disliked(pod, self._state(name)) for _, name, _ in entries)
            ranking = self._rankings[key] = _Ranking(entries, has_disliked=disliked)
        else:
            for name in dict.fromkeys(self._changed[ranking.seen :]):
                if name in ranking:
                    ranking.renew(name, self._entry(self._draft.nodes[name], pod, wanted))
        ranking.seen = len(self._changed)
        return ranking

    def _suits(self, node: node_drafts.NodeDraft, screen: screening.Screen) -> bool:
        return node.ineligible is None and screen.steady_objection(self._state(node.name)) is None

    def _entry(self, node: node_drafts.NodeDraft, pod: pods.PodView, wanted: placements.Shape) -> _Entry | None:
        placed = self._draft.placements.on(node, pod.requests, wanted)
        return None if placed is None else (placed.score, node.name, placed.spans)

    def _state(self, name: str) -> cluster_state.NodeState:
        return self._draft.cluster.nodes[name]


class _Ranking:
    """Nodes with room for one kind of request, best first; ``seen`` counts the changes it knows of."""

    def __init__(self, entries: Iterable[_Entry], *, has_disliked: bool) -> None:
        self.entries = sorted(entries)
        self.has_disliked = has_disliked  # of the nodes, some have soft taints that such pods do not tolerate
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
