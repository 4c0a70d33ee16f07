"""What we say of the same pods: the manifests that the API server stored, read and screened as the operator does."""

import collections
import dataclasses
from collections.abc import Iterable

from neuronspan_operator.objects import nodes, pods
from neuronspan_operator.objects.constraints import storage
from neuronspan_operator.objects.constraints.volumes import claims, classes, csi, persistent_volumes
from neuronspan_operator.scheduling import cluster_state, screening
from oracle import stage
from oracle.drawn import drawing

Manifest = drawing.Manifest


@dataclasses.dataclass(frozen=True)
class Verdict:
    """Where a pod may be, and why nowhere else: reasons counted as kube-scheduler does, one of the whole pod as 0."""

    allowed: frozenset[str]
    counted: dict[str, int]
    kinds: dict[str, int]  # refused nodes by the kind of the first reason


def cluster_of(seen: stage.Seen) -> cluster_state.Cluster:
    """Return the cluster that the operator would see."""
    namespaces = {each["metadata"]["name"]: each["metadata"].get("labels") or {} for each in seen.namespaces}
    cluster = cluster_state.Cluster(map(nodes.read, seen.nodes), namespaces, storage_of(seen))
    for pod in filter(None, map(pods.read_known, seen.pods)):
        if pod.node_name and pod.live:
            cluster.add(pod, pod.node_name)
    return cluster


def storage_of(seen: stage.Seen) -> storage.Storage:
    """Return volumes and claims as the operator would read them."""
    read_claims, read_volumes = map(claims.read, seen.claims), map(persistent_volumes.read, seen.volumes)
    return storage.Storage(
        claims={each.key: each for each in read_claims},
        volumes={each.name: each for each in read_volumes},
        classes={each.name: each for each in map(classes.read, seen.classes)},
        driver_nodes={each.name: each for each in map(csi.read_node, seen.csi_nodes)},
        drivers={each.name: each for each in map(csi.read_driver, seen.drivers)},
        capacities={_key(raw): csi.read_capacity(raw) for raw in seen.capacities},
        attachments={_key(raw): csi.read_attachment(raw) for raw in seen.attachments},
    )


def _key(manifest: Manifest) -> str:
    metadata = manifest["metadata"]
    return f"{metadata['namespace']}/{metadata['name']}" if "namespace" in metadata else str(metadata["name"])


def verdict(cluster: cluster_state.Cluster, manifest: Manifest, own_claims: Iterable[Manifest] = ()) -> Verdict:
    """Judge one pod, which may have claims of its own."""
    stored = cluster.storage
    cluster.assume(storage.with_changed(stored, map(claims.read, own_claims), ()))
    found = _verdict(cluster, manifest)
    cluster.assume(stored)
    return found


def _verdict(cluster: cluster_state.Cluster, manifest: Manifest) -> Verdict:
    screen = screening.Screen(pods.read(manifest), cluster)
    counted: collections.Counter[str] = collections.Counter()
    kinds: collections.Counter[str] = collections.Counter()
    allowed = set()
    for node in cluster.nodes.values():
        first = screen.objection(node)
        if first is None:
            allowed.add(node.name)
            continue
        kinds[first.kind] += 1
        if not first.of_pod:
            counted.update(each.words for each in screen.objections(node))
    return Verdict(frozenset(allowed), {screen.of_pod.words: 0} if screen.of_pod else dict(counted), dict(kinds))


def scores(cluster: cluster_state.Cluster, manifest: Manifest, among: frozenset[str]) -> dict[str, int]:
    """Return how much the pod would rather be on each of these nodes."""
    chosen = [node for name, node in cluster.nodes.items() if name in among]
    return dict(screening.soft_scores(pods.read(manifest), cluster, chosen))
