"""What would make a request fit: whose pods would have to end, on which node. Pure.

Law: it never names a pod whose end would not help.
"""

import bisect
import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from typing import Final

from neuronspan import grants, spans
from neuronspan.fitting import places, refusals, windows
from neuronspan_operator.objects import container_requests
from neuronspan_operator.planning import plans
from neuronspan_operator.planning.drafting import node_drafts

NODES_TRIED: Final = 3
"""Only the nodes with the longest free runs are searched: the answer is advice, not the optimum."""


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class Way:
    """Grants whose end makes room; the order prefers few live pods, then few cores."""

    live_pods: int
    cores: int
    node: str
    blockers: tuple[grants.Grant, ...] = dataclasses.field(compare=False)

    def __str__(self) -> str:
        releasing = grants.GrantState.RELEASING
        named = plans.listed(
            f"{each.namespace}/{each.pod} (cores {each.span}{', being released' if each.state is releasing else ''})"
            for each in self.blockers
        )
        return f"It would fit on {self.node} after the end of {named}."


def sentence(
    node: node_drafts.NodeDraft,
    longest: range,
    requests: Sequence[container_requests.ContainerRequest],
    ways: Iterable[Way],
) -> str:
    """Say how long the longest free run is and where, and who would have to end; ``ways`` are those to choose from."""
    free = "No core is free."
    if longest:
        free = f"The longest free run is {len(longest)} (cores {longest[0]}-{longest[-1]} of {node.name})."
    best_of_all = min(ways, default=None)
    way = "" if best_of_all is None else str(best_of_all)
    return " ".join(filter(None, (free, _links(node, requests), way)))


def _links(node: node_drafts.NodeDraft, requests: Sequence[container_requests.ContainerRequest]) -> str:
    """Say which runs of devices of the node are connected, where that is asked for and not all are."""
    wanted = (request.on(node.hardware, node.policy.rules) for request in requests)
    asked = {refusals.connected_runs(node.hardware, each): each for each in wanted if each.first is None}
    return " ".join(
        f"{words.capitalize()} ({windows.devices_for(node.hardware, each.count)} devices of {node.name})."
        for words, each in asked.items()
        if words
    )


def best(node: node_drafts.NodeDraft, requests: Sequence[container_requests.ContainerRequest]) -> Way | None:
    """Return what would best make room on a node that is large enough: the end of any one pod, else that of several.

    None when nothing would.
    """
    pods_there = dict.fromkeys(grant.pod_uid for grant in node.ledger.grants)
    room = _Room(node, requests)
    for blockers in sorted(map(node.all_grants_of, pods_there), key=_cost):
        if room.opens(blockers) and _fits_without(node, requests, {blockers[0].pod_uid}):
            return _way(node, blockers)
    if len(requests) == 1:
        cheapest = min(_places(node, requests[0]), key=_cost, default=None)
        return None if cheapest is None else _way(node, cheapest)
    return _way(node, _needed(node, requests)) if _fits_without(node, requests, pods_there.keys()) else None


class _Room:
    """The free cores of a node, as bits: whether a run is long enough is seen far sooner than whether all fits."""

    def __init__(self, node: node_drafts.NodeDraft, requests: Sequence[container_requests.ContainerRequest]) -> None:
        blocked = _bits(node.blocked)
        self._usable = ((1 << node.hardware.cores) - 1) & ~blocked
        self._free = self._usable & ~_bits(grant.span for grant in node.ledger.grants)
        self._longest = max(request.cores_on(node.hardware) for request in requests)

    def opens(self, blockers: Iterable[grants.Grant]) -> bool:
        """Whether the end of these grants leaves a run that is long enough for the largest of the requests."""
        starts, left = self._free | self._usable & _bits(grant.span for grant in blockers), self._longest
        while left > 1:  # each step leaves the starts of runs that are up to twice as long as before
            starts &= starts >> (left >> 1)
            left -= left >> 1
        return starts != 0


def _bits(taken: Iterable[spans.CoreSpan]) -> int:
    found = 0
    for span in taken:
        found |= ((1 << span.count) - 1) << span.first
    return found


def _places(
    node: node_drafts.NodeDraft, request: container_requests.ContainerRequest
) -> Iterator[Sequence[grants.Grant]]:
    """Yield the grants that have cores of each place where the request could go."""
    wanted = request.on(node.hardware, node.policy.rules)
    there = node.ledger.grants  # by first core, and none shares a core with another
    for first in windows.members(windows.starts(node.hardware, wanted)):
        window = spans.CoreSpan(first, wanted.count)
        if not any(window.overlaps(span) for span in node.blocked):
            start = bisect.bisect_right(there, window.first, key=_end)
            yield there[start : bisect.bisect_left(there, window.end, start, key=_first)]


def _needed(
    node: node_drafts.NodeDraft, requests: Sequence[container_requests.ContainerRequest]
) -> tuple[grants.Grant, ...]:
    """Return a set of pods' grants of which none can stay: from all of them, one after the other is put back."""
    ended = {grant.pod_uid for grant in node.ledger.grants}
    releasing = grants.GrantState.RELEASING
    for grant in sorted(node.ledger.grants, key=lambda grant: (grant.state is releasing, -grant.span.count)):
        if _fits_without(node, requests, ended - {grant.pod_uid}):
            ended.discard(grant.pod_uid)
    return tuple(grant for grant in node.ledger.grants if grant.pod_uid in ended)


def _fits_without(
    node: node_drafts.NodeDraft, requests: Sequence[container_requests.ContainerRequest], ended: AbstractSet[str]
) -> bool:
    left = (grant.span for grant in node.ledger.grants if grant.pod_uid not in ended)
    wanted = [request.on(node.hardware, node.policy.rules) for request in requests]
    return places.find_all(node.hardware, (*left, *node.blocked), wanted, node.policy.packing) is not None


def _way(node: node_drafts.NodeDraft, blockers: Sequence[grants.Grant]) -> Way:
    live_pods, cores = _cost(blockers)
    return Way(live_pods, cores, node.name, tuple(blockers))


def _cost(blockers: Sequence[grants.Grant]) -> tuple[int, int]:
    """Return how many live pods would have to end, and how many cores they have."""
    releasing = grants.GrantState.RELEASING
    live = {grant.pod_uid for grant in blockers if grant.state is not releasing}
    return len(live), sum(grant.span.count for grant in blockers)


def _first(grant: grants.Grant) -> int:
    return grant.span.first


def _end(grant: grants.Grant) -> int:
    return grant.span.end
