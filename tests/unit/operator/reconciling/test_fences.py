"""Rounds that take a grant back from a pod that was not bound."""

import pytest

from kits.manifests import builders, domain
from kits.world import rehearsal
from neuronspan_agent import resources


@pytest.fixture
async def play() -> rehearsal.Rehearsal:
    play = rehearsal.Rehearsal()
    play.server.put(resources.NODES, builders.make_node("w1", cordoned=True))
    play.server.put(resources.NEURON_NODES, builders.make_neuron_node("w1", [domain.grant()]))
    play.add_pod("web")
    return play


async def test_grant_stays_until_its_fence_is_stored_and_goes_while_the_cache_of_pods_is_behind(
    play: rehearsal.Rehearsal,
) -> None:
    async with play.running():
        play.server.mute(resources.PODS)
        await play.round()
        assert play.ledger() == {"web": "Granted 4+4"}
        await play.round()
    assert play.ledger() == {"web": "Releasing 4+4"}


async def test_fence_is_written_through_the_status(play: rehearsal.Rehearsal) -> None:
    """For more there is no right."""
    async with play.running():
        await play.round()
    assert {call for call in play.server.calls if "patch pods" in call} == {"strategic_patch pods web status"}
