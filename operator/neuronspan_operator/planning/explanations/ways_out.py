"""What would make a request fit: whose pods would have to end, on which node. Pure.

Law: it never names a pod whose end would not help.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from typing import Final

from neuronspan import grants, placement, spans
from neuronspan_operator.objects import container_requests
from neuronspan_operator.planning import node_drafts, plans

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


def sentence(node: node_drafts.NodeDraft, longest: range, ways: Iterable[Way]) -> str:
    """Say how long the longest free run is and where, and who would have to end; ``ways`` are those to choose from."""
    free = "No core is free."
    if longest:
        free = f"The longest free run is {len(longest)} (cores {longest[0]}-{longest[-1]} of {node.name})."
    best_of_all = min(ways, default=None)
    return free if best_of_all is None else f"{free} {best_of_all}"


def best(node: node_drafts.NodeDraft, requests: Sequence[container_requests.ContainerRequest]) -> Way | None:
    """Return what would best make room on a node that is large enough, None when nothing would."""
    return min(_ways(node, requests), default=None)


def _ways(node: node_drafts.NodeDraft, requests: Sequence[container_requests.ContainerRequest]) -> Iterator[Way]:
    """Return what would make room: the end of any one pod, else that of several."""
    pods_there = tuple(dict.fromkeys(grant.pod_uid for grant in node.ledger.grants))
    alone = [uid for uid in pods_there if _fits_without(node, requests, {uid})]
    if alone:
        yield from (_way(node, node.ledger.of_pod(uid)) for uid in alone)
    elif len(requests) == 1:
        yield from _places(node, requests[0])
    elif _fits_without(node, requests, set(pods_there)):
        yield _way(node, _needed(node, requests))


def _places(node: node_drafts.NodeDraft, request: container_requests.ContainerRequest) -> Iterator[Way]:
    """Return who has cores of any place where the request could go."""
    wanted = request.on(node.hardware, node.policy.align)
    step = node.hardware.cores_per_device if wanted.align is placement.Alignment.DEVICE else 1
    starts = range(0, node.hardware.cores - wanted.count + 1, step) if wanted.first is None else (wanted.first,)
    for first in starts:
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
    wanted = [request.on(node.hardware, node.policy.align) for request in requests]
    found = placement.place_all(node.hardware, (*left, *node.blocked), wanted, node.policy.packing)
    return not isinstance(found, placement.Unplaceable)


def _way(node: node_drafts.NodeDraft, blockers: Sequence[grants.Grant]) -> Way:
    live = {grant.pod_uid for grant in blockers if grant.state is not grants.GrantState.RELEASING}
    return Way(len(live), sum(grant.span.count for grant in blockers), node.name, tuple(blockers))
