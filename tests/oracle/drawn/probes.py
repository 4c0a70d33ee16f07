"""Pods to be judged, at random: each asks for some kinds of things at once."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Final

from oracle.drawn import amounts, drawing, node_terms, pod_terms

Manifest = drawing.Manifest


@dataclasses.dataclass(frozen=True)
class World:
    """What a pod may refer to."""

    nodes: Sequence[Manifest]
    claims: Sequence[tuple[str, str]] = ()  # namespace and name
    prefix: str = ""  # of all names

    @property
    def names(self) -> list[str]:
        """The names of the nodes."""
        return [node["metadata"]["name"] for node in self.nodes]


@dataclasses.dataclass(frozen=True)
class Probe:
    """A pod, and the kinds of things it asks for."""

    manifest: Manifest
    kinds: tuple[str, ...]


UNCLAIMED: Final = "scratch"
"""Name of ephemeral volumes whose claim is not there yet; the claims of others are made together with the pod."""

_Maker = Callable[[drawing.Draw, Manifest, World], None]


def _affinity(pod: Manifest, kind: str) -> Manifest:
    made: Manifest = pod["spec"].setdefault("affinity", {}).setdefault(kind, {})
    return made


def _node_selector(draw: drawing.Draw, pod: Manifest, world: World) -> None:
    pod["spec"]["nodeSelector"] = node_terms.node_selector(draw, world.nodes)


def _node_affinity(draw: drawing.Draw, pod: Manifest, world: World) -> None:
    required = node_terms.required_nodes(draw, world.names)
    _affinity(pod, "nodeAffinity")["requiredDuringSchedulingIgnoredDuringExecution"] = required


def _tolerations(draw: drawing.Draw, pod: Manifest, _: World) -> None:
    pod["spec"]["tolerations"] = node_terms.tolerations(draw)


def _ports(draw: drawing.Draw, pod: Manifest, _: World) -> None:
    pod["spec"]["hostNetwork"] = draw.maybe(0.3)  # then every port is one of the node
    pod["spec"]["containers"][0]["ports"] = node_terms.ports(draw)


def _requests(draw: drawing.Draw, pod: Manifest, _: World) -> None:
    pod["spec"]["containers"][0]["resources"] = draw.choice((amounts.plain, amounts.hugepages, amounts.extended))(draw)
    if draw.maybe(0.4):
        pod["spec"]["containers"].append(amounts.container(draw, "second"))


def _init_containers(draw: drawing.Draw, pod: Manifest, _: World) -> None:
    pod["spec"]["initContainers"] = amounts.init_containers(draw)


def _overhead(draw: drawing.Draw, pod: Manifest, _: World) -> None:
    pod["spec"]["runtimeClassName"] = drawing.RUNTIME_CLASS


def _pod_affinity(draw: drawing.Draw, pod: Manifest, _: World) -> None:
    _affinity(pod, "podAffinity")["requiredDuringSchedulingIgnoredDuringExecution"] = pod_terms.required_terms(draw)


def _pod_anti_affinity(draw: drawing.Draw, pod: Manifest, _: World) -> None:
    terms = pod_terms.required_terms(draw)
    _affinity(pod, "podAntiAffinity")["requiredDuringSchedulingIgnoredDuringExecution"] = terms


def _spread(draw: drawing.Draw, pod: Manifest, _: World) -> None:
    pod["spec"]["topologySpreadConstraints"] = pod_terms.spread_constraints(draw, "DoNotSchedule")


def _volumes(draw: drawing.Draw, pod: Manifest, world: World) -> None:
    namespace = draw.mostly(drawing.NAMESPACES)
    pod["metadata"]["namespace"] = namespace
    claims = [name for space, name in world.claims if space == namespace]
    pod["spec"]["volumes"] = _claimed(draw, claims, world.prefix)


def _disks(draw: drawing.Draw, pod: Manifest, _: World) -> None:
    pod["spec"].setdefault("volumes", []).extend(node_terms.disks(draw))


def _node_features(draw: drawing.Draw, pod: Manifest, _: World) -> None:
    codes = {"operator": "In", "values": [42]}
    action = draw.choice(("RestartAllContainers", "RestartAllContainers", "Restart"))
    pod["spec"]["containers"][0] |= {
        "restartPolicy": "Never",
        "restartPolicyRules": [{"action": action, "exitCodes": codes}],
    }


def _claimed(draw: drawing.Draw, claims: Sequence[str], class_prefix: str) -> list[Manifest]:
    """Draw volumes of these claims; now and then of one that does not exist, or is to be made for the pod."""
    chosen = draw.some(claims, 1, draw.choice((1, 2, 2, 3)))
    made: list[Manifest] = [{"name": name, "persistentVolumeClaim": {"claimName": name}} for name in chosen]
    if not made or draw.maybe(0.03):
        made.append({"name": "absent", "persistentVolumeClaim": {"claimName": "absent"}})
    if draw.maybe(0.15):
        made.append(_ephemeral(draw, class_prefix))
    return made


def _ephemeral(draw: drawing.Draw, class_prefix: str) -> Manifest:
    """Draw a volume whose claim is made for the pod, or would be."""
    name = draw.choice((UNCLAIMED, "own", "own", "own"))
    claim = {
        "storageClassName": f"{class_prefix}-{draw.choice(('static', 'zoned', 'counted'))}",
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": draw.choice(("1Gi", "3Gi"))}},
    }
    return {"name": name, "ephemeral": {"volumeClaimTemplate": {"spec": claim}}}


_HARD: Final[dict[str, tuple[float, _Maker]]] = {
    "node selector": (1.0, _node_selector),
    "node affinity": (1.2, _node_affinity),
    "tolerations": (1.2, _tolerations),
    "host ports": (0.8, _ports),
    "requests": (1.2, _requests),
    "init containers": (0.8, _init_containers),
    "overhead": (0.4, _overhead),
    "pod affinity": (1.4, _pod_affinity),
    "pod anti-affinity": (1.4, _pod_anti_affinity),
    "topology spread": (2.5, _spread),
    "volumes": (3.0, _volumes),
    "inline disks": (0.6, _disks),
    "node features": (0.4, _node_features),
    "pod-level requests": (0.4, lambda draw, pod, _: amounts.set_of_pod(draw, pod["spec"])),  # adjusts what others drew
}
KINDS: Final = tuple(_HARD)
"""Everything a probe may ask for."""


def draw_hard(draw: drawing.Draw, name: str, world: World) -> Probe:
    """Draw a pod that asks for what filters judge: mostly few things, sometimes many."""
    wanted = draw.choice((1, 1, 2, 2, 3, 5))
    kinds = list(KINDS) if world.claims else [kind for kind in KINDS if kind != "volumes"]
    chosen: dict[str, None] = {}
    while len(chosen) < wanted:
        chosen[draw.choices(kinds, [_HARD[kind][0] for kind in kinds])[0]] = None
    if "topology spread" in chosen and draw.maybe(0.3):
        chosen["node affinity"] = None  # which decides what nodes count
    pod = _bare(name)
    for kind in filter(chosen.__contains__, KINDS):
        _HARD[kind][1](draw, pod, world)
    if "tolerations" not in chosen and draw.maybe(0.2 if "topology spread" in chosen else 0.5):
        pod["spec"]["tolerations"] = [{"operator": "Exists"}]  # or taints would hide what comes after them
    return Probe(_named(draw, pod), tuple(chosen))


def draw_soft(draw: drawing.Draw, name: str, world: World) -> Probe:
    """Draw a pod that has preferences only."""
    pod = _bare(name)
    preferred = "preferredDuringSchedulingIgnoredDuringExecution"
    kinds = draw.some(("nodes", "tolerations", "near", "far", "spread"), 1, 3)
    if "nodes" in kinds:
        _affinity(pod, "nodeAffinity")[preferred] = node_terms.preferred_nodes(draw, world.names)
    if "tolerations" in kinds:
        pod["spec"]["tolerations"] = node_terms.tolerations(draw)
    if "near" in kinds:
        _affinity(pod, "podAffinity")[preferred] = pod_terms.preferred_terms(draw)
    if "far" in kinds:
        _affinity(pod, "podAntiAffinity")[preferred] = pod_terms.preferred_terms(draw)
    if "spread" in kinds:
        pod["spec"]["topologySpreadConstraints"] = pod_terms.spread_constraints(draw, "ScheduleAnyway")
    return Probe(_named(draw, pod), tuple(kinds))


def _bare(name: str) -> Manifest:
    spec = {"containers": [{"name": "app", "image": "none"}], "terminationGracePeriodSeconds": 0}
    return {"metadata": {"name": name}, "spec": spec}


def _named(draw: drawing.Draw, pod: Manifest) -> Manifest:
    """Give a pod labels, and a namespace unless its claims have decided that."""
    metadata = pod["metadata"]
    if "namespace" not in metadata:
        metadata["namespace"] = draw.mostly(drawing.NAMESPACES)
    metadata["labels"] = pod_terms.labels(draw)
    return pod
