"""Whether a node can reach a pod's volumes, and how those that it has not yet would be got for the node.

Follows the VolumeBinding plugin. Its score is off unless an alpha feature turns it on, so there is none here. Where it
has several reasons against a node, the first stands for all.
Source: k8s.io/kubernetes/pkg/scheduler/framework/plugins/volumebinding/{volume_binding,binder}.go.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from neuronspan_operator.objects import nodes, pods
from neuronspan_operator.objects.constraints import storage
from neuronspan_operator.objects.constraints.volumes import claims, classes, persistent_volumes
from neuronspan_operator.scheduling import cluster_state, objections
from neuronspan_operator.scheduling.counting import node_states
from neuronspan_operator.scheduling.volumes import matching, pod_claims

_UNREACHABLE: Final = pod_claims.of_node("node(s) didn't match PersistentVolume's node affinity")
_NO_VOLUME: Final = pod_claims.of_node("node(s) didn't find available persistent volumes to bind")
_NO_SPACE: Final = pod_claims.of_node("node(s) did not have enough free storage")
_NO_SUCH_VOLUME: Final = pod_claims.of_node("node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)")

Candidates = Mapping[str, Sequence[persistent_volumes.Volume]]
"""Volumes by their class."""


@dataclasses.dataclass(frozen=True, slots=True)
class Arrangement:
    """How open claims get their volumes for one node: existing ones, or new ones."""

    matched: tuple[tuple[claims.Claim, persistent_volumes.Volume], ...] = ()
    provisioned: tuple[claims.Claim, ...] = ()


def for_pod(pod: pods.PodView, cluster: cluster_state.Cluster) -> objections.Judgement | None:
    """Return the filter for a pod with claims."""
    if not pod.constraints.claims:
        return None
    stored = cluster.storage
    demand = pod_claims.of(pod, stored)
    if isinstance(demand, objections.Objection):
        return demand
    suitable = cluster.of_storage(by_class)

    def judge(node: node_states.NodeState) -> objections.Objection | None:
        flaw = _settled(demand.settled, node.host, stored)
        if flaw is not None:
            return flaw
        found = arranged(demand.open, node.host, stored, suitable)
        return found if isinstance(found, objections.Objection) else None

    return judge


def by_class(stored: storage.Storage) -> Candidates:
    """Return all volumes by their class."""
    found: dict[str, list[persistent_volumes.Volume]] = {}
    for volume in stored.volumes.values():
        found.setdefault(volume.class_name, []).append(volume)
    return found


def _settled(
    settled: Iterable[claims.Claim], node: nodes.NodeView, stored: storage.Storage
) -> objections.Objection | None:
    for claim in settled:
        volume = stored.volumes.get(claim.volume_name)
        if volume is None:
            return _NO_SUCH_VOLUME
        if not volume.reachable(node.labels, stored.migrated(node.name)):
            return _UNREACHABLE
    return None


def arranged(
    wanted: Sequence[claims.Claim], node: nodes.NodeView, stored: storage.Storage, suitable: Candidates
) -> Arrangement | objections.Objection:
    """Return how these claims get their volumes for the node; small claims choose first."""
    if any(each.selected_node not in {"", node.name} for each in wanted):
        return _NO_VOLUME
    matched: list[tuple[claims.Claim, persistent_volumes.Volume]] = []
    provisioned = [each for each in wanted if each.selected_node]
    taken: set[str] = set()
    for claim in sorted((each for each in wanted if not each.selected_node), key=lambda each: each.requested):
        volume = matching.best(claim, suitable.get(claim.class_name, ()), node.labels, taken)
        if volume is None:
            provisioned.append(claim)
        else:
            matched.append((claim, volume))
            taken.add(volume.name)
    for claim in provisioned:
        flaw = _unprovided(claim, stored.classes[claim.class_name], node.labels, stored)
        if flaw is not None:
            return flaw
    return Arrangement(tuple(matched), tuple(provisioned))


def _unprovided(
    claim: claims.Claim, wanted: classes.StorageClass, labels: Mapping[str, str], stored: storage.Storage
) -> objections.Objection | None:
    """Say why no volume can be made for a claim and a node."""
    if not wanted.provisions_for(labels):
        return _NO_VOLUME
    driver = stored.drivers.get(wanted.provisioner)
    if not claim.sized or driver is None or not driver.tracks_capacity:
        return None
    enough = any(
        each.class_name == wanted.name
        and each.largest is not None
        and each.largest >= claim.requested
        and each.nodes.selects(labels)
        for each in stored.capacities.values()
    )
    return None if enough else _NO_SPACE
