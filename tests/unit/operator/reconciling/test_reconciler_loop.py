"""The reconciler as a task: when it plans, and what it survives."""

import asyncio
from typing import Any

import pytest

from kits.manifests import builders, domain
from kits.world import rehearsal
from neuronspan import grants
from neuronspan_agent import resources
from neuronspan_operator import tasks
from neuronspan_operator.planning import planner
from neuronspan_operator.reconciling import reconciler
from neuronspan_operator.telling import voice

CONFIRMED = grants.GrantState.CONFIRMED


@pytest.fixture
async def play() -> rehearsal.Rehearsal:
    return rehearsal.Rehearsal()


def touch(manifest: dict[str, Any]) -> None:
    manifest["metadata"].setdefault("labels", {})["touched"] = "yes"


async def test_run_survives_a_round_that_fails(
    play: rehearsal.Rehearsal, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    play.add_node()
    play.add_pod()
    failures = iter([ZeroDivisionError("a bug")] * 3)  # of the kept planner, and of the two that look for the pod

    class Sometimes(planner.Planner):
        def _plan(self, *arguments: Any) -> Any:
            for failure in failures:
                raise failure
            return super()._plan(*arguments)

    monkeypatch.setattr(planner, "Planner", Sometimes)
    async with play.running():
        task = asyncio.create_task(play.loop.run())
        await asyncio.sleep(6)
        task.cancel()
    assert play.bound() == ["web"]
    assert play.count("neuronspan_reconciles_total", {"outcome": "failed"}) == 1
    assert "a bug" in caplog.text


@pytest.mark.parametrize(
    "broken", [(reconciler.Reconciler, "_forget"), (voice.Voice, "say")], ids=["before the plan", "after it"]
)
async def test_round_that_fails_beside_planning_loses_nothing(
    play: rehearsal.Rehearsal, monkeypatch: pytest.MonkeyPatch, broken: tuple[type, str]
) -> None:
    """Neither a change that the planner was to be told, nor a word that was to be said."""
    play.add_node()
    failures: list[Exception] = []
    works = getattr(*broken)

    def sometimes(*arguments: Any) -> None:
        while failures:
            raise failures.pop()
        works(*arguments)

    monkeypatch.setattr(*broken, sometimes)
    async with play.running():
        task = asyncio.create_task(play.loop.run())
        await asyncio.sleep(1)
        failures.append(ZeroDivisionError("a bug"))
        play.add_pod()
        play.add_pod("large", cores=64)
        await asyncio.sleep(6)
        await play.conditions.flush()
        task.cancel()
    assert play.count("neuronspan_reconciles_total", {"outcome": "failed"}) == 1
    assert play.bound() == ["web"]
    assert play.server.stored(resources.PODS, "large", "default")["status"]["conditions"]


async def test_run_waits_until_every_cache_is_complete(play: rehearsal.Rehearsal) -> None:
    """Without its pods a ledger looks as if everybody were gone, and cores in use would be taken back."""
    play.add_node()
    play.server.put(resources.NEURON_NODES, builders.make_neuron_node(entries=[domain.grant(state=CONFIRMED)]))
    play.server.put(resources.PODS, builders.make_pod("web", cores=4, node="w1", phase="Running"))
    listed = asyncio.Event()
    play.server.fail("list pods", listed)
    async with tasks.Parts(asyncio.Event()) as started:
        started.start("caches", play.known.run())
        started.start("grants", play.loop.run())
        await asyncio.sleep(60)
        assert play.ledger() == {"web": "Confirmed 4+4"}
        listed.set()
        play.add_pod("next")
        await asyncio.sleep(1)
    assert play.ledger() == {"web": "Confirmed 4+4", "next": "Granted 0+4"}


async def test_run_reacts_to_changes(play: rehearsal.Rehearsal) -> None:
    play.add_node()
    async with play.running():
        task = asyncio.create_task(play.loop.run())
        await asyncio.sleep(1)
        play.add_pod()
        await asyncio.sleep(1)
        assert play.bound() == ["web"]
        task.cancel()


@pytest.mark.parametrize(
    ("call", "kind"),
    [("bind pods", resources.PODS), ("merge_patch neuronnodes", resources.NEURON_NODES)],
    ids=["pod", "ledger"],
)
async def test_run_plans_again_at_once_when_it_was_overtaken(
    play: rehearsal.Rehearsal, call: str, kind: resources.Resource
) -> None:
    """Not when the cache tells, which may be late."""
    play.add_node()

    def overtake() -> None:
        play.server.mute()
        play.edit(kind, "web" if kind is resources.PODS else "w1", touch)

    async with play.running():
        task = asyncio.create_task(play.loop.run())
        await asyncio.sleep(1)
        play.server.mute(resources.NEURON_NODES)  # the loop's own ledger write would wake it too
        play.add_pod()
        play.server.fail(call, overtake)
        await asyncio.sleep(1)
        task.cancel()
    assert play.bound() == ["web"]


async def test_run_collects_changes_before_it_plans(play: rehearsal.Rehearsal) -> None:
    play.add_node()
    async with play.running():
        task = asyncio.create_task(play.loop.run())
        await asyncio.sleep(1)
        for index in range(8):
            play.add_pod(f"web-{index}")
        await asyncio.sleep(1)
        task.cancel()
    assert len(play.bound()) == 8
    assert play.server.calls.count("merge_patch neuronnodes w1") == 1


async def test_pod_that_comes_alone_waits_for_nothing_and_one_right_after_it_a_little(
    play: rehearsal.Rehearsal,
) -> None:
    play.add_node()
    clock = asyncio.get_running_loop().time
    written: list[float] = []
    play.server.fail("merge_patch neuronnodes", *[lambda: written.append(clock())] * 2)
    async with play.running():
        task = asyncio.create_task(play.loop.run())
        await asyncio.sleep(1)
        began = clock()
        play.add_pod("one")
        await asyncio.sleep(0.001)
        play.add_pod("two")
        await asyncio.sleep(1)
        task.cancel()
    assert written[0] == began
    assert written[1] - began == pytest.approx(reconciler.Tempo().debounce_seconds, abs=0.002)
