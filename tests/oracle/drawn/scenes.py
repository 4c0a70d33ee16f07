"""Small clusters at random: nodes, namespaces, volumes, and the pods that are there already."""

import dataclasses
from collections.abc import Sequence

from oracle.drawn import amounts, drawing, node_terms, pod_terms, probes, storage_scenes

Manifest = drawing.Manifest


@dataclasses.dataclass(frozen=True)
class Scene:
    """A cluster as manifests, and the pods that are to be judged in it."""

    nodes: tuple[Manifest, ...]
    namespaces: dict[str, dict[str, str]]  # labels by name
    placed: tuple[Manifest, ...]  # pods with a node; their status is written too
    ending: frozenset[str]  # those of them that are being deleted
    storage: storage_scenes.Storage
    probes: tuple[probes.Probe, ...]


def draw_scene(seed: int, probe_count: int, *, soft: bool = False) -> Scene:
    """Draw a cluster; names carry the seed, as kube-scheduler still remembers the last one."""
    draw = drawing.Draw(seed)
    names = [f"s{seed}-n{index}" for index in range(draw.randint(3, 8))]
    nodes = tuple(_node(draw, name) for name in names)
    storage = storage_scenes.draw_storage(draw, f"s{seed}", nodes) if draw.maybe(0.7) else storage_scenes.NONE
    world = probes.World(nodes, storage.claim_names(), f"s{seed}")
    placed = _placed(draw, f"s{seed}", world, storage)
    running = (pod["metadata"]["name"] for pod in placed if pod["status"]["phase"] == "Running")
    ending = frozenset(name for name in running if draw.maybe(0.12))
    make = probes.draw_soft if soft else probes.draw_hard
    made = tuple(make(draw, f"s{seed}-p{index}", world) for index in range(probe_count))
    return Scene(nodes, _namespaces(draw), placed, ending, storage, made)


def one_node(placed_in: str, teams: dict[str, str]) -> Scene:
    """Return a cluster of one node with one pod of this namespace; ``teams`` are labels of namespaces."""
    amount = {"cpu": "4", "memory": "4Gi", "pods": "10"}
    status = {"capacity": amount, "allocatable": amount}
    node = {"metadata": {"name": "only", "labels": {drawing.HOSTNAME: "only"}}, "spec": {}, "status": status}
    spec = {"nodeName": "only", "containers": [{"name": "app", "image": "none"}]}
    pod = {"metadata": {"name": "there", "namespace": placed_in}, "spec": spec, "status": {"phase": "Running"}}
    namespaces = {name: {"team": teams[name]} if name in teams else {} for name in drawing.NAMESPACES}
    return Scene((node,), namespaces, (pod,), frozenset(), storage_scenes.NONE, ())


def _node(draw: drawing.Draw, name: str) -> Manifest:
    amount = node_terms.allocatable(draw)
    spec: Manifest = {"taints": node_terms.taints(draw)}
    if draw.maybe(0.06):
        spec["unschedulable"] = True
    ready = {"type": "Ready", "status": draw.choice(("True", "True", "True", "False"))}  # not asked by the scheduler
    features = ["RestartAllContainersOnContainerExits"] if draw.maybe(0.6) else []
    return {
        "metadata": {"name": name, "labels": node_terms.node_labels(draw, name)},
        "spec": spec,
        "status": {"capacity": amount, "allocatable": amount, "conditions": [ready], "declaredFeatures": features},
    }


def _namespaces(draw: drawing.Draw) -> dict[str, dict[str, str]]:
    return {name: {"team": draw.choice(("red", "blue"))} if draw.maybe(0.7) else {} for name in drawing.NAMESPACES}


def _placed(
    draw: drawing.Draw, prefix: str, world: probes.World, storage: storage_scenes.Storage
) -> tuple[Manifest, ...]:
    count = draw.choice((0, 6, 12, 15, 18))
    made = tuple(_placed_pod(draw, f"{prefix}-b{index}", world.names, storage) for index in range(count))
    _settle_ports(made)
    return made


def _settle_ports(placed: Sequence[Manifest]) -> None:
    """Take away ports that two pods of a node would share.

    No scheduler lets that happen, and kube-scheduler does not count who has a port: it is free once one of them ends.
    """
    taken: set[tuple[str, int]] = set()
    for pod in placed:
        container, node = pod["spec"]["containers"][0], pod["spec"]["nodeName"]
        container["ports"] = [each for each in container.get("ports", ()) if (node, each["hostPort"]) not in taken]
        taken |= {(node, each["hostPort"]) for each in container["ports"]}


def _placed_pod(draw: drawing.Draw, name: str, nodes: Sequence[str], storage: storage_scenes.Storage) -> Manifest:
    node = draw.choice((draw.choice(nodes), draw.mostly(nodes))) if draw.maybe(0.97) else "gone"
    namespace = draw.mostly(drawing.NAMESPACES)
    spec: Manifest = {"nodeName": node, "containers": [amounts.container(draw, "app")], "tolerations": []}
    if draw.maybe(0.4):
        spec["containers"][0]["ports"] = node_terms.ports(draw)
    if draw.maybe(0.15):
        spec["initContainers"] = amounts.init_containers(draw)
    if draw.maybe(0.3):
        spec["volumes"] = node_terms.disks(draw)
    if draw.maybe(0.1):
        spec["runtimeClassName"] = drawing.RUNTIME_CLASS
    for kind, chance in (("podAffinity", 0.1), ("podAntiAffinity", 0.25)):
        if draw.maybe(chance):
            rules = spec.setdefault("affinity", {}).setdefault(kind, {})
            rules["requiredDuringSchedulingIgnoredDuringExecution"] = pod_terms.required_terms(draw)
        if draw.maybe(chance / 2):
            rules = spec.setdefault("affinity", {}).setdefault(kind, {})
            rules["preferredDuringSchedulingIgnoredDuringExecution"] = pod_terms.preferred_terms(draw)
    used = storage.claims_in(namespace)
    if used and draw.maybe(0.4):
        spec.setdefault("volumes", []).extend(
            {"name": each, "persistentVolumeClaim": {"claimName": each}} for each in draw.some(used, 1, 2)
        )
    return {
        "metadata": {"name": name, "namespace": namespace, "labels": pod_terms.labels(draw)},
        "spec": {**spec, "terminationGracePeriodSeconds": 30},
        "status": {
            "phase": draw.choice(("Running",) * 8 + ("Succeeded", "Failed")),
            **(amounts.resized(draw) if draw.maybe(0.25) else {}),
        },
    }
