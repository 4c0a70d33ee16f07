"""Where all nodes stand for pods of one shape, kept: whoever changes one node pays for that one. Pure.

Law: what a verdict says depends on how nodes stand now, not on how or in what order that came about.
"""

import collections
import heapq
import itertools
from collections.abc import Iterable, Sequence

from neuronspan import placement
from neuronspan_operator import reasons
from neuronspan_operator.objects import container_requests
from neuronspan_operator.planning.drafting import node_drafts
from neuronspan_operator.planning.explanations import remedies, shelves, standings, ways_out


class Verdict:
    """Nodes that stand alike are counted together, so that a summary costs what differs between them."""

    def __init__(self) -> None:
        self._standings: shelves.Shelves[standings.Standing] = shelves.Shelves()
        self._by_run: shelves.Shelves[int] = shelves.Shelves()  # usable nodes, under minus their longest free run
        self._ways: dict[str, ways_out.Way | None] = {}

    def put(self, name: str, standing: standings.Standing | None, longest: int) -> None:
        """Note where a node stands now, None when it is gone, and how long the longest free run of a usable one is."""
        self._ways.pop(name, None)
        if standing is None:
            self._standings.drop(name)
        else:
            self._standings.put(name, standing)
        if standing is None or standing.reached < standings.Hurdle.USABLE:
            self._by_run.drop(name)
        else:
            self._by_run.put(name, -longest)

    # --- all nodes -----------------------------------------------------------------------------------------------

    def objections(self) -> collections.Counter[str]:
        """Return how many nodes are counted under which words."""
        counts: collections.Counter[str] = collections.Counter()
        for shelf in self._standings:
            if shelf.key.words:
                counts[shelf.key.words] += len(shelf.names)
        return counts

    def kinds(self) -> set[reasons.ObjectionKind]:
        """Return the kinds of objections against nodes that have NeuronCores."""
        return {shelf.key.kind for shelf in self._standings if shelf.key.kind is not None}

    # --- the nodes that took a hurdle ----------------------------------------------------------------------------

    def count(self, hurdle: standings.Hurdle) -> int:
        """Return how many nodes took the hurdle."""
        return shelves.count(self._over(hurdle))

    def first(self, hurdle: standings.Hurdle, most: int) -> Sequence[str]:
        """Return the first names of those nodes, ascending."""
        return shelves.first(self._over(hurdle), most)

    def roomy(self) -> Iterable[str]:
        """Return all nodes that have the cores free, ascending."""
        return heapq.merge(*(shelf.names for shelf in self._over(standings.Hurdle.ROOMY)))

    def _over(self, hurdle: standings.Hurdle) -> "list[shelves.Shelf[standings.Standing]]":
        return [shelf for shelf in self._standings if shelf.key.reached >= hurdle]

    def ailing(self, most: int) -> tuple[Sequence[str], int]:
        """Return the first large enough nodes with unhealthy cores, and the number of runs of such cores on all."""
        found = [shelf for shelf in self._over(standings.Hurdle.LARGE_ENOUGH) if shelf.key.ailing]
        return shelves.first(found, most), sum(shelf.key.ailing * len(shelf.names) for shelf in found)

    def nearest_miss(self) -> tuple[placement.Reason, str] | None:
        """Return the reason that a change of the request would help most against, and the largest node that has it."""
        found = [
            ((remedies.rank(shelf.key.impossible), -shelf.key.cores), shelf.key.impossible, shelf.names[-1])
            for shelf in self._standings
            if shelf.key.impossible is not None
        ]
        if not found:
            return None
        nearest, reason, _ = min(found, key=lambda miss: miss[0])
        return reason, max(name for miss, _, name in found if miss == nearest)

    # --- what a pod that looks at no other pod would lack on a roomy node ------------------------------------------

    def lacking(self) -> collections.Counter[str]:
        """Return how many roomy nodes have too little of what, in words."""
        counts: collections.Counter[str] = collections.Counter()
        for shelf in self._over(standings.Hurdle.ROOMY):
            for words in shelf.key.lacking:
                counts[words] += len(shelf.names)
        return counts

    def free(self) -> int:
        """Return how many roomy nodes lack nothing."""
        return sum(len(shelf.names) for shelf in self._over(standings.Hurdle.ROOMY) if not shelf.key.lacking)

    def is_free(self, name: str) -> bool:
        """Whether the node is one of those."""
        found = self._standings.key_of(name)
        return found is not None and found.reached is standings.Hurdle.ROOMY and not found.lacking

    # --- whose end would make room -------------------------------------------------------------------------------

    def longest(self, most: int) -> Sequence[str]:
        """Return the usable nodes with the longest free runs, the longest first."""
        longest_first = sorted(self._by_run, key=lambda shelf: shelf.key)
        return list(itertools.islice(itertools.chain.from_iterable(shelf.names for shelf in longest_first), most))

    def ways(
        self, nodes: Sequence[node_drafts.NodeDraft], requests: Sequence[container_requests.ContainerRequest]
    ) -> list[ways_out.Way]:
        """Return the best way to make room on each of these nodes that has one; kept until a node changes."""
        kept = self._ways
        self._ways = {
            node.name: kept[node.name] if node.name in kept else ways_out.best(node, requests) for node in nodes
        }
        return [way for way in self._ways.values() if way is not None]
