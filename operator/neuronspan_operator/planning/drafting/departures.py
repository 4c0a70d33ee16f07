"""How a pod with grants goes to its node, and how grants are taken back from one that cannot.

Law: nothing here chooses cores. A pod is let go when its grants are stored and its volumes can be reached; grants of an
unplaced pod are taken back behind a fence, and new ones are younger than every fence.
"""

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Final

from neuronspan import grants
from neuronspan_operator import reasons
from neuronspan_operator.objects import neuron_nodes, pod_changes, pods
from neuronspan_operator.planning import plans
from neuronspan_operator.planning.drafting import drafts, node_drafts, parts
from neuronspan_operator.scheduling.volumes import claiming

_CLOCKS_DIFFER: Final = dt.timedelta(days=1)


def send(draft: drafts.Draft, pod: pods.PodView, node: node_drafts.NodeDraft, granted: Sequence[grants.Grant]) -> None:
    """Let a pod with these grants go to its node, once its volumes can be reached there."""
    given = {grant.container: grant.span for grant in granted}
    if pod.gated:
        draft.decide(plans.Ungate(pod, node.name, given, node.hostname))
        return
    volumes = claims(draft, pod, node, granted)
    if volumes.ready:
        draft.decide(plans.Bind(pod, node.name, given))
        return
    if volumes.flaw:  # what it needs went to a pod before it
        revoke(draft, pod, granted, f"Its grant is being taken back: on {node.name}: {volumes.flaw}.")
        return
    draft.part.decisions.extend(volumes.writes)
    draft.cluster.assume(volumes.assumed_in(draft.cluster.storage))
    message = f"It has its cores on {node.name}; {plans.listed(volumes.waits_for)}."
    draft.wait(pod.uid, plans.Waiting(reasons.WaitingReason.WAITING_FOR_VOLUMES, message, node.name))


def claims(
    draft: drafts.Draft, pod: pods.PodView, node: node_drafts.NodeDraft, granted: Sequence[grants.Grant]
) -> claiming.Claiming:
    """Return how far the volumes of a pod are that has these grants; a guest's are its own scheduler's business."""
    if pod.gated or not granted:
        return claiming.Claiming.READY
    return claiming.of(pod, node.name, draft.cluster, min(grant.since for grant in granted))


def reserve_volumes(draft: drafts.Draft, pod: pods.PodView, node: node_drafts.NodeDraft) -> None:
    """Keep for a pod that is not let go yet what it will need, so that no other pod gets it."""
    needed = claims(draft, pod, node, node.grants_of(pod.uid))
    draft.cluster.assume(needed.assumed_in(draft.cluster.storage))


def since_of(draft: drafts.Draft, pod: pods.PodView) -> str:
    """Return the moment of a new grant for the pod: now, or just after its fence where clocks differ."""
    fence = fence_of(draft, pod)
    return draft.since if fence < draft.now else neuron_nodes.timestamp(fence + dt.timedelta(microseconds=1))


def fence_of(draft: drafts.Draft, pod: pods.PodView) -> dt.datetime:
    """Return the moment up to which no grant of the pod may be carried out; long ago without a fence.

    One that is further ahead than clocks of operators may be is nobody's: it would keep the pod waiting for ever.
    """
    found = neuron_nodes.moment(pod.fenced_until)
    return found if found < draft.now + _CLOCKS_DIFFER else neuron_nodes.moment("")


def revoke(draft: drafts.Draft, pod: pods.PodView, granted: Iterable[grants.Grant], why: str) -> None:
    """Take an unplaced pod's grants back: first the fence; once that is visible, the next pass releases them."""
    until = max(neuron_nodes.moment(grant.since) for grant in granted)
    fence = pod_changes.fence_patch(pod, neuron_nodes.timestamp(until), draft.since)
    draft.parts.get((parts.Kind.POD, pod.uid)).decisions.append(plans.PodPatch(pod, fence, why))
    message = f"{why} It is planned again as soon as that is undone."
    draft.wait(pod.uid, plans.Waiting(reasons.WaitingReason.REVOKED, message))
