"""What would make a request fit: whose pods would have to end, on which node. Pure.

Law: it never names a pod whose end would not help.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet

from neuronspan import grants, placement, spans, windows
from neuronspan_operator.objects import container_requests
from neuronspan_operator.planning import node_drafts, plans

_NODES_TRIED = 3
"""Only the nodes with the longest free runs are searched: the answer is advice, not the optimum."""


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class _Way:
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


def sentence(nodes: Iterable[node_drafts.NodeDraft], requests: Sequence[container_requests.ContainerRequest]) -> str:
    """Say how long the longest free run is, and who would have to end; the nodes must be large enough."""
    ranked = sorted(((_longest(node), node) for node in nodes), key=lambda pair: (-len(pair[0]), pair[1].name))
    ways = sorted(way for _, node in ranked[:_NODES_TRIED] for way in _ways(node, requests))
    longest, node = ranked[0]
    free = "No core is free."
    if longest:
        free = f"The longest free run is {len(longest)} (cores {longest[0]}-{longest[-1]} of {node.name})."
    return " ".join(filter(None, (free, _links(node, requests), str(ways[0]) if ways else "")))


def _links(node: node_drafts.NodeDraft, requests: Sequence[container_requests.ContainerRequest]) -> str:
    """Say which runs of devices of the node are connected, where that is asked for and not all are."""
    wanted = (request.on(node.hardware, node.policy.rules) for request in requests)
    asked = {placement.connected_runs(node.hardware, each): each for each in wanted if each.first is None}
    return " ".join(
        f"{words.capitalize()} ({windows.devices_for(node.hardware, each.count)} devices of {node.name})."
        for words, each in asked.items()
        if words
    )


def _longest(node: node_drafts.NodeDraft) -> range:
    """Return the cores of the longest free run, empty when no core is free."""
    free = spans.free_runs(node.hardware.cores, node.taken())
    return max((run.cores for run in free), key=len, default=range(0))


def _ways(node: node_drafts.NodeDraft, requests: Sequence[container_requests.ContainerRequest]) -> Iterator[_Way]:
    """Return what would make room: the end of any one pod, else that of several."""
    pods_there = tuple(dict.fromkeys(grant.pod_uid for grant in node.ledger.grants))
    alone = [uid for uid in pods_there if _fits_without(node, requests, {uid})]
    if alone:
        yield from (_way(node, node.ledger.of_pod(uid)) for uid in alone)
    elif len(requests) == 1:
        yield from _places(node, requests[0])
    elif _fits_without(node, requests, set(pods_there)):
        yield _way(node, _needed(node, requests))


def _places(node: node_drafts.NodeDraft, request: container_requests.ContainerRequest) -> Iterator[_Way]:
    """Return who has cores of any place where the request could go."""
    wanted = request.on(node.hardware, node.policy.rules)
    for first in windows.members(placement.starts(node.hardware, wanted)):
        window = spans.CoreSpan(first, wanted.count)
        if not any(window.overlaps(span) for span in node.blocked):
            yield _way(node, [grant for grant in node.ledger.grants if grant.span.overlaps(window)])


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
    return placement.find_all(node.hardware, (*left, *node.blocked), wanted, node.policy.packing) is not None


def _way(node: node_drafts.NodeDraft, blockers: Sequence[grants.Grant]) -> _Way:
    live = {grant.pod_uid for grant in blockers if grant.state is not grants.GrantState.RELEASING}
    return _Way(len(live), sum(grant.span.count for grant in blockers), node.name, tuple(blockers))
