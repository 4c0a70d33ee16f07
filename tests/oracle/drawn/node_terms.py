"""What pods ask of a node, at random: labels, names, taints, ports, amounts."""

from collections.abc import Sequence
from typing import Any, Final

from oracle.drawn import drawing

Manifest = drawing.Manifest

_LABELS = {
    drawing.ZONE: (*drawing.ZONES, "z"),
    drawing.RACK: ("1", "2", "9"),
    drawing.DISK: ("ssd", "hdd", "none"),
    drawing.GENERATION: ("1", "2", "3"),
}
_DISKS: Final = ("vol-1", "vol-2")


def node_labels(draw: drawing.Draw, name: str) -> dict[str, str]:
    """Draw the labels of a node: few lack their zone, more lack others."""
    made = {drawing.HOSTNAME: name} if draw.maybe(0.97) else {}
    if draw.maybe(0.95):
        made[drawing.ZONE] = draw.choice(drawing.ZONES)
        made[drawing.DRIVER_ZONE] = made[drawing.ZONE]  # as the driver of EBS labels its nodes
    if draw.maybe(0.9):
        made[drawing.RACK] = draw.choice(("1", "2"))
    if draw.maybe(0.7):
        made[drawing.DISK] = draw.choice(("ssd", "hdd"))
    if draw.maybe(0.7):
        made[drawing.GENERATION] = draw.choice(("1", "2", "3", "10", "new", "007"))
    return made


def node_selector(draw: drawing.Draw, nodes: Sequence[Manifest]) -> dict[str, str]:
    """Draw a pod's ``nodeSelector``: mostly one that some node has."""
    labels = draw.choice(nodes)["metadata"]["labels"]
    if labels and draw.maybe(0.8):
        return {key: labels[key] for key in draw.some(sorted(labels), 1, 2)}
    return {key: draw.choice(_LABELS[key]) for key in draw.some(sorted(_LABELS), 1, 2)}


def required_nodes(draw: drawing.Draw, names: Sequence[str]) -> Manifest:
    """Draw required node affinity, of alternatives."""
    return {"nodeSelectorTerms": [_term(draw, names) for _ in range(draw.choice((1, 2, 3)))]}


def preferred_nodes(draw: drawing.Draw, names: Sequence[str]) -> list[Manifest]:
    """Draw preferred node affinity; an empty term prefers nothing."""
    return [
        {"weight": draw.choice((1, 10, 50, 100)), "preference": _term(draw, names) if draw.maybe(0.95) else {}}
        for _ in range(draw.choice((1, 1, 2, 3)))
    ]


def _term(draw: drawing.Draw, names: Sequence[str]) -> Manifest:
    made: Manifest = {}
    if draw.maybe(0.03):
        return made  # which means no node
    if draw.maybe(0.3):
        made["matchFields"] = [
            {"key": "metadata.name", "operator": draw.choice(("In", "In", "NotIn")), "values": [draw.choice(names)]}
        ]
    if not made or draw.maybe(0.5):
        made["matchExpressions"] = [_expression(draw) for _ in range(draw.choice((1, 1, 2)))]
    return made


def _expression(draw: drawing.Draw) -> Manifest:
    key = draw.choice(sorted(_LABELS))
    operators = ["In", "NotIn", "Exists", "DoesNotExist"]
    operator = draw.choice(("Gt", "Lt") if key == drawing.GENERATION and draw.maybe(0.7) else operators)
    made: dict[str, Any] = {"key": key, "operator": operator}
    if operator in {"In", "NotIn"}:
        made["values"] = draw.some(_LABELS[key], 1, 2)
    elif operator in {"Gt", "Lt"}:
        made["values"] = [draw.choice(("0", "1", "2"))]
    return made


def taints(draw: drawing.Draw) -> list[Manifest]:
    """Draw the taints of a node: most have none."""
    if draw.maybe(0.75):
        return []
    effects = draw.some(("NoSchedule", "NoExecute", "PreferNoSchedule"), 2, 2)  # key and effect together are unique
    kinds = zip(draw.some(drawing.TAINTS, 1, 2), effects, strict=False)
    return [{"key": key, "value": value, "effect": effect} for (key, value), effect in kinds]


def tolerations(draw: drawing.Draw) -> list[Manifest]:
    """Draw tolerations."""
    made = []
    for _ in range(draw.choice((1, 1, 2))):
        key, value = draw.choice(drawing.TAINTS)
        each: Manifest = draw.choice(
            (
                {"operator": "Exists"},
                {"key": key, "operator": "Exists"},
                {"key": key, "operator": "Equal", "value": value},
                {"key": key, "value": value},
                {"key": "node.kubernetes.io/unschedulable", "operator": "Exists"},
            )
        )
        if draw.maybe(0.5):
            each = {**each, "effect": draw.choice(("NoSchedule", "NoExecute", "PreferNoSchedule"))}
        made.append(each)
    return made


def ports(draw: drawing.Draw) -> list[Manifest]:
    """Draw the ports of a container that it takes of its node."""
    return [
        {
            "containerPort": port,
            "hostPort": port,
            "protocol": draw.choice(("TCP", "TCP", "UDP", "SCTP")),
            **({"hostIP": draw.choice(("127.0.0.1", "10.0.0.1", "0.0.0.0"))} if draw.maybe(0.4) else {}),
        }
        for port in draw.some((80, 443), 1, 2)
    ]


def disks(draw: drawing.Draw) -> list[Manifest]:
    """Draw disks that a pod names without a claim."""
    kinds: tuple[Manifest, ...] = (
        {"awsElasticBlockStore": {"volumeID": draw.choice(_DISKS)}},
        {"gcePersistentDisk": {"pdName": draw.choice(_DISKS)}},
        {"iscsi": {"targetPortal": "10.0.0.1", "iqn": f"iqn.2026-01.com.example:{draw.choice(_DISKS)}", "lun": 0}},
        {"rbd": {"monitors": draw.some(("10.0.0.1", "10.0.0.2"), 1), "image": draw.choice(_DISKS)}},
    )
    disk = draw.choice(kinds)
    (source,) = disk.values()
    if draw.maybe(0.4):
        source["readOnly"] = True
    return [{"name": "disk", **disk}]


def allocatable(draw: drawing.Draw) -> dict[str, str]:
    """Draw what a node has."""
    made = {
        "cpu": draw.choice(("2", "4", "8", "16", "3500m")),
        "memory": draw.choice(("2Gi", "8Gi", "16Gi", "16Gi", "4000M")),
        "pods": draw.choice(("2", "3", "4", *("110",) * 12)),
    }
    if draw.maybe(0.8):
        made["ephemeral-storage"] = draw.choice(("5Gi", "20Gi"))
    if draw.maybe(0.5):
        made["hugepages-2Mi"] = draw.choice(("0", "64Mi", "256Mi"))
    for resource in drawing.EXTENDED:
        if draw.maybe(0.5):
            made[resource] = draw.choice(("0", "1", "4"))
    return made
