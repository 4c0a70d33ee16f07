"""Plans are made by one planner, and by a new one when it stumbles."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from kits.embedded import in_memory
from kits.manifests import builders
from kits.world import rehearsal
from neuronspan_agent import resources
from neuronspan_operator import metrics, tasks
from neuronspan_operator.cluster import world
from neuronspan_operator.planning import facts, planner, plans
from neuronspan_operator.reconciling import learning, thinking


class Desk:
    """A thinker over a server in memory, and what its planners were told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.server = in_memory.ApiServer()
        self.server.put(resources.NODES, builders.make_node())
        self.server.put(resources.NEURON_NODES, builders.make_neuron_node())
        self.server.put(resources.PODS, builders.make_pod("web", cores=2))
        self.known = world.World(self.server, metrics.Metrics())
        self.learnt = learning.Learning(asyncio.get_running_loop().time, self.known.pod)
        self.thinker = thinking.Thinker(self.known, self.learnt, self.here)
        self.told: list[tuple[int, set[str]]] = []  # the planner, and the pods that it was told of
        self.made: list[planner.Planner] = []
        self.stumbles = 0
        desk = self

        class Watched(planner.Planner):
            def plan(self, changes: facts.Changes, *arguments: Any) -> plans.Plan:
                if self not in desk.made:
                    desk.made.append(self)
                desk.told.append((desk.made.index(self), set(changes.pods)))
                plan = super().plan(changes, *arguments)
                if desk.stumbles:
                    desk.stumbles -= 1
                    raise ZeroDivisionError("a bug")
                return plan

        monkeypatch.setattr(planner, "Planner", Watched)

    async def here(self, work: thinking.Work) -> plans.Plan:
        return work()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with tasks.Parts(asyncio.Event()) as started:
            started.start("caches", self.known.run())
            await self.known.synced()
            yield

    async def plan(self) -> plans.Plan:
        await asyncio.sleep(0.01)
        lesson = self.learnt.take(self.known.changes())
        return await self.thinker.plan(lesson.changes, rehearsal.now())


@pytest.fixture
async def desk(monkeypatch: pytest.MonkeyPatch) -> Desk:
    return Desk(monkeypatch)


async def test_planner_is_kept_and_told_what_changed(desk: Desk) -> None:
    async with desk.running():
        await desk.plan()
        desk.server.put(resources.PODS, builders.make_pod("db", cores=2))
        await desk.plan()
    assert desk.told == [(0, {"uid-web"}), (0, {"uid-db"})]
    assert desk.thinker.goes_on
    assert desk.thinker.snapshot.pods.keys() == {"uid-web", "uid-db"}


async def test_planner_that_stumbled_is_not_used_again(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    async with desk.running():
        await desk.plan()
        desk.server.put(resources.PODS, builders.make_pod("db", cores=2))
        desk.stumbles = 1
        plan = await desk.plan()
        assert [bind.pod.uid for bind in plan.bindings] == ["uid-db", "uid-web"]
        assert not desk.thinker.goes_on
        assert desk.thinker.snapshot.pods.keys() == {"uid-web", "uid-db"}
        await desk.plan()
    assert desk.told[-1] == (1, {"uid-web", "uid-db"})
    assert "a bug" in caplog.text


async def test_what_was_learnt_is_told_to_a_new_planner(desk: Desk) -> None:
    async with desk.running():
        desk.learnt.failures.failed("uid-web")
        desk.stumbles = 1
        plan = await desk.plan()
        assert plan.bindings == ()
        plan = await desk.plan()
        assert plan.bindings == ()
        await asyncio.sleep(1)
        plan = await desk.plan()
    assert [bind.pod.uid for bind in plan.bindings] == ["uid-web"]


async def test_plan_that_is_interrupted_is_made_anew(desk: Desk) -> None:
    async def never(work: thinking.Work) -> plans.Plan:
        work()
        await asyncio.Event().wait()
        raise AssertionError

    async with desk.running():
        await desk.plan()
        desk.thinker._place = never
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(desk.plan(), 1)
        desk.thinker._place = desk.here
        await desk.plan()
    assert desk.told[-1] == (1, {"uid-web"})
