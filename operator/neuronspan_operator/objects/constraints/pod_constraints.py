"""All that a pod says about where it may be, and what it means for others once it is there."""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, Protocol

from neuronspan_operator.objects.constraints import (
    host_ports,
    node_features,
    node_terms,
    pod_terms,
    pod_volumes,
    selectors,
    spreads,
    tolerations,
)


@dataclasses.dataclass(frozen=True, slots=True)
class Constraints:
    """What the filters of ``scheduling`` read of a pod; amounts of resources are in ``pods.PodView.amounts``."""

    node_selector: Mapping[str, str] = dataclasses.field(default_factory=dict)
    node_affinity: node_terms.NodeAffinity = node_terms.ANYWHERE
    tolerations: "tuple[tolerations.Toleration, ...]" = ()
    host_ports: "tuple[host_ports.HostPort, ...]" = ()
    node_features: frozenset[str] = frozenset()
    pod_affinity: pod_terms.PodAffinity = pod_terms.NONE
    spread: tuple[spreads.SpreadConstraint, ...] = ()
    claims: tuple[pod_volumes.ClaimRef, ...] = ()
    disks: tuple[pod_volumes.Disk, ...] = ()


NONE: Final = Constraints()

MOST: Final = 1000
"""Details of one pod's constraints: far more than anybody writes by hand, and what a pass judges in a millisecond."""


class NamedNode(Protocol):
    """What selectors of nodes look at."""

    @property
    def name(self) -> str:
        """The node's name."""

    @property
    def labels(self) -> Mapping[str, str]:
        """The node's labels."""


@dataclasses.dataclass(frozen=True, slots=True)
class Reach:
    """The nodes that a pod's node selector and required node affinity mean.

    Source: RequiredNodeAffinity.Match in k8s.io/component-helpers/scheduling/corev1/nodeaffinity.
    """

    selector: tuple[tuple[str, str], ...]
    required: node_terms.NodeSelector | None

    @classmethod
    def of(cls, constraints: Constraints) -> "Reach":
        """Return what the constraints say about nodes."""
        return cls(tuple(sorted(constraints.node_selector.items())), constraints.node_affinity.required)

    def selects(self, node: NamedNode) -> bool:
        """Whether the node is meant."""
        if self.required is not None and not self.required.selects(node.name, node.labels):
            return False
        return all(node.labels.get(key) == value for key, value in self.selector)


def excess(constraints: Constraints) -> str:
    """Return in words that a pod says too much about its place to be judged, "" when it does not.

    Every detail is looked at for every node in every pass, so that a few such pods would keep all others waiting.
    """
    count = sum(_details(constraints))
    if count <= MOST:
        return ""
    return (
        f"what the pod says about its place has {count} details (terms, requirements, their values, tolerations, ports "
        f"and volumes together): use at most {MOST}; a label on nodes or pods can stand for a long list of them"
    )


def _details(said: Constraints) -> Iterator[int]:
    """Yield how many details each part has."""
    affinity, near = said.node_affinity, said.pod_affinity
    terms = [
        *(() if affinity.required is None else affinity.required.terms),
        *(each.term for each in affinity.preferred),
    ]
    yield sum(1 + _values(each.labels) + _values(each.fields) for each in terms)
    wishes = (each.term for each in (*near.preferred, *near.anti_preferred))
    for each in (*near.required, *near.anti_required, *wishes):
        yield 1 + len(each.namespaces) + sum(_values(s.requirements) for s in (each.selector, each.namespace_selector))
    yield sum(1 + _values(each.selector.requirements) for each in said.spread)
    yield sum(1 + len(each.servers) for each in said.disks)
    yield from map(len, (said.node_selector, said.tolerations, said.host_ports, said.claims))


def _values(requirements: Iterable[selectors.Requirement]) -> int:
    return sum(1 + len(each.values) for each in requirements)


def read(manifest: Mapping[str, Any]) -> Constraints:
    """Read everything: for pods that are going to be placed."""
    metadata, spec = manifest.get("metadata") or {}, manifest.get("spec") or {}
    affinity = spec.get("affinity") or {}
    return Constraints(
        node_selector=spec.get("nodeSelector") or {},
        node_affinity=node_terms.read(affinity.get("nodeAffinity")),
        tolerations=tolerations.read(spec.get("tolerations")),
        host_ports=host_ports.read(spec),
        node_features=node_features.needed(spec),
        pod_affinity=_pod_affinity(manifest),
        spread=spreads.read(spec.get("topologySpreadConstraints"), metadata.get("labels") or {}),
        claims=pod_volumes.read(spec, metadata.get("name", "")),
        disks=pod_volumes.read_disks(spec),
    )


def read_placed(manifest: Mapping[str, Any]) -> Constraints:
    """Read what a pod that has its node means for others; what it wanted of the node does not matter any more.

    Of most pods that is nothing, and one value stands for all of them.
    """
    metadata, spec = manifest.get("metadata") or {}, manifest.get("spec") or {}
    ports, disks = host_ports.read(spec), pod_volumes.read_disks(spec)
    claims = pod_volumes.read(spec, metadata.get("name", ""))
    near = _pod_affinity(manifest)
    if not (ports or claims or disks or near):
        return NONE
    return Constraints(host_ports=ports, pod_affinity=near, claims=claims, disks=disks)


def _pod_affinity(manifest: Mapping[str, Any]) -> pod_terms.PodAffinity:
    metadata, spec = manifest.get("metadata") or {}, manifest.get("spec") or {}
    # a stored pod's label keys are in its selectors, with the values its labels had when it was made
    labels = {} if metadata.get("uid") else metadata.get("labels") or {}
    return pod_terms.read(spec.get("affinity"), metadata.get("namespace", "default"), labels)
