"""Volumes that several pods cannot use at once: on one node, or in the whole cluster.

Follows the VolumeRestrictions plugin: disks that a pod names itself, and claims for a single pod.
Source: k8s.io/kubernetes/pkg/scheduler/framework/plugins/volumerestrictions.
"""

from typing import Final

from neuronspan_operator.objects import pods
from neuronspan_operator.objects.constraints import pod_volumes
from neuronspan_operator.scheduling import cluster_state, objections
from neuronspan_operator.scheduling.counting import node_states
from neuronspan_operator.scheduling.volumes import claim_users, pod_claims

_DISK_IN_USE: Final = pod_claims.of_node("node(s) had no available disk")
_CLAIM_IN_USE: Final = pod_claims.of_node(
    "node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by another pod"
)


def for_pod(pod: pods.PodView, cluster: cluster_state.Cluster) -> objections.Judgement | None:
    """Return the filter for a pod with claims or disks."""
    exclusive: set[str] = set()
    for ref in pod.constraints.claims:
        if ref.ephemeral:  # it has one pod anyway
            continue
        claim = pod_claims.known(pod, ref, cluster.storage)
        if isinstance(claim, objections.Objection):
            return claim
        if claim.once_per_pod:
            exclusive.add(claim.name)
    in_use = bool(exclusive) and bool(cluster.keep(claim_users.Users(pod.namespace, frozenset(exclusive))).by_node)
    disks = pod.constraints.disks
    if not (in_use or disks):
        return None

    def judge(node: node_states.NodeState) -> objections.Objection | None:
        if disks and any(_clash(disks, other) for other in node.with_volumes.values()):
            return _DISK_IN_USE
        return _CLAIM_IN_USE if in_use else None

    return judge


def _clash(disks: tuple[pod_volumes.Disk, ...], other: pods.PodView) -> bool:
    return any(disk.clashes(taken) for disk in disks for taken in other.constraints.disks)
