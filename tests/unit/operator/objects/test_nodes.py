from typing import Any

import pytest

from kits.manifests import builders
from neuronspan import names
from neuronspan_operator.objects import nodes, pods

LABELS = {"zone": "a", "generation": "2"}


def _misfit(pod: dict[str, Any] | None = None, usage: nodes.Resources = nodes.NOTHING, **node: Any) -> str | None:
    view = nodes.read(builders.make_node(**({"labels": LABELS} | node)))
    wanted = pods.read(builders.make_pod(**({"cores": 4} | (pod or {}))))
    return nodes.unavailable(view) or nodes.repelled(wanted, view) or nodes.crowded(wanted, view, usage)


def test_node_is_read() -> None:
    taint = {"key": "dedicated", "value": "ml", "effect": "NoSchedule"}
    node = nodes.read(builders.make_node("w1", cpu="1500m", memory="2Gi", pods=7, taints=[taint], hostname="host-1"))
    assert (node.name, node.hostname, node.ready, node.unschedulable) == ("w1", "host-1", True, False)
    assert node.allocatable == nodes.Resources(1500, 2 << 30, 7, 32, 16)
    assert [str(each) for each in node.taints] == ["dedicated=ml:NoSchedule"]


def test_node_without_status_is_read_as_not_ready() -> None:
    node = nodes.read({"metadata": {"name": "w1"}})
    assert (node.ready, node.allocatable, node.hostname) == (False, nodes.NOTHING, "w1")


def test_suitable_node_has_no_misfit() -> None:
    assert _misfit() is None


@pytest.mark.parametrize(
    ("node", "words"),
    [
        ({"cordoned": True}, "cordoned"),
        ({"ready": False}, "not Ready"),
        ({"deleted": True}, "being deleted"),
        ({"cores": 0}, "is the device plugin running?"),
    ],
)
def test_unavailable_node_is_a_misfit(node: dict[str, Any], words: str) -> None:
    assert words in (_misfit(**node) or "")


@pytest.mark.parametrize(
    ("selector", "fits"), [({"zone": "a"}, True), ({"zone": "b"}, False), ({"zone": "a", "none": ""}, False)]
)
def test_node_selector_is_obeyed(selector: dict[str, str], *, fits: bool) -> None:
    assert (_misfit({"selector": selector}) is None) is fits


def _expression(key: str, operator: str, *values: str) -> dict[str, Any]:
    return {"key": key, "operator": operator, "values": list(values)}


@pytest.mark.parametrize(
    ("terms", "fits"),
    [
        pytest.param([{"matchExpressions": [_expression("zone", "In", "a", "b")]}], True, id="In"),
        pytest.param([{"matchExpressions": [_expression("zone", "In", "b")]}], False, id="not In"),
        pytest.param([{"matchExpressions": [_expression("zone", "NotIn", "b")]}], True, id="NotIn"),
        pytest.param([{"matchExpressions": [_expression("none", "NotIn", "b")]}], True, id="NotIn without the label"),
        pytest.param([{"matchExpressions": [_expression("zone", "NotIn", "a")]}], False, id="not NotIn"),
        pytest.param([{"matchExpressions": [_expression("zone", "Exists")]}], True, id="Exists"),
        pytest.param([{"matchExpressions": [_expression("none", "Exists")]}], False, id="not Exists"),
        pytest.param([{"matchExpressions": [_expression("none", "DoesNotExist")]}], True, id="DoesNotExist"),
        pytest.param([{"matchExpressions": [_expression("zone", "DoesNotExist")]}], False, id="not DoesNotExist"),
        pytest.param([{"matchExpressions": [_expression("generation", "Gt", "1")]}], True, id="Gt"),
        pytest.param([{"matchExpressions": [_expression("generation", "Gt", "2")]}], False, id="not Gt"),
        pytest.param([{"matchExpressions": [_expression("generation", "Lt", "3")]}], True, id="Lt"),
        pytest.param([{"matchExpressions": [_expression("zone", "Lt", "3")]}], False, id="Lt of no number"),
        pytest.param([{"matchExpressions": [_expression("none", "Lt", "3")]}], False, id="Lt without the label"),
        pytest.param([{"matchExpressions": [_expression("zone", "Like", "a")]}], False, id="unknown operator"),
        pytest.param([{"matchFields": [_expression("metadata.name", "In", "w1")]}], True, id="name"),
        pytest.param([{"matchFields": [_expression("metadata.name", "In", "w2")]}], False, id="another name"),
        pytest.param(
            [{"matchExpressions": [_expression("zone", "In", "a"), _expression("none", "Exists")]}],
            False,
            id="all of a term",
        ),
        pytest.param(
            [
                {"matchExpressions": [_expression("zone", "In", "b")]},
                {"matchExpressions": [_expression("zone", "Exists")]},
            ],
            True,
            id="any of the terms",
        ),
        pytest.param([{}], False, id="an empty term matches nothing"),
        pytest.param([], False, id="no terms match nothing"),
    ],
)
def test_required_node_affinity_is_obeyed(terms: list[dict[str, Any]], *, fits: bool) -> None:
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
    assert (_misfit({"affinity": {"nodeAffinity": required}}) is None) is fits


def test_preferred_node_affinity_is_no_condition() -> None:
    preferred = {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1, "preference": {}}]}
    assert _misfit({"affinity": {"nodeAffinity": preferred, "podAffinity": {}}}) is None


@pytest.mark.parametrize(
    ("toleration", "effect", "fits"),
    [
        pytest.param(None, "NoSchedule", False, id="none"),
        pytest.param(None, "NoExecute", False, id="none for NoExecute"),
        pytest.param(None, "PreferNoSchedule", True, id="soft taint"),
        pytest.param({"key": "dedicated", "value": "ml"}, "NoSchedule", True, id="equal"),
        pytest.param({"key": "dedicated", "value": "ml", "effect": "NoSchedule"}, "NoSchedule", True, id="same effect"),
        pytest.param(
            {"key": "dedicated", "value": "ml", "effect": "NoExecute"}, "NoSchedule", False, id="other effect"
        ),
        pytest.param({"key": "dedicated", "value": "web"}, "NoSchedule", False, id="other value"),
        pytest.param({"key": "other", "operator": "Exists"}, "NoSchedule", False, id="other key"),
        pytest.param({"key": "dedicated", "operator": "Exists"}, "NoSchedule", True, id="exists"),
        pytest.param({"operator": "Exists"}, "NoExecute", True, id="everything"),
        pytest.param({"operator": "Equal"}, "NoSchedule", False, id="nothing in particular"),
    ],
)
def test_taints_repel_unless_tolerated(toleration: dict[str, str] | None, effect: str, *, fits: bool) -> None:
    taint = {"key": "dedicated", "value": "ml", "effect": effect}
    found = _misfit({"tolerations": [toleration] if toleration else []}, taints=[taint])
    assert found == (None if fits else f"with the untolerated taint dedicated=ml:{effect}")


@pytest.mark.parametrize(
    ("asked", "usage", "words"),
    [
        pytest.param({"cpu": "2"}, nodes.Resources(cpu_millis=62_000), None, id="cpu, exactly"),
        pytest.param({"cpu": "2"}, nodes.Resources(cpu_millis=62_001), "CPU", id="cpu"),
        pytest.param({"memory": "1Gi"}, nodes.Resources(memory_bytes=256 << 30), "memory", id="memory"),
        pytest.param({"cores": 4}, nodes.Resources(pods=109), None, id="the last pod slot"),
        pytest.param({"cores": 4}, nodes.Resources(pods=110), "pod slot", id="pod slots"),
        pytest.param({"cores": 4}, nodes.Resources(neuroncore=29), names.CORE_RESOURCE, id="cores by count"),
        pytest.param({"devices": 4}, nodes.Resources(neuron=13), names.DEVICE_RESOURCE, id="devices by count"),
        pytest.param({"cores": 4}, nodes.Resources(cpu_millis=99_000), None, id="who asks for no cpu needs none"),
    ],
)
def test_crowded_node_is_a_misfit(asked: dict[str, Any], usage: nodes.Resources, words: str | None) -> None:
    found = _misfit({"containers": [builders.container(**asked)]}, usage)
    assert found is None if words is None else words in (found or "")


def test_usage_adds_up() -> None:
    pod = pods.read(builders.make_pod(containers=[builders.container(cores=4, cpu="1", memory="1Ki")]))
    assert nodes.with_pod(nodes.with_pod(nodes.NOTHING, pod), pod) == nodes.Resources(2000, 2048, 2, 8, 0)
