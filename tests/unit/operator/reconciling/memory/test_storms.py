"""Controllers whose pods fail before they start get cores later and later."""

import asyncio

import pytest

from kits.manifests import domain
from kits.world import rehearsal
from neuronspan_agent import errors, resources


@pytest.fixture
async def play() -> rehearsal.Rehearsal:
    play = rehearsal.Rehearsal()
    play.add_node()
    return play


async def fail_one(play: rehearsal.Rehearsal, name: str) -> None:
    """Let a pod of ReplicaSet web be bound and then refused by kubelet."""
    play.add_pod(name, owner="web")
    await play.round()
    assert name in play.bound()
    play.edit(resources.PODS, name, lambda pod: pod["status"].update(phase="Failed", reason="UnexpectedAdmissionError"))
    await play.round()


async def test_successor_of_a_refused_pod_waits_and_says_why(play: rehearsal.Rehearsal) -> None:
    async with play.running():
        await fail_one(play, "first")
        play.add_pod("second", owner="web")
        pause = await play.round()
        assert "second" not in play.bound()
        assert "ReplicaSet web" in play.told("second")["FailedScheduling"]
        assert play.told("second")["FailedScheduling"].endswith("(BackOff)")
        assert play.count("neuronspan_waiting_pods", {"reason": "BackOff"}) == 1
        assert pause is not None
        assert pause <= 1
        await asyncio.sleep(1)
        await play.round()
        assert "second" in play.bound()


async def test_delay_grows_with_every_refused_pod(play: rehearsal.Rehearsal) -> None:
    async with play.running():
        await fail_one(play, "first")
        await asyncio.sleep(1)
        await fail_one(play, "second")
        play.add_pod("third", owner="web")
        await asyncio.sleep(1)
        await play.round()
        assert "third" not in play.bound()
        await asyncio.sleep(1)
        await play.round()
        assert "third" in play.bound()


async def test_pods_of_others_do_not_wait(play: rehearsal.Rehearsal) -> None:
    async with play.running():
        await fail_one(play, "first")
        play.add_pod("bare")
        play.add_pod("other", owner="other")
        await play.round()
        assert {"bare", "other"} <= set(play.bound())


async def test_many_pods_refused_at_once_are_one_failure(play: rehearsal.Rehearsal) -> None:
    async with play.running():
        for index in range(5):
            play.add_pod(f"web-{index}", owner="web")
        await play.round()
        for index in range(5):
            play.edit(resources.PODS, f"web-{index}", lambda pod: pod["status"].update(phase="Failed"))
        await play.round()
        play.add_pod("next", owner="web")
        await asyncio.sleep(1)
        await play.round()
        assert "next" in play.bound()


async def test_refused_pod_counts_once_however_long_its_grant_stays(play: rehearsal.Rehearsal) -> None:
    """Its ledger cannot be written for a while, so that every round sees the same failure again."""
    async with play.running():
        play.add_pod("first", owner="web")
        await play.round()
        play.edit(resources.PODS, "first", lambda pod: pod["status"].update(phase="Failed"))
        play.server.fail("merge_patch neuronnodes", *[errors.Unavailable("down")] * 3)
        for _ in range(6):
            await play.round()
            await asyncio.sleep(1)
        assert play.ledger() == {"first": "Granted 0+4"}
        play.add_pod("second", owner="web")
        await play.round()
        assert play.count("neuronspan_waiting_pods", {"reason": "BackOff"}) == 0
        await asyncio.sleep(5)
        await play.round()
        assert "second" in play.bound()


async def test_pod_whose_grant_is_stored_is_bound_in_spite_of_the_delay(play: rehearsal.Rehearsal) -> None:
    """An operator stopped between the ledger and the pod; what has cores is never held back."""
    async with play.running():
        await fail_one(play, "first")
        stored = domain.grant("8-11", "second").to_dict()
        play.edit(resources.NEURON_NODES, "w1", lambda node: node["spec"]["grants"].append(stored))
        play.add_pod("second", owner="web")
        await play.round()
        assert "second" in play.bound()
        assert "FailedScheduling" not in play.told("second")


async def test_a_pod_that_holds_its_cores_ends_the_delays(play: rehearsal.Rehearsal) -> None:
    held = {
        "podUID": "uid-second", "namespace": "default", "pod": "second", "container": "app", "first": 4, "count": 4,
        "resource": "aws.amazon.com/neuroncore", "processes": True,
    }  # fmt: skip
    async with play.running():
        await fail_one(play, "first")
        await asyncio.sleep(1)
        play.add_pod("second", owner="web")
        await play.round()
        play.edit(resources.PODS, "second", lambda pod: pod["spec"].update(nodeName="w1"))
        play.edit(resources.NEURON_NODES, "w1", lambda node: node["status"].update(held=[held]))
        await play.round()
        await play.round()
        assert play.ledger()["second"] == "Confirmed 4+4"
        await fail_one(play, "third")
        play.add_pod("fourth", owner="web")
        await asyncio.sleep(1)
        await play.round()
        assert "fourth" in play.bound()


async def test_a_pod_that_worked_and_then_failed_delays_nobody(play: rehearsal.Rehearsal) -> None:
    """A Job's own failures are the Job's own business."""
    held = {
        "podUID": "uid-first", "namespace": "default", "pod": "first", "container": "app", "first": 0, "count": 4,
        "resource": "aws.amazon.com/neuroncore", "processes": True,
    }  # fmt: skip
    async with play.running():
        play.add_pod("first", owner="web")
        await play.round()
        play.edit(resources.PODS, "first", lambda pod: pod["spec"].update(nodeName="w1"))
        play.edit(resources.NEURON_NODES, "w1", lambda node: node["status"].update(held=[held]))
        await play.round()
        play.edit(resources.PODS, "first", lambda pod: pod["status"].update(phase="Failed"))
        await play.round()
        play.add_pod("second", owner="web")
        await play.round()
        assert "second" in play.bound()
