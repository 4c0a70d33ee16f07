"""How many volumes a CSI driver can attach to a node.

Follows the NodeVolumeLimits plugin. Of disks of built-in plugins those of EBS are counted, see ``migration``; a claim
that an existing pod uses and nobody made for it is not counted, where the plugin gives up.
Source: k8s.io/kubernetes/pkg/scheduler/framework/plugins/nodevolumelimits/csi.go.
"""

import collections
from collections.abc import Iterable, Mapping
from typing import Final

from neuronspan_operator.objects import pods
from neuronspan_operator.objects.constraints import pod_volumes, storage
from neuronspan_operator.objects.constraints.volumes import claims, migration
from neuronspan_operator.scheduling import cluster_state, objections
from neuronspan_operator.scheduling.counting import node_states
from neuronspan_operator.scheduling.volumes import pod_claims

_TOO_MANY: Final = pod_claims.of_node("node(s) exceed max volume count")

_Attached = tuple[str, str]  # driver, and its name of the volume


def for_pod(pod: pods.PodView, cluster: cluster_state.Cluster) -> objections.Filter | None:
    """Return the filter for a pod with volumes that have to be attached."""
    if not (pod.constraints.claims or pod.constraints.disks):
        return None
    wanted = _of_pods([pod], cluster.storage)
    if not wanted:
        return None
    stored = cluster.storage
    attached = cluster.of_storage(_attached)

    def judge(node: node_states.NodeState) -> objections.Objection | None:
        driver_node = stored.driver_nodes.get(node.name)
        if driver_node is None or not driver_node.limits:
            return None
        in_use = _of_pods(node.with_volumes.values(), stored)
        new = _counted(wanted - in_use)
        present = _counted(in_use | attached.get(node.name, set()))
        limits = driver_node.limits
        exceeded = any(driver in limits and present[driver] + count > limits[driver] for driver, count in new.items())
        return _TOO_MANY if exceeded else None

    return judge


def _attached(stored: storage.Storage) -> Mapping[str, set[_Attached]]:
    """Return the volumes that are attached, or are to be, by node."""
    found: dict[str, set[_Attached]] = collections.defaultdict(set)
    for each in stored.attachments.values():
        volume = stored.volumes.get(each.volume_name)
        if each.driver and volume is not None and volume.driver and not volume.plugin:
            found[each.node].add((each.driver, volume.handle))
    return found


def _counted(attached: Iterable[_Attached]) -> Mapping[str, int]:
    return collections.Counter(driver for driver, _ in attached)


def _of_pods(users: Iterable[pods.PodView], stored: storage.Storage) -> set[_Attached]:
    """Return the volumes that have to be attached where these pods are."""
    found: set[_Attached] = set()
    for pod in users:
        for disk in pod.constraints.disks:
            if disk.kind is pod_volumes.DiskKind.EBS:
                found.add((migration.DRIVER, migration.handle(disk.name)))
        for ref in pod.constraints.claims:
            claim = stored.claims.get(f"{pod.namespace}/{ref.name}")
            if claim is not None and not (ref.ephemeral and claim.controller != pod.uid):
                driver, handle = _volume_of(claim, stored)
                if driver and handle:
                    found.add((driver, handle))
    return found


def _volume_of(claim: claims.Claim, stored: storage.Storage) -> _Attached:
    """Return the volume of a claim; one that has none yet counts as another one of its class's driver."""
    volume = stored.volumes.get(claim.volume_name) if claim.volume_name else None
    if volume is not None:
        return volume.driver, volume.handle
    found = stored.classes.get(claim.class_name) if claim.class_name else None
    if found is None:
        return "", ""
    driver = migration.DRIVER if found.provisioner == migration.PLUGIN else found.provisioner
    return driver, f"of claim {claim.key}"  # no driver's name of a volume has a space
