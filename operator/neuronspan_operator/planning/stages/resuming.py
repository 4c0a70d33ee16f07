"""Unplaced pods whose grants are stored already go on to their node, or the grants are revoked.

Law: a grant of an unplaced pod is released only after a fence on the pod is visible: until then another operator
may be binding the pod at this very moment (see pod_changes.fence_patch).
"""

import collections
import dataclasses
import datetime as dt
from collections.abc import Iterable, Mapping, Sequence

from neuronspan import grants
from neuronspan_operator import reasons
from neuronspan_operator.objects import neuron_nodes, pods
from neuronspan_operator.planning import plans
from neuronspan_operator.planning.drafting import departures, drafts, groups, node_drafts


@dataclasses.dataclass(frozen=True, slots=True)
class _Stored:
    """A pod's grants on one node, as they are stored."""

    node: node_drafts.NodeDraft
    grants: tuple[grants.Grant, ...]
    flaw: str  # why they cannot be used, "" when they can

    @property
    def since(self) -> str:
        """When they were made."""
        return min(grant.since for grant in self.grants)

    def made_until(self, fence: dt.datetime) -> bool:
        """Whether all of them were made up to that moment."""
        return all(neuron_nodes.moment(grant.since) <= fence for grant in self.grants)


def run(draft: drafts.Draft, uids: Iterable[str]) -> Mapping[groups.Key, set[str]]:
    """Let these unplaced pods, which have grants, go, or revoke them; return who goes on, by group."""
    usable: dict[str, _Stored] = {}
    going: dict[groups.Key, set[str]] = collections.defaultdict(set)
    for uid in sorted(uids):
        pod = draft.snapshot.pods[uid]
        draft.about_pod(uid)
        best = _best(draft, pod)
        if best is not None:
            usable[uid] = best
            group = draft.group_of(pod)
            if group is not None:
                group.granted.add(uid)
                going[pod.namespace, pod.pod_group].add(uid)
    for uid, stored in usable.items():
        draft.about_pod(uid)
        _go_on(draft, draft.snapshot.pods[uid], stored)
    return going


def _best(draft: drafts.Draft, pod: pods.PodView) -> _Stored | None:
    """Return the grants to go on with; without any, start to revoke those that cannot be used."""
    found = [_Stored(node, granted, _flaw(draft, pod, node, granted)) for node, granted in draft.granted_on(pod)]
    fenced = [stored for stored in found if pod.fenced_until and stored.made_until(departures.fence_of(draft, pod))]
    for stored in fenced:
        _release(draft, pod, stored)
    usable = [stored for stored in found if not stored.flaw and stored not in fenced]
    flawed = [stored for stored in found if stored.flaw and stored not in fenced]
    if flawed and not usable:  # while others are usable these stay: they end when the pod has its node
        why = "; ".join(f"on {stored.node.name}: {stored.flaw}" for stored in flawed)
        departures.revoke(
            draft,
            pod,
            (grant for stored in flawed for grant in stored.grants),
            f"Its grant is being taken back: {why}.",
        )
    return min(usable, key=lambda stored: (stored.since, stored.node.name), default=None)


def _flaw(draft: drafts.Draft, pod: pods.PodView, node: node_drafts.NodeDraft, granted: Sequence[grants.Grant]) -> str:
    if node.host is None or node.ineligible:
        return f"a node {node.ineligible}"
    if pod.problems or not _serve(pod, node, granted):
        return "the grant is not what the pod asks for"
    if pod.uid in node.contested:
        return "another container holds the cores"
    if node.name in draft.snapshot.avoided.get(pod.uid, ()):
        return "a pod like this was refused there"
    unhealthy = node.unhealthy_among(granted)
    if unhealthy:
        return f"some of the cores are unhealthy: {unhealthy}"
    objection = draft.objection(pod, node)
    return departures.claims(draft, pod, node, granted).flaw if objection is None else objection.words


def _serve(pod: pods.PodView, node: node_drafts.NodeDraft, granted: Sequence[grants.Grant]) -> bool:
    """Whether the grants are exactly what the pod asks for, today."""
    wanted = {request.container: request for request in pod.requests}
    return wanted.keys() == {grant.container for grant in granted} and all(
        wanted[grant.container].is_served_by(grant, node.hardware) for grant in granted
    )


def _release(draft: drafts.Draft, pod: pods.PodView, stored: _Stored) -> None:
    draft.promises.break_one(pod.uid, stored.node.name)
    for grant in stored.grants:
        stored.node.change(stored.node.ledger.release(grant.key, draft.since), f"{grant} is released: it was revoked")


def _go_on(draft: drafts.Draft, pod: pods.PodView, stored: _Stored) -> None:
    group = draft.group_of(pod)
    if group is None or group.complete or group.was_served(pod):
        departures.send(draft, pod, stored.node, stored.grants)
    elif group.present < group.size:
        departures.revoke(draft, pod, stored.grants, f"Its grant is being taken back: {group}.")
    else:  # the grants of the other members are next
        draft.resumable.add(pod.uid)
        departures.reserve_volumes(draft, pod, stored.node)
        message = f"It has its cores and waits for the others of {group}."
        draft.wait(pod.uid, plans.Waiting(reasons.WaitingReason.POD_GROUP, message, stored.node.name))
