"""Rounds about pods that have a grant and that the cache lacks."""

import asyncio

import pytest

from kits.manifests import builders, domain
from kits.world import rehearsal
from neuronspan import grants
from neuronspan_agent import errors, resources


@pytest.fixture
async def play() -> rehearsal.Rehearsal:
    return rehearsal.Rehearsal()


async def test_pod_that_cannot_be_asked_for_keeps_its_cores(play: rehearsal.Rehearsal) -> None:
    play.server.put(resources.NODES, builders.make_node("w1"))
    running = domain.grant(state=grants.GrantState.CONFIRMED)
    play.server.put(resources.NEURON_NODES, builders.make_neuron_node("w1", [running]))
    play.server.fail("get pods", errors.Unavailable("down"))
    async with play.running():
        await play.round()
        await play.round()
        assert play.ledger() == {"web": "Confirmed 4+4"}
        await play.pass_time(2)
        await play.round()
        await play.round()
    assert play.ledger() == {"web": "Releasing 4+4"}


async def test_another_pod_of_that_name_does_not_keep_the_cores(play: rehearsal.Rehearsal) -> None:
    play.server.put(resources.NODES, builders.make_node("w1"))
    running = domain.grant(state=grants.GrantState.CONFIRMED)
    play.server.put(resources.NEURON_NODES, builders.make_neuron_node("w1", [running]))
    play.add_pod("web", uid="uid-second")
    async with play.running():
        await play.round()
        await play.round()
    assert play.ledger() == {"web": "Releasing 4+4", "second": "Granted 0+4"}


async def test_pod_that_ended_while_its_grant_was_stored_is_not_asked_for(play: rehearsal.Rehearsal) -> None:
    """Its end was watched before any ledger named it: that must not be forgotten as nobody's business."""
    play.add_node()
    play.add_pod()
    stored = asyncio.Event()
    play.server.fail("merge_patch neuronnodes", stored)
    async with play.running():
        under_way = asyncio.create_task(play.round())
        await asyncio.sleep(1)
        play.server.remove(resources.PODS, "web", "default")
        await play.settle()
        stored.set()
        await under_way
        play.server.fail("merge_patch neuronnodes", errors.Unavailable("down"))
        await play.pass_time(11)  # what may be forgotten is looked at every ten seconds
        await play.round()
        await play.pass_time(2)
        await play.round()
    assert play.ledger() == {"web": "Releasing 0+4"}
    assert "get pods web" not in play.server.calls
