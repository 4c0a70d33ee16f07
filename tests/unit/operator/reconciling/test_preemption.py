"""The operator's loop ends pods for others: once, as far as the API server allows, and says so on both."""

import asyncio

from kits.embedded import in_memory
from kits.manifests import builders, domain
from kits.world import rehearsal
from neuronspan import grants
from neuronspan_agent import errors, resources
from neuronspan_operator.planning.stages import preempting

CONFIRMED = grants.GrantState.CONFIRMED
FORBIDDEN_BY_BUDGET = errors.Unavailable("a disruption budget forbids it", status=429)


def _full(play: rehearsal.Rehearsal, *names: str) -> None:
    """Fill node w1 with pods of sixteen cores each, the first the least important."""
    play.add_node()
    entries = []
    for index, name in enumerate(names):
        play.add_pod(name, cores=16, priority=index, node="w1", phase="Running", labels={"app": name})
        entries.append(domain.grant(f"{16 * index}-{16 * index + 15}", name, state=CONFIRMED))
    play.server.put(resources.NEURON_NODES, builders.make_neuron_node("w1", entries))


def _evictions(play: rehearsal.Rehearsal) -> list[str]:
    return [call.removeprefix("evict pods ") for call in play.server.calls if call.startswith("evict ")]


async def test_victim_is_evicted_and_the_pod_nominated_and_bound_once_the_cores_are_free() -> None:
    play = rehearsal.Rehearsal()
    _full(play, "low", "high")
    play.add_pod("big", cores=16, priority=100)
    async with play.running():
        await play.round()
        assert _evictions(play) == ["low"]
        assert "Ended for default/big" in play.told("low")["Preempted"]
        assert "it ends default/low (priority 0)" in play.told("big")["Preempting"]
        status = play.server.stored(resources.PODS, "big", "default")["status"]
        assert status["nominatedNodeName"] == "w1"
        assert status["conditions"][0]["reason"] == "Preempting"
        play.server.remove(resources.PODS, "low", "default")  # its kubelet has ended it
        await play.round()
        assert play.ledger() == {"low": "Releasing 0+16", "high": "Confirmed 16+16"}, "no cores without proof"
        play.edit(resources.NEURON_NODES, "w1", lambda node: node["status"].update(released=["uid-low"]))
        await play.round()
        await play.round()
    assert play.ledger() == {"big": "Granted 0+16", "high": "Confirmed 16+16"}
    assert play.bound() == ["big", "high"]
    assert _evictions(play) == ["low"]


async def test_other_victim_is_chosen_where_the_api_server_forbids_the_first() -> None:
    play = rehearsal.Rehearsal()
    _full(play, "low", "high")
    play.add_pod("big", cores=16, priority=100)
    async with play.running():
        play.server.fail("evict pods", *[FORBIDDEN_BY_BUDGET] * 2)
        for _ in range(3):
            assert "Preempted" not in play.told("low")
            await play.round()
            await asyncio.sleep(1)
    assert _evictions(play) == ["low", "low", "high"]
    assert "Preempted" in play.told("high")


async def test_forbidden_victim_is_asked_for_again_after_a_pause() -> None:
    play = rehearsal.Rehearsal()
    _full(play, "low")
    play.add_pod("big", cores=32, priority=100)
    async with play.running():
        play.server.fail("evict pods", FORBIDDEN_BY_BUDGET)
        pause = await play.round()
        assert pause is not None
        await play.round()
        assert _evictions(play) == ["low"]
        await asyncio.sleep(pause)
        await play.round()
    assert _evictions(play) == ["low", "low"]


async def test_victim_is_known_to_be_ending_before_the_cache_shows_it() -> None:
    play = rehearsal.Rehearsal()
    _full(play, "low", "high")
    play.add_pod("big", cores=16, priority=100)
    async with play.running():
        play.server.mute(resources.PODS)
        await play.round()
        assert play.known.snapshot().pods["uid-low"].deleted


async def test_budgets_that_the_cache_has_are_obeyed() -> None:
    play = rehearsal.Rehearsal()
    _full(play, "low", "high")
    play.server.put(resources.BUDGETS, builders.make_budget(labels={"app": "low"}, allowed=0))
    play.add_pod("big", cores=16, priority=100)
    async with play.running():
        await play.round()
    assert _evictions(play) == ["high"]


async def test_budgets_that_must_not_be_read_stop_nobody() -> None:
    server = in_memory.ApiServer()
    server.fail("list poddisruptionbudgets", *[errors.Forbidden("no", status=403)] * 100)
    play = rehearsal.Rehearsal(server)
    _full(play, "low")
    play.add_pod("big", cores=32, priority=100)
    async with play.running():
        await play.round()
        assert set((await play.known.readiness()).values()) == {""}
    assert _evictions(play) == ["low"]


async def test_evictions_that_are_all_refused_are_tried_a_few_at_a_time() -> None:
    play = rehearsal.Rehearsal()
    entries = []
    for core in range(32):
        play.add_pod(f"low-{core}", cores=1, node="w1", phase="Running")
        entries.append(domain.grant(f"{core}", f"low-{core}", state=CONFIRMED))
    play.add_node()
    play.server.put(resources.NEURON_NODES, builders.make_neuron_node("w1", entries))
    play.server.fail("evict pods", *[errors.Forbidden("no", status=403)] * 1000)
    for index in range(8):
        play.add_pod(f"big-{index}", cores=1, priority=100)
    async with play.running():
        task = asyncio.create_task(play.loop.run())
        await asyncio.sleep(9.9)
        task.cancel()
    assert 10 <= len(_evictions(play)) <= 10 * preempting.MOST
