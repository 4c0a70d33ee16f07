"""Nothing waits silently: every gated pod without cores has a reason and a way out."""

import datetime as dt
from typing import Any

import pytest

from kits.manifests import builders, domain, snapshots
from neuronspan import grants, names, placement
from neuronspan_operator.objects import neuron_nodes, nodes, pods, pools
from neuronspan_operator.planning import facts, planner, plans

CONFIRMED = grants.GrantState.CONFIRMED


def _running(name: str, cores: str, node: str = "w1") -> tuple[dict[str, Any], grants.Grant]:
    span = domain.span(cores)
    pod = builders.make_pod(name, cores=span.count, node=node, phase="Running")
    return pod, domain.grant(cores, name, state=CONFIRMED)


def _waiting(pod: dict[str, Any], *others: tuple[dict[str, Any], grants.Grant], **status: Any) -> plans.Waiting:
    members = [builders.make_neuron_node("w1", [grant for _, grant in others], **status)]
    return snapshots.plan([pod, *(each for each, _ in others)], None, members).waiting[pod["metadata"]["uid"]]


@pytest.mark.parametrize(
    ("pod", "reason", "words"),
    [
        pytest.param(
            builders.make_pod(annotations={names.CORES_ANNOTATION: "four"}),
            "InvalidRequest",
            ['"four"'],
            id="bad number",
        ),
        pytest.param(
            builders.make_pod(annotations={names.CORES_ANNOTATION: "4"}),
            "NotAdmitted",
            ["container app", "create the pod again"],
            id="no limit",
        ),
        pytest.param(
            builders.make_pod(),
            "NothingAsked",
            ["schedulerName neuronspan", names.CORES_ANNOTATION, "or without that"],
            id="asks us for nothing",
        ),
        pytest.param(
            builders.make_pod(**builders.GUEST),
            "NothingAsked",
            [f"scheduling gate {names.SCHEDULING_GATE}", names.CORES_ANNOTATION, "or without that"],
            id="guest that asks for nothing",
        ),
        pytest.param(
            builders.make_pod(cores=4, gates=("example.com/quota",)),
            "OtherGates",
            ["example.com/quota"],
            id="another gate",
        ),
        pytest.param(
            builders.make_pod(cores=40), "NeverFits", ["40 NeuronCores", "w1", "has 32", "ask for less"], id="cores"
        ),
        pytest.param(builders.make_pod(devices=16), "NeverFits", ["16 Neuron devices", "6 devices"], id="devices"),
        pytest.param(
            builders.make_pod(cores=4, annotations={names.VISIBLE_CORES_ANNOTATION: "60-63"}),
            "NeverFits",
            ["cores 60-63"],
            id="cores that no node has",
        ),
        pytest.param(
            builders.make_pod(cores=4, selector={"zone": "b"}),
            "NoNodeMatches",
            ["0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.", "Change the pod's node"],
            id="no node matches",
        ),
    ],
)
def test_pod_that_no_freed_core_would_help_says_what_would(pod: dict[str, Any], reason: str, words: list[str]) -> None:
    instance_type = builders.SMALL if words[-1] == "6 devices" else builders.LARGE
    plan = snapshots.plan([pod], None, [builders.make_neuron_node(instance_type=instance_type)])
    found = plan.waiting["uid-web"]
    assert found.reason == reason
    for word in words:
        assert word in found.message
    assert plan.bindings == ()


@pytest.mark.parametrize("members", [[], [builders.make_neuron_node()]], ids=["none ever", "a gone one's ledger"])
def test_cluster_without_neuron_nodes_says_so(members: list[dict[str, Any]]) -> None:
    found = snapshots.plan([builders.make_pod(cores=4)], [], members).waiting["uid-web"]
    assert found.reason == "NoNeuronNodes"
    assert found.message == (
        "0/0 nodes are available. There is no Neuron node: a NeuronPool has to select nodes that run the device plugin."
    )


def test_nodes_without_neuroncores_are_counted() -> None:
    found = snapshots.plan([builders.make_pod(cores=4)], [builders.make_node("cpu-1")], []).waiting["uid-web"]
    assert found.reason == "NoNeuronNodes"
    assert found.message.startswith("0/1 nodes are available: 1 node(s) without NeuronCores. There is no Neuron node")


def test_nodes_are_counted_per_reason() -> None:
    nodes = [
        builders.make_node("w1", cordoned=True),
        builders.make_node("w2", cordoned=True),
        builders.make_node("w3", taints=[{"key": "dedicated", "value": "ml", "effect": "NoSchedule"}]),
        builders.make_node("w4", cpu="1"),
        builders.make_node("w5"),
        builders.make_node("w7"),
        builders.make_node("cpu-1"),
    ]
    members = [builders.make_neuron_node(f"w{index}") for index in range(1, 8)]
    members[4] = builders.make_neuron_node("w5", [domain.grant("0-30", "old", state=CONFIRMED, since=snapshots.ago(0))])
    members[6]["spec"]["grants"] = [{}]
    pod = builders.make_pod(containers=[builders.container(cores=4, cpu="2")])
    found = snapshots.plan([pod], nodes, members).waiting["uid-web"]
    assert found.reason == "NoRoom"
    assert found.message.startswith(
        "0/7 nodes are available: 2 node(s) were unschedulable, 1 Insufficient cpu, "
        "1 node(s) had untolerated taint(s), "
        "1 node(s) with an unreadable ledger, 1 node(s) without 4 contiguous free NeuronCores, "
        "1 node(s) without NeuronCores. The pod asks for 4 NeuronCores for container app. "
    )


def test_every_insufficient_resource_of_a_node_is_counted() -> None:
    pod = builders.make_pod(containers=[builders.container(cores=4, cpu="100", memory="1Ti")])
    found = _waiting(pod)
    assert found.message.startswith("0/1 nodes are available: 1 Insufficient cpu, 1 Insufficient memory. ")


@pytest.mark.parametrize(
    ("fields", "words", "advice"),
    [
        pytest.param(
            {"tolerations": [], "labels": {"app": "web"}, "far": True},
            "1 node(s) didn't match pod anti-affinity rules",
            "change the anti-affinity",
            id="pod anti-affinity",
        ),
        pytest.param(
            {"labels": {"app": "web"}, "spread": True},
            "1 node(s) didn't match pod topology spread constraints (missing required label)",
            "larger maxSkew",
            id="topology spread",
        ),
        pytest.param(
            {"port": 8080},
            "1 node(s) didn't have free ports for the requested pod ports",
            "another host port",
            id="port",
        ),
    ],
)
def test_what_other_pods_forbid_has_its_words_and_its_way_out(fields: dict[str, Any], words: str, advice: str) -> None:
    container = builders.container(cores=4)
    if "port" in fields:
        container["ports"] = [{"containerPort": 80, "hostPort": fields["port"]}]
    pod, other = builders.make_pod(containers=[container]), builders.make_pod("old", containers=[container], node="w1")
    for each in (pod, other):
        each["metadata"]["labels"] |= fields.get("labels", {})
    selector = {"matchLabels": {"app": "web"}}
    if fields.get("far"):
        required = [{"topologyKey": names.HOSTNAME_LABEL, "labelSelector": selector}]
        pod["spec"]["affinity"] = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}
    if fields.get("spread"):
        spread = {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule", "labelSelector": selector}
        pod["spec"]["topologySpreadConstraints"] = [spread]
    found = snapshots.plan([pod, other]).waiting["uid-web"]
    assert found.reason == "NoNodeMatches"
    assert found.message.startswith(f"0/1 nodes are available: {words}. ")
    assert "The NeuronCores are free on w1." in found.message
    assert advice in found.message


@pytest.mark.parametrize(
    ("pod", "policy", "says"),
    [
        pytest.param(
            builders.make_pod(cores=4, annotations={names.VISIBLE_CORES_ANNOTATION: "3-6"}),
            pools.Policy(rules=placement.Rules(placement.Alignment.DEVICE)),
            "Cores 3-6 do not start on a Neuron device of w1, and the pool wants that: name cores from a multiple of 2 "
            "on, or set alignment none in the NeuronPool of w1.",
            id="the pool's alignment",
        ),
        pytest.param(
            builders.make_pod(
                cores=4, annotations={names.VISIBLE_CORES_ANNOTATION: "3-6", names.ALIGN_ANNOTATION: "device"}
            ),
            pools.Policy(),
            "Cores 3-6 do not start on a Neuron device of w1, and the pod wants that: name cores from a multiple of 2 "
            "on, or take the alignment off the pod.",
            id="the pod's alignment",
        ),
        pytest.param(
            builders.make_pod(cores=4, annotations={names.VISIBLE_CORES_ANNOTATION: "60-63"}),
            pools.Policy(),
            "has cores 0-31: name cores that exist, or add a larger node.",
            id="cores that no node has",
        ),
        pytest.param(
            builders.make_pod(
                cores=8, annotations={names.VISIBLE_CORES_ANNOTATION: "2-9", names.ALIGN_ANNOTATION: "link"}
            ),
            pools.Policy(),
            "On w1 devices 1-4 are not connected; connected runs are 0-3, 4-7, 8-11, 12-15: ask for one that there is, "
            "or set neuronspan.dev/align to device.",
            id="the pod's link",
        ),
        pytest.param(
            builders.make_pod(cores=8, annotations={names.VISIBLE_CORES_ANNOTATION: "2-9"}),
            pools.Policy(rules=placement.Rules(placement.Alignment.LINK)),
            "12-15: ask for one that there is, or set alignment device in the NeuronPool of w1.",
            id="the pool's link",
        ),
        pytest.param(
            builders.make_pod(devices=3),
            pools.Policy(rules=placement.Rules(device_counts=placement.DeviceCounts.AWS)),
            "On w1 the pool gives part of one device, or 1, 4, 8 or 16 devices of 2 cores, from a multiple of that "
            "number of devices on: ask for one that there is, or set deviceCounts any in the NeuronPool of w1.",
            id="a number of devices that AWS does not give",
        ),
        pytest.param(
            builders.make_pod(cores=40),
            pools.Policy(),
            "has 32 NeuronCores on 16 devices, too few even if it were empty: ask for less in one pod, or add a larger "
            "node.",
            id="too many cores",
        ),
    ],
)
def test_request_that_no_empty_node_could_hold_is_told_its_own_cause(
    pod: dict[str, Any], policy: pools.Policy, says: str
) -> None:
    found = snapshots.plan([pod], policy=policy).waiting["uid-web"]
    assert found.reason == "NeverFits"
    assert found.message.endswith(says)


@pytest.mark.parametrize("asked", [{"devices": 4}, {"cores": 7}], ids=["devices", "cores"])
def test_connected_runs_are_named_when_none_is_free(asked: dict[str, int]) -> None:
    pod = builders.make_pod(**asked, annotations={names.ALIGN_ANNOTATION: "link"})  # type: ignore[arg-type]  # ints
    others = [_running(f"p{core}", str(core)) for core in (0, 8, 16, 24)]
    found = _waiting(pod, *others)
    assert found.reason == "NoRoom"
    assert "1 node(s) without a connected run of 4 free Neuron devices." in found.message
    assert "Connected runs are 0-3, 4-7, 8-11, 12-15 (4 devices of w1)." in found.message
    assert found.message.endswith("It would fit on w1 after the end of default/p0 (cores 0).")


def test_connected_runs_are_not_named_when_every_run_is_connected() -> None:
    pod = builders.make_pod(devices=16, annotations={names.ALIGN_ANNOTATION: "link"})
    found = _waiting(pod, _running("other", "0"))
    assert "node(s) without 16 Neuron devices free side by side" in found.message
    assert "onnected" not in found.message


def test_small_nodes_are_counted_as_too_small() -> None:
    members = [builders.make_neuron_node("w1", instance_type=builders.SMALL), builders.make_neuron_node("w2")]
    nodes = [builders.make_node("w1"), builders.make_node("w2", cordoned=True)]
    found = snapshots.plan([builders.make_pod(cores=20)], nodes, members).waiting["uid-web"]
    assert "1 node(s) too small (12 NeuronCores), 1 node(s) were unschedulable" in found.message
    assert "It would fit on w2, could that be used." in found.message


def test_pod_whose_end_makes_room_is_named() -> None:
    found = _waiting(builders.make_pod(cores=16), _running("a", "0-3"), _running("b", "4-11"), _running("c", "12-19"))
    assert "The longest free run is 12 (cores 20-31 of w1)." in found.message
    assert found.message.endswith("It would fit on w1 after the end of default/c (cores 12-19).")


def test_fewest_pods_are_named_when_one_is_not_enough() -> None:
    others = [_running(f"p{first}", f"{first}-{first + 3}") for first in range(0, 32, 4)]
    found = _waiting(builders.make_pod(cores=8), *others)
    assert "No core is free." in found.message
    assert found.message.endswith("after the end of default/p0 (cores 0-3), default/p4 (cores 4-7).")


def test_cores_that_are_being_released_are_preferred_and_marked() -> None:
    others = [_running(f"p{first}", f"{first}-{first + 7}") for first in (0, 8, 16)]
    tombstone = domain.grant("24-31", "gone", state=grants.GrantState.RELEASING)
    members = [builders.make_neuron_node("w1", [*(grant for _, grant in others), tombstone])]
    plan = snapshots.plan([builders.make_pod(cores=8), *(pod for pod, _ in others)], None, members)
    assert plan.waiting["uid-web"].message.endswith("after the end of default/gone (cores 24-31, being released).")


def test_long_lists_are_cut() -> None:
    others = [_running(f"p{core}", str(core)) for core in range(32)]
    found = _waiting(builders.make_pod(cores=8), *others)
    assert "and 3 more" in found.message
    assert len(found.message) < 1024


def test_nobody_is_named_whose_end_would_not_help() -> None:
    """Unhealthy cores stay unusable, whoever ends."""
    found = _waiting(builders.make_pod(cores=20), _running("a", "0-3"), unhealthy=[16])
    assert found.reason == "NoRoom"
    assert "after the end" not in found.message


def test_unhealthy_cores_are_named_with_their_reasons() -> None:
    members = [
        builders.make_neuron_node("w1", unhealthy={0: "ECC", 1: "ECC", 16: "hot"}),
        builders.make_neuron_node("w2", unhealthy=dict.fromkeys((4, 8, 12, 16, 20, 24, 28), "ECC")),
        builders.make_neuron_node("w3", unhealthy={3: "not asked for"}, instance_type=builders.SMALL),
    ]
    nodes = [builders.make_node(f"w{index}") for index in (1, 2, 3)]
    found = snapshots.plan([builders.make_pod(cores=20)], nodes, members).waiting["uid-web"]
    assert found.message.endswith(" Unhealthy are cores 0-1 of w1 (ECC), 16 of w1 (hot), 4 of w2 (ECC) and 6 more.")


def test_reason_of_unhealthy_cores_that_became_another_is_told() -> None:
    """The node gives as many cores as before, to the same pods."""
    ill, worse = (
        pools.Member(neuron_nodes.read(builders.make_neuron_node(unhealthy={16: reason}))) for reason in ("hot", "ECC")
    )
    kept = planner.Planner(again=dt.timedelta())
    pod, host = pods.read(builders.make_pod(cores=20)), nodes.read(builders.make_node())
    before = kept.plan(facts.Changes(pods={pod.uid: pod}, nodes={"w1": host}, members={"w1": ill}), snapshots.NOW)
    assert before.waiting[pod.uid].message.endswith("16 of w1 (hot).")
    after = kept.plan(facts.Changes(members={"w1": worse}), snapshots.NOW)
    assert after.waiting[pod.uid].message.endswith("16 of w1 (ECC).")
    assert after.news == {pod.uid}


def test_healthy_nodes_are_not_said_to_be_unhealthy() -> None:
    assert "nhealthy" not in _waiting(builders.make_pod(cores=30), _running("a", "0-3")).message


def test_containers_that_fit_only_one_by_one_say_so() -> None:
    pod = builders.make_pod(containers=[builders.container("a", cores=12), builders.container("b", cores=12)])
    found = _waiting(pod, _running("x", "12-15"), _running("y", "28-31"), _running("z", "0-1"), unhealthy=[5])
    assert "without free runs of NeuronCores for all containers together" in found.message
    ways = "after the end of default/x (cores 12-15), default/y (cores 28-31)."
    assert found.message.endswith(f"{ways} Unhealthy are cores 5 of w1.")


def test_taken_cores_that_were_asked_for_are_named() -> None:
    pod = builders.make_pod(cores=4, annotations={names.VISIBLE_CORES_ANNOTATION: "4-7"})
    found = _waiting(pod, _running("a", "6-7"))
    assert "1 node(s) where cores 4-7 are not all free" in found.message
    assert found.message.endswith("after the end of default/a (cores 6-7).")


def test_devices_are_called_devices() -> None:
    found = _waiting(builders.make_pod(devices=16), _running("a", "0"))
    assert "1 node(s) without 16 Neuron devices free side by side" in found.message


def test_free_cores_are_named_when_something_else_is_missing() -> None:
    pod = builders.make_pod(containers=[builders.container(cores=4, cpu="100")])
    found = _waiting(pod)
    assert "1 Insufficient cpu" in found.message
    assert "The NeuronCores are free on w1." in found.message


def test_pods_of_one_shape_share_the_answer() -> None:
    pod_list = [builders.make_pod(f"p{index}", cores=40) for index in range(3)]
    assert len({id(each) for each in snapshots.plan(pod_list).waiting.values()}) == 1


@pytest.mark.parametrize(
    "pod",
    [
        builders.make_pod(cores=4, scheduler="default-scheduler"),
        builders.make_pod(cores=4, node="w1"),
        builders.make_pod(cores=4, deleted=True),
        builders.make_pod(cores=4, phase="Failed"),
    ],
    ids=["not gated", "bound", "being deleted", "over"],
)
def test_other_pods_do_not_wait_for_us(pod: dict[str, Any]) -> None:
    plan = snapshots.plan([pod])
    assert (plan.waiting, plan.bindings) == ({}, ())
