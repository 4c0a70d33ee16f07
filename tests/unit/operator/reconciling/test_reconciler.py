"""Rounds of the reconcile loop over an API server in memory, with every kind of bad luck."""

import asyncio
import datetime as dt
from typing import Any

import pytest

from kits.manifests import builders, domain
from kits.world import rehearsal
from neuronspan import grants
from neuronspan_agent import errors, resources
from neuronspan_operator.planning import facts, planner, plans

CONFIRMED = grants.GrantState.CONFIRMED
WRITES = "neuronspan_ledger_writes_total"
BINDINGS = "neuronspan_bindings_total"


@pytest.fixture
async def play() -> rehearsal.Rehearsal:
    return rehearsal.Rehearsal()


def touch(manifest: dict[str, Any]) -> None:
    manifest["metadata"].setdefault("labels", {})["touched"] = "yes"


async def test_round_grants_writes_and_binds(play: rehearsal.Rehearsal) -> None:
    play.add_node()
    play.add_pod()
    async with play.running():
        await play.round()
    assert play.ledger() == {"web": "Granted 0+4"}
    assert play.bound() == ["web"]
    assert play.told("web")["Scheduled"] == "Successfully assigned default/web to w1: NeuronCores app 0-3"
    assert play.count(WRITES, {"outcome": "written"}) == 1
    assert play.count(BINDINGS, {"outcome": "done"}) == 1
    assert play.count("neuronspan_stage_seconds_count", {"stage": "granted"}) == 1
    assert play.count("neuronspan_stage_seconds_count", {"stage": "bound"}) == 1


async def test_round_writes_the_ledger_before_it_binds(play: rehearsal.Rehearsal) -> None:
    play.add_node()
    play.add_pod()
    async with play.running():
        await play.round()
    written, bound = "merge_patch neuronnodes w1", "bind pods web"
    assert play.server.calls.index(written) < play.server.calls.index(bound)


async def test_group_that_starts_with_the_next_round_is_not_told_that_it_waits(play: rehearsal.Rehearsal) -> None:
    """Else each member's condition would be written just before its binding, which is made on the pod without it."""
    play.add_node()
    group = {"neuronspan.dev/pod-group": "g", "neuronspan.dev/pod-group-size": "2"}
    for name in ("one", "two"):
        play.add_pod(name, annotations=group)
    async with play.running():
        await play.round()
        assert play.bound() == []
        await play.round()
    assert play.bound() == ["one", "two"]
    assert [call for call in play.server.calls if call.startswith("strategic_patch")] == []
    assert "FailedScheduling" not in play.told("one")


async def test_round_changes_nothing_when_there_is_nothing_to_do(play: rehearsal.Rehearsal) -> None:
    play.add_node()
    play.add_pod()
    async with play.running():
        await play.round()
        before = len(play.server.calls)
        await play.round()
        assert play.server.calls[before:] == []


async def test_round_does_not_act_twice_while_the_caches_are_behind(play: rehearsal.Rehearsal) -> None:
    play.add_node()
    play.add_pod("one")
    play.add_pod("two")
    async with play.running():
        play.server.mute()
        await play.round()
        await play.round()
        await play.round()
    assert play.ledger() == {"one": "Granted 0+4", "two": "Granted 4+4"}
    assert play.server.calls.count("merge_patch neuronnodes w1") == 1
    assert play.server.calls.count("bind pods one") == 1


async def test_round_builds_on_its_own_ledger_write_while_the_cache_is_behind(play: rehearsal.Rehearsal) -> None:
    play.add_node()
    async with play.running():
        play.server.mute(resources.NEURON_NODES)
        for name in ("one", "two", "three"):
            play.add_pod(name)
            await play.round()
    assert play.ledger() == {"one": "Granted 0+4", "two": "Granted 4+4", "three": "Granted 8+4"}
    assert play.count(WRITES, {"outcome": "conflict"}) == 0


async def test_round_without_the_ledger_write_lets_nobody_go(play: rehearsal.Rehearsal) -> None:
    play.add_node()
    play.add_pod()
    play.server.fail("merge_patch neuronnodes", errors.Unavailable("down"))
    async with play.running():
        pause = await play.round()
        assert play.bound() == []
        assert play.ledger() == {}
        assert pause == pytest.approx(1, abs=0.1)
        await play.round()
        assert play.bound() == [], "the node is left alone for a second"
        await asyncio.sleep(1)
        await play.round()
    assert play.bound() == ["web"]
    assert play.count(WRITES, {"outcome": "failed"}) == 1


async def test_round_that_loses_the_race_plans_again_on_what_the_winner_left(play: rehearsal.Rehearsal) -> None:
    """Another operator granted cores 0-3 between our read and our write."""
    play.add_node()
    play.add_pod("mine")

    def other_writes() -> None:
        grant = {
            "podUID": "uid-theirs", "container": "app", "namespace": "default", "pod": "theirs", "first": 0, "count": 4,
            "resource": "aws.amazon.com/neuroncore", "env": "visible", "state": "Granted",
            "since": "2026-01-31T09:00:01Z",
        }  # fmt: skip
        play.edit(resources.NEURON_NODES, "w1", lambda node: node["spec"]["grants"].append(grant))
        play.add_pod("theirs")

    async with play.running():
        play.server.fail("merge_patch neuronnodes", other_writes)
        play.server.mute(resources.NEURON_NODES)  # the loser has to look for himself
        await play.round()
        assert play.bound() == []
        await play.round()
    assert play.ledger() == {"theirs": "Granted 0+4", "mine": "Granted 4+4"}
    assert play.count(WRITES, {"outcome": "conflict"}) == 1


async def test_round_reports_what_the_api_servers_own_rules_refuse(play: rehearsal.Rehearsal) -> None:
    play.add_node()
    play.add_pod()
    play.server.fail("merge_patch neuronnodes", errors.Invalid("two grants share a core", status=422))
    async with play.running():
        await play.round()
    assert play.count(WRITES, {"outcome": "refused"}) == 1
    assert play.bound() == []


async def test_round_completes_what_a_crash_left_between_ledger_and_binding(play: rehearsal.Rehearsal) -> None:
    play.add_node()
    play.add_pod()
    play.server.fail("bind pods", errors.Unavailable("the process died here"))
    async with play.running():
        await play.round()
    assert play.ledger() == {"web": "Granted 0+4"}
    assert play.bound() == []
    again = rehearsal.Rehearsal(play.server)
    async with again.running():
        await again.round()
    assert again.bound() == ["web"]
    assert again.ledger() == {"web": "Granted 0+4"}
    assert again.count(WRITES, {"outcome": "written"}) == 0


async def test_round_plans_again_at_once_when_the_pod_changed_meanwhile(play: rehearsal.Rehearsal) -> None:
    play.add_node()
    play.add_pod()
    play.server.fail("bind pods", lambda: play.edit(resources.PODS, "web", touch))
    async with play.running():
        await play.round()
        assert play.count(BINDINGS, {"outcome": "stale"}) == 1
        await play.round()
    assert play.bound() == ["web"]


async def test_round_tells_the_pod_when_the_api_server_will_not_let_it_go(play: rehearsal.Rehearsal) -> None:
    play.add_node()
    play.add_pod()
    play.server.fail("bind pods", *[errors.Invalid("a policy forbids it", status=422)] * 2)
    async with play.running():
        await play.round()
        await play.round()
        assert play.server.calls.count("bind pods web") == 1, "left alone for a while"
        for _ in range(4):
            await asyncio.sleep(5)
            await play.round()
            told = play.told("web").get("FailedScheduling", "")
            assert ("a policy forbids it" in told) == (play.count(BINDINGS, {"outcome": "refused"}) > 1)
    assert play.bound() == ["web"]
    assert play.count(BINDINGS, {"outcome": "refused"}) == 2


async def test_round_forgets_the_troubles_of_a_pod_that_is_gone(play: rehearsal.Rehearsal) -> None:
    play.add_node()
    play.add_pod()
    play.server.fail("bind pods", errors.Invalid("a policy forbids it", status=422))
    async with play.running():
        assert await play.round() == pytest.approx(1, abs=0.1), "the next try"
        play.server.remove(resources.PODS, "web", "default")
        assert await play.round() is None


@pytest.mark.parametrize("again", [False, True], ids=["gone", "another-of-that-name"])
async def test_round_takes_a_pod_that_vanished_meanwhile_in_its_stride(
    play: rehearsal.Rehearsal, *, again: bool
) -> None:
    play.add_node()
    play.add_pod()

    def vanish() -> None:
        play.server.remove(resources.PODS, "web", "default")
        if again:
            play.add_pod(uid="uid-second")

    async with play.running():
        play.server.fail("bind pods", vanish)
        await play.round()
        assert play.count(BINDINGS, {"outcome": "gone"}) == 1
        await asyncio.sleep(6)
        await play.round()
        assert play.ledger()["web"] == "Releasing 0+4"
        await play.round()
    assert play.bound() == (["web"] if again else [])


async def test_round_says_why_a_pod_waits(play: rehearsal.Rehearsal) -> None:
    play.add_node()
    play.add_pod("big", cores=33)
    async with play.running():
        await play.round()
    assert play.count("neuronspan_waiting_pods", {"reason": "NeverFits"}) == 1
    assert "33 NeuronCores" in play.told("big")["FailedScheduling"]


async def test_round_evicts_a_refused_guest_once_and_asks_again_later(play: rehearsal.Rehearsal) -> None:
    play.add_node()
    play.add_pod(owner="web", **builders.GUEST)
    async with play.running():
        await play.round()
        assert play.ungated() == ["web"]
        refusal = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "no volume"}
        play.edit(resources.PODS, "web", lambda pod: pod["status"].update(conditions=[refusal]))
        play.server.fail("evict pods", errors.Unavailable("a disruption budget forbids it", status=429))
        await play.pass_time(60)
        await play.round()
        await play.round()
        assert play.server.calls.count("evict pods web") == 1
        assert "no volume" in play.told("web")["Evicted"]
        await asyncio.sleep(1)
        await play.round()
    assert play.server.calls.count("evict pods web") == 2
    assert play.count("neuronspan_evictions_total", {"outcome": "evicted"}) == 1
    assert play.server.all(resources.PODS) == []


async def test_round_asks_for_a_pod_that_the_cache_lacks_before_it_releases_its_cores(
    play: rehearsal.Rehearsal,
) -> None:
    """The watch of pods is behind, as after a failover: the pod runs, and its cores must stay its own."""
    play.add_node()
    async with play.running():
        await play.settle()
        play.server.mute(resources.PODS)
        play.server.put(resources.PODS, builders.make_pod("web", cores=4, node="w1", phase="Running"))
        running = builders.make_neuron_node(entries=[domain.grant(state=CONFIRMED)])
        play.edit(resources.NEURON_NODES, "w1", lambda node: node["spec"].update(grants=running["spec"]["grants"]))
        for _ in range(3):
            await play.round()
        assert play.ledger() == {"web": "Confirmed 4+4"}
        assert play.server.calls.count("get pods web") == 1, "the answer is good for a while"
        play.server.remove(resources.PODS, "web", "default")
        await play.pass_time(6)
        await play.round()
        await play.round()
    assert play.ledger() == {"web": "Releasing 4+4"}


async def test_round_releases_at_once_what_it_saw_deleted(play: rehearsal.Rehearsal) -> None:
    play.add_node()
    play.add_pod()
    async with play.running():
        await play.round()
        play.server.remove(resources.PODS, "web", "default")
        await play.round()
    assert play.ledger() == {"web": "Releasing 0+4"}
    assert "get pods web" not in play.server.calls


async def test_round_counts_drift_when_it_appears_and_not_again(play: rehearsal.Rehearsal) -> None:
    play.add_node()
    play.edit(resources.NEURON_NODES, "w1", lambda node: node["spec"].update(grants=[{"pod": "nobody"}]))
    async with play.running():
        await play.round()
        await play.round()
    assert play.count("neuronspan_drift_total", {"kind": "UnreadableLedger"}) == 1


async def test_pod_that_planning_cannot_digest_is_told_and_tried_again_less_and_less_often(
    play: rehearsal.Rehearsal, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    play.add_node()
    play.add_pod("bad")
    play.add_pod("good")
    tried = []

    class Stumbling(planner.Planner):
        def _plan(self, touched: facts.Touched, now: dt.datetime) -> plans.Plan:
            if "uid-bad" in self.facts.snapshot().pods:
                tried.append(now)
                raise ZeroDivisionError("a bug")
            return super()._plan(touched, now)

    monkeypatch.setattr(planner, "Planner", Stumbling)
    async with play.running():
        await play.round()
        assert play.bound() == ["good"]
        assert "Please report it" in play.told("bad")["FailedScheduling"]
        assert "a bug" in caplog.text
        tried.clear()
        await play.round()
        assert tried == []
        await play.pass_time(1)
        await play.round()
        assert tried != []


@pytest.mark.parametrize("call", ["bind pods", "merge_patch neuronnodes w1"])
async def test_answer_that_nobody_foresaw_concerns_one_object_only(
    play: rehearsal.Rehearsal, caplog: pytest.LogCaptureFixture, call: str
) -> None:
    play.add_node("w1")
    play.add_node("w2")
    play.add_pod("one", selector={"kubernetes.io/hostname": "w1"})
    play.add_pod("two", selector={"kubernetes.io/hostname": "w2"})

    def surprise() -> None:
        raise KeyError("metadata")

    play.server.fail(call, surprise)
    async with play.running():
        await play.round()
        assert len(play.bound()) == 1
        assert "a write failed" in caplog.text
        await play.pass_time(1)
        await play.round()
    assert play.bound() == ["one", "two"]


async def test_pod_that_cannot_be_read_does_not_stop_the_round_that_asks_for_it(
    play: rehearsal.Rehearsal, caplog: pytest.LogCaptureFixture
) -> None:
    play.server.put(resources.NODES, builders.make_node())
    members = builders.make_neuron_node("w1", [domain.grant("0-3", "odd", state=CONFIRMED)])
    play.server.put(resources.NEURON_NODES, members)
    odd = builders.make_pod("odd", cores=4, node="w1")
    odd["spec"]["containers"] = "none"
    play.server.put(resources.PODS, odd)
    play.add_pod("good")
    async with play.running():
        await play.round()
        await play.round()
    assert play.bound() == ["good", "odd"]
    assert play.ledger()["odd"] == "Confirmed 0+4"
    assert "cannot be read" in caplog.text
