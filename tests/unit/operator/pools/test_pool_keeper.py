"""Pools become NeuronNodes and statuses, by compare-and-swap."""

import asyncio
from typing import Any

import pytest

from kits.manifests import builders, domain
from kits.world import rehearsal
from neuronspan import grants
from neuronspan_agent import errors, resources
from neuronspan_operator.objects import pools


@pytest.fixture
async def play() -> rehearsal.Rehearsal:
    return rehearsal.Rehearsal()


def add_pool(play: rehearsal.Rehearsal, name: str = "a", **spec: Any) -> None:
    default = {"nodeSelector": {"neuron": "yes"}, "hardware": {"instanceType": "trn1.32xlarge"}}
    play.server.put(resources.NEURON_POOLS, {"metadata": {"name": name, "generation": 1}, "spec": default | spec})


def add_bare_node(play: rehearsal.Rehearsal, name: str = "w1") -> None:
    play.server.put(resources.NODES, builders.make_node(name, labels={"neuron": "yes"}))


def status(play: rehearsal.Rehearsal, name: str = "a") -> dict[str, Any]:
    found: dict[str, Any] = play.server.stored(resources.NEURON_POOLS, name)["status"]
    return found


async def settle(play: rehearsal.Rehearsal) -> None:
    await play.settle()
    await play.keeper.settle()
    await play.settle()


async def test_settle_creates_neuron_nodes_and_then_counts_them(play: rehearsal.Rehearsal) -> None:
    add_pool(play)
    add_bare_node(play, "w1")
    add_bare_node(play, "w2")
    async with play.running():
        await settle(play)
        assert play.keeper.members_of("a") == ["w1", "w2"]
        await settle(play)
    assert (status(play)["nodes"], status(play)["cores"]) == (2, 64)


async def test_settle_writes_nothing_when_nothing_changed(play: rehearsal.Rehearsal) -> None:
    add_pool(play)
    add_bare_node(play)
    async with play.running():
        await settle(play)
        await settle(play)
        before = len(play.server.calls)
        play.server.mute()
        await settle(play)
        assert play.server.calls[before:] == []


async def test_settle_does_not_write_a_status_twice_while_the_cache_is_behind(play: rehearsal.Rehearsal) -> None:
    add_pool(play)
    async with play.running():
        play.server.mute()
        await settle(play)
        await settle(play)
    assert play.server.calls.count("merge_patch neuronpools a status") == 1


async def test_settle_lets_a_grant_win_that_came_in_between(play: rehearsal.Rehearsal) -> None:
    """The node was idle when the profile change was decided, and is not when it is written."""
    add_pool(play)
    add_bare_node(play)
    async with play.running():
        await settle(play)
        play.edit(
            resources.NEURON_POOLS, "a", lambda pool: pool["spec"]["hardware"].update(instanceType="inf2.24xlarge")
        )
        grant = {"podUID": "uid-web", "pod": "web"}
        play.server.fail(
            "merge_patch neuronnodes",
            lambda: play.edit(resources.NEURON_NODES, "w1", lambda node: node["spec"].update(grants=[grant])),
        )
        await settle(play)
    hardware = play.server.stored(resources.NEURON_NODES, "w1")["spec"]["hardware"]
    assert hardware["instanceType"] == "trn1.32xlarge"


async def test_settle_does_not_delete_a_neuron_node_that_was_written_in_between(play: rehearsal.Rehearsal) -> None:
    add_pool(play)
    add_bare_node(play)
    async with play.running():
        await settle(play)
        play.edit(resources.NODES, "w1", lambda node: node["metadata"]["labels"].pop("neuron"))
        play.server.fail(
            "delete neuronnodes",
            lambda: play.edit(resources.NEURON_NODES, "w1", lambda node: node["spec"].update(granted=4)),
        )
        await settle(play)
        assert len(play.server.all(resources.NEURON_NODES)) == 1
        await settle(play)
        assert play.server.all(resources.NEURON_NODES) == []


async def test_settle_tries_everything_before_it_complains(play: rehearsal.Rehearsal) -> None:
    add_pool(play)
    add_bare_node(play, "w1")
    add_bare_node(play, "w2")
    play.server.fail("create neuronnodes w1", errors.Forbidden("no", status=403))
    async with play.running():
        with pytest.raises(errors.Forbidden):
            await settle(play)
        await play.settle()
        assert play.keeper.members_of("a") == ["w2"]


async def test_settle_takes_one_created_by_another_operator_as_it_is(play: rehearsal.Rehearsal) -> None:
    add_pool(play)
    add_bare_node(play)

    def other_creates() -> None:
        made = builders.make_neuron_node("w1")
        made["metadata"]["labels"] = {pools.POOL_LABEL: "a"}
        play.server.put(resources.NEURON_NODES, made)

    play.server.fail("create neuronnodes", other_creates)
    async with play.running():
        await settle(play)
        assert play.keeper.members_of("a") == ["w1"]


async def test_run_follows_nodes_that_come_and_labels_that_change(play: rehearsal.Rehearsal) -> None:
    add_pool(play)
    async with play.running():
        task = asyncio.create_task(play.keeper.run())
        await asyncio.sleep(1)
        assert status(play)["nodes"] == 0
        add_bare_node(play)
        await asyncio.sleep(2)
        assert status(play)["nodes"] == 1
        play.edit(resources.NODES, "w1", lambda node: node["metadata"]["labels"].update(neuron="no"))
        await asyncio.sleep(2)
        assert status(play)["nodes"] == 0
        assert play.server.all(resources.NEURON_NODES) == []
        task.cancel()


async def test_run_gives_the_ledger_of_a_gone_node_up_when_its_time_has_come(play: rehearsal.Rehearsal) -> None:
    """Nothing happens in the cluster then that could wake anybody."""
    add_pool(play, policy={"quarantineSeconds": 60})
    add_bare_node(play)
    async with play.running():
        task = asyncio.create_task(play.keeper.run())
        await asyncio.sleep(1)
        tombstone = domain.grant(state=grants.GrantState.RELEASING, since=rehearsal.now().isoformat())
        entries = [tombstone.to_dict()]
        play.edit(resources.NEURON_NODES, "w1", lambda node: node["spec"].update(grants=entries))
        play.server.remove(resources.NODES, "w1")
        await asyncio.sleep(59)
        assert len(play.server.all(resources.NEURON_NODES)) == 1
        assert "stays for 60 s" in status(play)["conditions"][0]["message"]
        await asyncio.sleep(2)
        assert play.server.all(resources.NEURON_NODES) == []
        assert status(play)["nodes"] == 0
        task.cancel()


async def test_run_tries_again_after_a_failure(play: rehearsal.Rehearsal) -> None:
    add_pool(play)
    add_bare_node(play)
    play.server.fail("create neuronnodes", *[errors.Unavailable("down")] * 3)
    async with play.running():
        task = asyncio.create_task(play.keeper.run())
        await asyncio.sleep(10)
        task.cancel()
        assert play.keeper.members_of("a") == ["w1"]


async def test_snapshot_counts_nodes_of_a_pool_being_deleted_as_cordoned(play: rehearsal.Rehearsal) -> None:
    """So that it runs empty: new pods go elsewhere."""
    add_pool(play)
    add_bare_node(play)
    async with play.running():
        await settle(play)
        assert not play.known.snapshot().nodes["w1"].draining
        play.edit(resources.NEURON_POOLS, "a", lambda pool: pool["metadata"].update(deletionTimestamp="now"))
        await play.settle()
        assert play.known.snapshot().nodes["w1"].draining


def label(play: rehearsal.Rehearsal) -> str | None:
    found: str | None = play.server.stored(resources.NODES, "w1")["metadata"]["labels"].get("neuronspan.dev/ledger")
    return found


async def test_settle_labels_a_node_as_long_as_it_has_a_ledger(play: rehearsal.Rehearsal) -> None:
    """The device plugin's DaemonSet selects the label: it proves that the cores of a node that left are free."""
    add_pool(play)
    add_bare_node(play)
    async with play.running():
        await settle(play)
        await settle(play)
        assert label(play) == "kept"
        grant = domain.grant("0-3").to_dict()
        play.edit(resources.NEURON_NODES, "w1", lambda node: node["spec"].update(grants=[grant]))
        play.edit(resources.NODES, "w1", lambda node: node["metadata"]["labels"].pop("neuron"))
        await settle(play)
        await settle(play)
        assert label(play) == "kept"
        play.edit(resources.NEURON_NODES, "w1", lambda node: node["spec"].update(grants=[]))
        await settle(play)
        await settle(play)
        assert play.server.all(resources.NEURON_NODES) == []
    assert label(play) is None
