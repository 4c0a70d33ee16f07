"""One entry that the API server refuses never stops a node's ledger."""

from collections.abc import Collection
from typing import Any

import pytest

from kits.embedded import in_memory
from kits.manifests import builders, domain
from kits.world import rehearsal
from neuronspan import grants
from neuronspan_agent import errors, resources

WRITES = "neuronspan_ledger_writes_total"


@pytest.fixture
async def play() -> rehearsal.Rehearsal:
    return rehearsal.Rehearsal()


def _without(*bad: str) -> in_memory.Rule:
    """Refuse every ledger that names one of these pods."""

    def rule(resource: resources.Resource, manifest: dict[str, Any]) -> str:
        if resource != resources.NEURON_NODES:
            return ""
        found = {each["pod"] for each in manifest["spec"]["grants"]} & {*bad}
        return f"PATCH /x: 422 spec.grants of web-1: {sorted(found)}" if found else ""

    return rule


def _with(pod: str) -> in_memory.Rule:
    """Refuse every ledger that does not name this pod any more."""

    def rule(resource: resources.Resource, manifest: dict[str, Any]) -> str:
        kept = resource != resources.NEURON_NODES or pod in {each["pod"] for each in manifest["spec"]["grants"]}
        return "" if kept else f"PATCH /x: 422 {pod} stays"

    return rule


@pytest.mark.parametrize("bad", [("c",), ("a",), ("a", "d", "f"), ("a", "b", "c", "d", "e", "f")])
async def test_what_is_refused_is_left_out_and_the_rest_is_stored_and_bound(
    play: rehearsal.Rehearsal, bad: Collection[str]
) -> None:
    play.add_node()
    play.server.rules.append(_without(*bad))
    for name in "abcdef":
        play.add_pod(name, cores=2)
    async with play.running():
        for _ in range(3):
            await play.round()
    good = sorted({*"abcdef"} - {*bad})
    assert sorted(play.ledger()) == good
    assert play.bound() == good


async def test_releases_are_stored_beside_a_grant_that_is_refused(play: rehearsal.Rehearsal) -> None:
    play.server.put(resources.NODES, builders.make_node("w1"))
    over = domain.grant("0-3", "over", state=grants.GrantState.CONFIRMED)
    play.server.put(resources.NEURON_NODES, builders.make_neuron_node("w1", [over]))
    play.server.rules.append(_without("bad"))
    play.add_pod("over", node="w1", phase="Succeeded")
    play.add_pod("bad")
    async with play.running():
        await play.round()
    assert play.ledger() == {"over": "Releasing 0+4"}


async def test_pod_whose_grant_is_refused_twice_says_so_in_the_servers_words(play: rehearsal.Rehearsal) -> None:
    play.add_node()
    play.server.rules.append(_without("bad"))
    play.add_pod("bad")
    async with play.running():
        await play.round()
        for _ in range(2):
            await play.pass_time(700)
            await play.round()
    message = play.told("bad")["FailedScheduling"]
    assert "spec.grants of web-1: ['bad']" in message
    assert "(WriteRefused)" in message


async def test_refused_grant_is_not_tried_again_at_once(play: rehearsal.Rehearsal) -> None:
    play.add_node()
    play.server.rules.append(_without("bad"))
    play.add_pod("bad")
    async with play.running():
        await play.round()
        before = play.count(WRITES, {"outcome": "refused"})
        for _ in range(5):
            await play.round()
    assert play.count(WRITES, {"outcome": "refused"}) == before


async def test_pod_that_counts_on_a_refused_change_waits_with_it(play: rehearsal.Rehearsal) -> None:
    """The server keeps a grant that is over; who is to have its cores may be a pod that never was refused itself."""
    play.server.put(resources.NODES, builders.make_node("w1"))
    over = domain.grant("0-31", "over", state=grants.GrantState.RELEASING)
    play.server.put(resources.NEURON_NODES, builders.make_neuron_node("w1", [over], released=["uid-over"]))
    play.server.rules.append(_with("over"))
    play.add_pod("first", cores=32, priority=1)
    async with play.running():
        await play.round()
        play.add_pod("second", cores=32)
        before = play.count(WRITES, {"outcome": "refused"})
        await play.round()
        await play.round()
    assert play.count(WRITES, {"outcome": "refused"}) == before == 1
    assert play.bound() == []


async def test_ledger_that_cannot_be_written_for_a_while_is_a_reason_for_the_pods_in_it(
    play: rehearsal.Rehearsal,
) -> None:
    play.add_node()
    forbidden = errors.Forbidden("PATCH /apis/x: 403 a webhook of somebody denied the request", status=403)
    play.server.fail("merge_patch neuronnodes", *[forbidden] * 3)
    play.add_pod("web")
    async with play.running():
        for _ in range(3):
            await play.round()
            await play.pass_time(700)
        message = play.told("web")["FailedScheduling"]
        await play.round()
        await play.round()
    assert "a webhook of somebody denied the request" in message
    assert play.bound() == ["web"]
