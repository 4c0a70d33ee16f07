"""Clusters as filters see them: nodes with labels, and pods with what they say about each other."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kits.manifests import builders
from neuronspan_operator.objects import nodes, pods
from neuronspan_operator.objects.constraints import storage
from neuronspan_operator.scheduling import cluster_state, objections

Manifest = dict[str, Any]


def term(key: str, labels: Mapping[str, str] | None = None, **fields: Any) -> Manifest:
    """A PodAffinityTerm that selects pods with these labels; ``fields`` are its other fields."""
    return {"topologyKey": key, "labelSelector": {"matchLabels": dict(labels or {})}} | fields


def affinity(
    *,
    near: Sequence[Manifest] = (),
    far: Sequence[Manifest] = (),
    liked: Mapping[int, Manifest] | None = None,
    disliked: Mapping[int, Manifest] | None = None,
) -> Manifest:
    """A pod's ``spec.affinity``: required terms, and preferred ones by weight."""
    return {
        "podAffinity": _kind(near, liked or {}),
        "podAntiAffinity": _kind(far, disliked or {}),
    }


def _kind(required: Sequence[Manifest], preferred: Mapping[int, Manifest]) -> Manifest:
    weighted = [{"weight": weight, "podAffinityTerm": each} for weight, each in preferred.items()]
    return {
        "requiredDuringSchedulingIgnoredDuringExecution": list(required),
        "preferredDuringSchedulingIgnoredDuringExecution": weighted,
    }


def spread(key: str, labels: Mapping[str, str] | None = None, skew: int = 1, **fields: Any) -> Manifest:
    """A TopologySpreadConstraint that must be met; ``fields`` are its other fields."""
    constraint = {"topologyKey": key, "maxSkew": skew, "whenUnsatisfiable": "DoNotSchedule"}
    return constraint | {"labelSelector": {"matchLabels": dict(labels or {})}} | fields


def make_pod(
    name: str = "web",
    labels: Mapping[str, str] | None = None,
    *,
    spreads: Sequence[Manifest] = (),
    **fields: Any,
) -> pods.PodView:
    """A pod with these labels; ``fields`` are those of ``builders.make_pod``."""
    manifest = builders.make_pod(name, **({"cores": 1} | fields))
    manifest["metadata"]["labels"] = dict(labels or {})
    manifest["spec"]["topologySpreadConstraints"] = list(spreads)
    return pods.read(manifest)


def make_node(name: str, *, taints: Sequence[Mapping[str, Any]] = (), **labels: str) -> nodes.NodeView:
    """A node with these labels and its host name."""
    return nodes.read(builders.make_node(name, labels=labels, taints=taints))


def make_cluster(
    known: Iterable[nodes.NodeView],
    placed: Iterable[tuple[str, pods.PodView]] = (),
    namespaces: Mapping[str, Mapping[str, str]] | None = None,
) -> cluster_state.Cluster:
    """A cluster of these nodes; ``placed`` pods come with their nodes' names, ``namespaces`` with their labels."""
    cluster = cluster_state.Cluster(known, namespaces or {}, storage.EMPTY)
    for node, pod in placed:
        cluster.add(pod, node)
    return cluster


def verdicts(judge: objections.Judgement | None, cluster: cluster_state.Cluster) -> dict[str, str]:
    """What a module says of each node, in words; nothing of those it lets through."""
    if judge is None or isinstance(judge, objections.Objection):
        judged = dict.fromkeys(cluster.nodes, judge)
    else:
        judged = {name: judge(node) for name, node in cluster.nodes.items()}
    return {name: objection.words for name, objection in judged.items() if objection is not None}
