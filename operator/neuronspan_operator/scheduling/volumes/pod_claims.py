"""The claims of a pod, and what keeps every node from having it because of them.

Follows podHasPVCs and GetPodVolumeClaims of the VolumeBinding plugin. A claim that several volumes of one pod use is
looked at once: the plugin would look for a volume of its own for each.
Source: k8s.io/kubernetes/pkg/scheduler/framework/plugins/volumebinding.
"""

import dataclasses
from typing import Final

from neuronspan_operator import reasons
from neuronspan_operator.objects import pods
from neuronspan_operator.objects.constraints import pod_volumes, storage
from neuronspan_operator.objects.constraints.volumes import claims
from neuronspan_operator.scheduling import objections

UNBOUND: Final = "pod has unbound immediate PersistentVolumeClaims"


@dataclasses.dataclass(frozen=True, slots=True)
class Demand:
    """A pod's claims: those that have their volume, and those that get one for the node that is chosen."""

    settled: tuple[claims.Claim, ...] = ()
    open: tuple[claims.Claim, ...] = ()


def of(pod: pods.PodView, stored: storage.Storage) -> Demand | objections.Objection:
    """Return the pod's claims, or why no node will do for now."""
    settled: list[claims.Claim] = []
    unsettled: list[claims.Claim] = []
    for ref in dict.fromkeys(pod.constraints.claims):
        claim = usable(pod, ref, stored)
        if isinstance(claim, objections.Objection):
            return claim
        (settled if claim.settled else unsettled).append(claim)
    if any(each.volume_name or not waits_for_node(each, stored) for each in unsettled):
        return of_pod(UNBOUND)
    return Demand(tuple(settled), tuple(unsettled))


def usable(
    pod: pods.PodView, ref: pod_volumes.ClaimRef, stored: storage.Storage
) -> claims.Claim | objections.Objection:
    """Return the claim that is meant, or what is wrong with it."""
    claim = known(pod, ref, stored)
    if isinstance(claim, objections.Objection):
        return claim
    if claim.lost:
        return of_pod(
            f'persistentvolumeclaim "{claim.name}" bound to non-existent persistentvolume "{claim.volume_name}"'
        )
    if claim.deleted:
        return of_pod(f'persistentvolumeclaim "{claim.name}" is being deleted')
    if ref.ephemeral and claim.controller != pod.uid:
        return of_pod(f"PVC {claim.key} was not created for pod {pod.key} (pod is not owner)")
    return claim


def known(pod: pods.PodView, ref: pod_volumes.ClaimRef, stored: storage.Storage) -> claims.Claim | objections.Objection:
    """Return the claim that is meant; it may be unknown because there is none, or because it cannot be read."""
    if stored.unread:
        return of_pod(f"{', '.join(stored.unread)} cannot be read: not listed yet, or the right to list is missing")
    claim = stored.claims.get(f"{pod.namespace}/{ref.name}")
    if claim is not None:
        return claim
    if ref.ephemeral:
        return of_pod(f'waiting for ephemeral volume controller to create the persistentvolumeclaim "{ref.name}"')
    return of_pod(f'persistentvolumeclaim "{ref.name}" not found')


def waits_for_node(claim: claims.Claim, stored: storage.Storage) -> bool:
    """Whether a claim is bound for its first pod, not at once."""
    found = stored.classes.get(claim.class_name) if claim.class_name else None
    return found is not None and found.waits


def of_pod(words: str) -> objections.Objection:
    """Return an objection that holds for every node."""
    return objections.Objection(reasons.ObjectionKind.VOLUMES, words, of_pod=True)


def of_node(words: str) -> objections.Objection:
    """Return an objection to one node."""
    return objections.Objection(reasons.ObjectionKind.VOLUMES, words)
