"""What has to be written before a pod with a grant can be bound to its node: how its open claims get their volumes.

Follows Reserve and PreBind of the VolumeBinding plugin. Nothing is remembered here: each pass looks where the claims
are now. A claim may be seen before its volume, which then is waited for; what was arranged for another node, or failed,
is a flaw, and the grant has to be taken back.
Source: k8s.io/kubernetes/pkg/scheduler/framework/plugins/volumebinding/binder.go and
https://kubernetes.io/docs/reference/labels-annotations-taints/#volume-kubernetes-io-selected-node
"""

import dataclasses
from collections.abc import Sequence
from typing import Any, ClassVar

from neuronspan_operator.objects import nodes, pods
from neuronspan_operator.objects.constraints import storage
from neuronspan_operator.objects.constraints.volumes import claims, persistent_volumes
from neuronspan_operator.scheduling import cluster_state, objections
from neuronspan_operator.scheduling.volumes import binding, pod_claims


@dataclasses.dataclass(frozen=True, slots=True)
class SelectNode:
    """Tell the claim's provisioner to make a volume that the node can reach, for the grant of that moment."""

    pod: pods.PodView
    claim: claims.Claim
    node: str
    since: str

    @property
    def patch(self) -> dict[str, Any]:
        """The merge patch of the claim; it does nothing to a newer one."""
        annotations = {claims.SELECTED_NODE: self.node}
        return {"metadata": {"resourceVersion": self.claim.resource_version, "annotations": annotations}}

    def __str__(self) -> str:
        return f"select node {self.node} for persistentvolumeclaim {self.claim.name}"


@dataclasses.dataclass(frozen=True, slots=True)
class BindVolume:
    """Hold the volume for the claim; the controller of volumes then finishes the binding."""

    pod: pods.PodView
    claim: claims.Claim
    volume: persistent_volumes.Volume
    node: str

    @property
    def patch(self) -> dict[str, Any]:
        """The merge patch of the volume; it does nothing to a newer one."""
        metadata: dict[str, Any] = {"resourceVersion": self.volume.resource_version}
        if self.volume.holder is None:  # what a user held for the claim stays the user's
            metadata["annotations"] = {persistent_volumes.BOUND_BY_CONTROLLER: "yes"}
        holder = {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "namespace": self.claim.namespace,
            "name": self.claim.name,
            "uid": self.claim.uid,
            "resourceVersion": self.claim.resource_version,
        }
        return {"metadata": metadata, "spec": {"claimRef": holder}}

    def __str__(self) -> str:
        return f"hold persistentvolume {self.volume.name} for persistentvolumeclaim {self.claim.name}"


Write = SelectNode | BindVolume


@dataclasses.dataclass(frozen=True, slots=True)
class Claiming:
    """How far a pod's volumes are: ``ready`` to bind the pod, or what is to be written and waited for, or a flaw.

    ``waits_for`` and ``flaw`` are parts of sentences: "persistentvolumeclaim data waits for ...".
    """

    READY: ClassVar["Claiming"]

    writes: tuple[Write, ...] = ()
    waits_for: tuple[str, ...] = ()
    flaw: str = ""

    @property
    def ready(self) -> bool:
        """Whether every claim has a volume that the node can reach."""
        return not (self.writes or self.waits_for or self.flaw)

    def assumed_in(self, stored: storage.Storage) -> storage.Storage:
        """Return what will be known of volumes once all is written: no other pod can have what this one gets."""
        if not self.writes:
            return stored
        selected = (each for each in self.writes if isinstance(each, SelectNode))
        bound = (each for each in self.writes if isinstance(each, BindVolume))
        return storage.with_changed(
            stored,
            [dataclasses.replace(each.claim, selected_node=each.node) for each in selected],
            [dataclasses.replace(each.volume, holder=_holder(each.claim)) for each in bound],
        )


Claiming.READY = Claiming()


def of(pod: pods.PodView, node: str, cluster: cluster_state.Cluster, since: str) -> Claiming:
    """Return how far the volumes of a pod are that has a grant, made at ``since``, on a node of the cluster."""
    if not pod.constraints.claims:
        return Claiming.READY
    stored, host = cluster.storage, cluster.nodes[node].host
    wanted: list[claims.Claim] = []
    for ref in dict.fromkeys(pod.constraints.claims):
        claim = pod_claims.usable(pod, ref, stored)
        if isinstance(claim, objections.Objection):
            # what cannot be read now is no reason to take cores back
            return Claiming(waits_for=(claim.words,)) if stored.unread else Claiming(flaw=claim.words)
        wanted.append(claim)
    flaw = next(filter(None, (_flaw(each, host, stored, since) for each in wanted)), "")
    if flaw:
        return Claiming(flaw=flaw)
    under_way = tuple(filter(None, (_under_way(each, stored) for each in wanted)))
    undecided = [each for each in wanted if not (each.volume_name or each.selected_node)]
    found = binding.arranged(undecided, host, stored, cluster.of_storage(binding.by_class))
    if isinstance(found, objections.Objection):
        return Claiming(flaw=found.words)
    return _carried_out(pod, node, since, found, under_way, stored)


def _flaw(claim: claims.Claim, node: nodes.NodeView, stored: storage.Storage, since: str) -> str:
    """Say why a claim can have no volume on the node any more."""
    named = f"persistentvolumeclaim {claim.name}"
    if claim.volume_name:
        volume = stored.volumes.get(claim.volume_name)
        if volume is not None and not volume.reachable(node.labels, stored.migrated(node.name)):
            return f"{named} has the volume {volume.name}, which the node cannot reach"
        return ""
    if not pod_claims.waits_for_node(claim, stored):
        return f"{named} has no volume, and its class does not wait for a node"
    if claim.selected_node not in {"", node.name}:
        return f"{named} gets its volume for another node, {claim.selected_node}"
    if not claim.selected_node and stored.selections.get(claim.uid) == storage.Selection(node.name, since):
        return f"no volume could be made for {named} there; the Events of the claim say why"
    return ""


def _under_way(claim: claims.Claim, stored: storage.Storage) -> str:
    """Say what is still missing of a claim that was decided on; "" when nothing is, or nothing was decided."""
    named = f"persistentvolumeclaim {claim.name}"
    if claim.volume_name:
        if claim.volume_name not in stored.volumes:
            return f"{named} is bound to persistentvolume {claim.volume_name}, which does not exist or is not seen yet"
        return "" if claim.settled else f"{named} waits until its binding to {claim.volume_name} is complete"
    if claim.selected_node:
        return _provisioning(claim, claim.selected_node, stored)
    return ""


def _provisioning(claim: claims.Claim, node: str, stored: storage.Storage) -> str:
    maker = stored.classes[claim.class_name].provisioner
    return f"persistentvolumeclaim {claim.name} waits for a volume that {maker} makes for {node}"


def _carried_out(
    pod: pods.PodView,
    node: str,
    since: str,
    found: binding.Arrangement,
    under_way: Sequence[str],
    stored: storage.Storage,
) -> Claiming:
    bound = [BindVolume(pod, claim, volume, node) for claim, volume in found.matched if not _is_held(volume, claim)]
    selected = [SelectNode(pod, claim, node, since) for claim in found.provisioned]
    binding_of = (
        f"persistentvolumeclaim {claim.name} waits to be bound to persistentvolume {volume.name}"
        for claim, volume in found.matched
    )
    provisioning = (_provisioning(claim, node, stored) for claim in found.provisioned)
    return Claiming((*bound, *selected), (*under_way, *binding_of, *provisioning))


def _is_held(volume: persistent_volumes.Volume, claim: claims.Claim) -> bool:
    """Whether the volume names this very claim already."""
    return volume.holder == _holder(claim)


def _holder(claim: claims.Claim) -> persistent_volumes.Holder:
    return persistent_volumes.Holder(claim.namespace, claim.name, claim.uid)
