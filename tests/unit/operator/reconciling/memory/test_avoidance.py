"""Pods are not sent to the node again where their like were refused."""

import dataclasses
from typing import Any

import pytest

from kits.manifests import builders, domain, snapshots
from kits.world import rehearsal
from neuronspan_agent import errors, resources
from neuronspan_operator.objects import pods
from neuronspan_operator.planning import planner, plans
from neuronspan_operator.reconciling.memory import avoidance

NODES = [builders.make_node("w1"), builders.make_node("w2")]


class Clock:
    """Seconds that the test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Memory:
    """What is remembered while pods come, change and go."""

    def __init__(self, clock: Clock) -> None:
        self.pods: dict[str, pods.PodView] = {}
        self.memory = avoidance.Avoidance(clock, self.pods.get)

    def see(self, *manifests: dict[str, Any]) -> dict[str, list[str]]:
        """There are these pods now, and no others; return which nodes each must avoid."""
        before = dict(self.pods)
        self.pods.clear()
        self.pods |= {view.uid: view for view in map(pods.read, manifests)}
        told = self.memory.observe(before.keys() | self.pods.keys())
        assert told.items() >= self.memory.avoided.items() - self.told.items()
        self.told = dict(self.memory.avoided)
        return {uid.removeprefix("uid-"): sorted(nodes) for uid, nodes in self.memory.avoided.items()}

    told: dict[str, frozenset[str]] = {}  # noqa: RUF012 - replaced, never changed


def _refused(name: str = "first", **fields: Any) -> dict[str, Any]:
    told = {"node": "w1", "containers": {"app": "0-3"}}
    pod = {"cores": 4, "owner": "rs", "scheduler": "volcano", "grant": told, "unscheduled": "no volume", **fields}
    return builders.make_pod(name, **pod)


def _waiting(name: str = "second", **fields: Any) -> dict[str, Any]:
    return builders.make_pod(name, **{"cores": 4, "owner": "rs", **builders.GUEST, **fields})


@pytest.mark.parametrize(
    ("waiting", "avoided"),
    [
        pytest.param(_waiting(), {"second": ["w1"]}, id="of the same controller"),
        pytest.param(_waiting(owner="other"), {}, id="of another controller"),
        pytest.param(_waiting(cores=2), {}, id="asks for something else"),
    ],
)
def test_pods_like_the_refused_one_keep_away_from_that_node(waiting: dict[str, Any], avoided: object) -> None:
    assert Memory(Clock()).see(_refused(), waiting) == avoided


@pytest.mark.parametrize(
    "pod",
    [
        pytest.param(_refused(unscheduled=""), id="no verdict yet"),
        pytest.param(_refused(phase="Failed"), id="over"),
        pytest.param(_refused(grant=None), id="never let go by us"),
        pytest.param(_refused(scheduler="neuronspan"), id="our own verdict"),
    ],
)
def test_what_is_no_verdict_of_its_scheduler_does_not_count(pod: dict[str, Any]) -> None:
    assert Memory(Clock()).see(pod, _waiting()) == {}


def test_node_is_avoided_for_a_while_and_longer_after_the_next_refusal() -> None:
    clock = Clock()
    memory = Memory(clock)
    memory.see(_refused())
    clock.now = avoidance.DELAYS.first
    assert memory.see(_waiting()) == {}
    memory.see(_refused("second"))
    clock.now += avoidance.DELAYS.first
    assert memory.see(_waiting("third")) == {"third": ["w1"]}
    assert memory.memory.next_release() == avoidance.DELAYS.first
    clock.now += avoidance.DELAYS.first
    assert memory.see(_waiting("third")) == {}


def test_refusal_counts_once_however_long_it_stands() -> None:
    clock = Clock()
    memory = Memory(clock)
    for moment in range(0, 301, 100):
        clock.now = moment
        memory.see(_refused())
    assert memory.see(_refused(), _waiting()) == {}


def test_pod_that_is_bound_there_ends_it() -> None:
    memory = Memory(Clock())
    memory.see(_refused())
    assert memory.see(_refused("other", node="w1", phase="Running"), _waiting()) == {}


def test_what_was_refused_long_ago_is_forgotten() -> None:
    clock = Clock()
    memory = Memory(clock)
    memory.see(_refused())
    clock.now = 3 * avoidance.DELAYS.longest
    memory.see()
    memory.see(_refused("later"))
    assert memory.memory.next_release() == avoidance.DELAYS.first


def test_guest_is_granted_on_another_node_and_waits_with_a_reason_when_there_is_none() -> None:
    memory = Memory(Clock())
    holder = domain.grant("0-3", "first")
    members = [builders.make_neuron_node("w1", [holder]), builders.make_neuron_node("w2")]

    def plan(*names: str) -> plans.Plan:
        nodes = [node for node in NODES if node["metadata"]["name"] in names]
        there = [member for member in members if member["metadata"]["name"] in names]
        memory.see(_refused(), _waiting())
        found = snapshots.snapshot([_refused(), _waiting()], nodes, there)
        return planner.plan(dataclasses.replace(found, avoided=memory.memory.avoided), snapshots.NOW)

    assert snapshots.let_go(plan("w1", "w2")) == {"second": "w2 app=0-3"}
    assert "1 node(s) where such a pod was refused lately" in plan("w1").waiting["uid-second"].message


async def test_operator_sends_the_successor_of_a_refused_guest_elsewhere() -> None:
    play = rehearsal.Rehearsal()
    play.add_node("w1")
    play.add_node("w2")
    async with play.running():
        play.add_pod("first", owner="rs", **builders.GUEST)
        await play.round()
        refusal = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "no volume"}
        play.edit(resources.PODS, "first", lambda pod: pod["status"].update(conditions=[refusal]))
        await play.pass_time(61)
        await play.round()
        play.add_pod("second", owner="rs", **builders.GUEST)
        await play.round()
    assert play.ungated() == ["second"]
    assert play.ledger("w2") == {"second": "Granted 0+4"}


async def test_pod_whose_binding_is_refused_again_and_again_gives_its_cores_back_and_goes_elsewhere() -> None:
    play = rehearsal.Rehearsal()
    for name in ("w1", "w2"):
        play.add_node(name)
    play.add_pod()
    play.server.fail("bind pods", *[errors.Forbidden("POST /x: 403 a policy of somebody forbids it", status=403)] * 3)
    async with play.running():
        for _ in range(12):
            await play.round()
            await play.pass_time(1)
    assert play.ledger("w1") == {"web": "Releasing 0+4"}
    assert play.ledger("w2") == {"web": "Granted 0+4"}
    assert play.bound() == ["web"]


async def test_pod_whose_binding_is_refused_everywhere_waits_without_cores_and_is_tried_again() -> None:
    play = rehearsal.Rehearsal()
    play.add_node("w1")
    play.add_pod()
    forbidden = errors.Forbidden("POST /x: 403 a policy of somebody forbids it", status=403)
    play.server.fail("bind pods", *[forbidden] * 3)
    async with play.running():
        for _ in range(12):
            await play.round()
            await play.pass_time(1)
        assert play.ledger("w1") == {"web": "Releasing 0+4"}
        assert "a policy of somebody forbids it" in play.told("web")["FailedScheduling"]
        released = {"status": {"released": ["uid-web"]}}
        play.edit(resources.NEURON_NODES, "w1", lambda node: node["status"].update(released["status"]))
        await play.round()
        play.edit(resources.NEURON_NODES, "w1", lambda node: node["status"].update(released=[]))
        await play.round()
        assert play.ledger("w1") == {}
        await play.pass_time(avoidance.DELAYS.first)
        await play.round()
        await play.round()
    assert play.bound() == ["web"]


async def test_two_refusals_of_a_binding_may_pass_by_themselves() -> None:
    play = rehearsal.Rehearsal()
    play.add_node("w1")
    play.add_node("w2")
    play.add_pod()
    play.server.fail("bind pods", *[errors.Forbidden("POST /x: 403 not yet", status=403)] * 2)
    async with play.running():
        for _ in range(6):
            await play.round()
            await play.pass_time(1)
    assert play.ledger("w1") == {"web": "Granted 0+4"}
    assert play.bound() == ["web"]
