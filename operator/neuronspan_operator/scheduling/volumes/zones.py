"""Volumes whose labels name a zone or region.

Follows the VolumeZone plugin; it looks at claims of volumes only, not at ephemeral ones.
Source: k8s.io/kubernetes/pkg/scheduler/framework/plugins/volumezone.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from neuronspan_operator.objects import pods
from neuronspan_operator.objects.constraints import storage
from neuronspan_operator.objects.constraints.volumes import claims, migration, persistent_volumes
from neuronspan_operator.scheduling import cluster_state, objections
from neuronspan_operator.scheduling.counting import node_states
from neuronspan_operator.scheduling.volumes import pod_claims

_ELSEWHERE: Final = pod_claims.of_node("node(s) had no available volume zone")
_SUCCESSORS: Final = {migration.BETA_ZONE: migration.ZONE, migration.BETA_REGION: migration.REGION}
_LABELS: Final = (*_SUCCESSORS, *_SUCCESSORS.values())

_Topology = tuple[str, frozenset[str]]  # a label, and the values of it that will do


def for_pod(pod: pods.PodView, cluster: cluster_state.Cluster) -> objections.Judgement | None:
    """Return the filter for a pod whose volumes name zones or regions."""
    required: list[_Topology] = []
    for ref in pod.constraints.claims:
        if ref.ephemeral:
            continue
        claim = pod_claims.known(pod, ref, cluster.storage)
        volume = claim if isinstance(claim, objections.Objection) else _volume(claim, cluster.storage)
        if isinstance(volume, objections.Objection):
            return volume
        if volume is not None:
            required.extend(_topologies(volume))
    if not required:
        return None

    def judge(node: node_states.NodeState) -> objections.Objection | None:
        labels = node.host.labels
        if not any(key in labels for key in _LABELS):
            return None  # a cluster of a single zone may have none
        return None if all(_admits(each, labels) for each in required) else _ELSEWHERE

    return judge


def _volume(claim: claims.Claim, stored: storage.Storage) -> persistent_volumes.Volume | objections.Objection | None:
    """Return the claim's volume, None when it waits for a node to be chosen."""
    if claim.volume_name:
        found = stored.volumes.get(claim.volume_name)
        return found or pod_claims.of_pod(f'persistentvolume "{claim.volume_name}" not found')
    if not claim.class_name:
        return pod_claims.of_pod("PersistentVolumeClaim had no pv name and storageClass name")
    if claim.class_name not in stored.classes:
        return pod_claims.of_pod(f'storageclass.storage.k8s.io "{claim.class_name}" not found')
    if pod_claims.waits_for_node(claim, stored):
        return None
    return pod_claims.of_pod("PersistentVolume had no name")


def _topologies(volume: persistent_volumes.Volume) -> Iterator[_Topology]:
    for key in _LABELS:
        values = frozenset(each.strip() for each in volume.labels.get(key, "").split(migration.ZONE_DELIMITER))
        if "" not in values:  # a label that makes no sense is no constraint
            yield key, values


def _admits(topology: _Topology, labels: Mapping[str, str]) -> bool:
    key, values = topology
    found = labels.get(key, labels.get(_SUCCESSORS.get(key, key)))
    return found is not None and found in values
