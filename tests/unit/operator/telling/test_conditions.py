"""Conditions: written on change, new before reworded, within the rate, and never over somebody else's."""

import asyncio
import contextlib
import dataclasses
import datetime as dt
import random
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

import pytest

from kits.embedded import in_memory
from kits.manifests import builders
from neuronspan import names
from neuronspan_agent import errors, resources
from neuronspan_operator import metrics, reasons
from neuronspan_operator.objects import pods
from neuronspan_operator.planning import plans
from neuronspan_operator.telling import conditions, refusals

NO_ROOM = plans.Waiting(reasons.WaitingReason.NO_ROOM, "0/5 nodes are available: 5 without 4 free NeuronCores.")
FULLER = plans.Waiting(reasons.WaitingReason.NO_ROOM, "0/6 nodes are available: 6 without 4 free NeuronCores.")
GROUP = plans.Waiting(reasons.WaitingReason.POD_GROUP, "2 of the 3 pods of group g are missing.")


class Desk:
    """A teller before a server; the cache is as the server is unless ``cached`` is set."""

    def __init__(self, server: in_memory.ApiServer | None = None) -> None:
        self.server = server or in_memory.ApiServer()
        self.meters = metrics.Metrics()
        self.refused = refusals.Refusals()
        self.answers: list[Mapping[str, Any]] = []
        self.clock = asyncio.get_running_loop().time
        self.begun: list[tuple[float, str]] = []
        self.cached: dict[str, pods.PodView] | None = None
        self.told: set[str] = set()
        self.teller = conditions.Teller(self, self, self.refused, self.meters, now=self.now)

    def now(self) -> dt.datetime:
        return dt.datetime(2026, 1, 31, 9, tzinfo=dt.UTC) + dt.timedelta(seconds=self.clock() - 1000)

    def saw_pod(self, before: pods.PodView, manifest: Mapping[str, Any]) -> None:
        assert before.uid == manifest["metadata"]["uid"]
        self.answers.append(manifest)

    async def strategic_patch(
        self, resource: resources.Resource, name: str, patch: dict[str, Any], namespace: str = "", subresource: str = ""
    ) -> dict[str, Any]:
        self.begun.append((self.clock(), name))
        return await self.server.strategic_patch(resource, name, patch, namespace, subresource)

    def known(self) -> dict[str, pods.PodView]:
        if self.cached is not None:
            return self.cached
        views = map(pods.read, self.server.all(resources.PODS))
        return {view.uid: view for view in views}

    def add(self, *names_of_pods: str, **pod: Any) -> None:
        for name in names_of_pods:
            self.server.put(resources.PODS, builders.make_pod(name, cores=4, **pod))

    def tell(self, why: plans.Waiting, *names_of_pods: str) -> None:
        self.round({f"uid-{name}": why for name in names_of_pods})

    def round(self, waiting: Mapping[str, plans.Waiting]) -> None:
        """These pods wait, and no others do any more."""
        known = self.known()
        self.teller.tell({**dict.fromkeys(self.told | known.keys()), **waiting}, known.get)
        self.told = {*known}

    def condition(self, name: str = "web") -> dict[str, Any]:
        of_type = {each["type"]: each for each in self.conditions(name)}
        return of_type.get("PodScheduled", {})

    def conditions(self, name: str = "web") -> list[dict[str, Any]]:
        return list(self.server.stored(resources.PODS, name, "default")["status"]["conditions"])

    def edit(self, name: str, **status: Any) -> None:
        pod = self.server.stored(resources.PODS, name, "default")
        pod["status"] |= status
        self.server.put(resources.PODS, pod)

    def count(self, outcome: str) -> float:
        labels = {"outcome": outcome}
        return self.meters.registry.get_sample_value("neuronspan_pod_conditions_total", labels) or 0.0

    async def rounds(self, why: plans.Waiting, names_of_pods: Iterable[str], seconds: int, every: float = 1.0) -> None:
        """Tell this again and again, as the reconciler does."""
        told = tuple(names_of_pods)
        for _ in range(int(seconds / every)):
            self.tell(why, *told)
            await asyncio.sleep(every)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.teller.run())
        yield
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@pytest.fixture
async def desk() -> Desk:
    desk = Desk()
    desk.add("web")
    return desk


async def test_waiting_pod_says_why_at_once(desk: Desk) -> None:
    desk.tell(NO_ROOM, "web")
    await desk.teller.flush()
    assert desk.condition() == {
        "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": f"{NO_ROOM.message} (NoRoom)",
        "lastTransitionTime": "2026-01-31T09:00:00Z",
    }  # fmt: skip
    assert desk.count("done") == 1


async def test_pod_that_has_its_cores_is_nominated_for_its_node_and_not_when_it_has_lost_them(desk: Desk) -> None:
    desk.add("web")
    desk.tell(dataclasses.replace(GROUP, node="w1"), "web")
    await desk.teller.flush()
    assert desk.server.stored(resources.PODS, "web", "default")["status"]["nominatedNodeName"] == "w1"
    desk.tell(dataclasses.replace(GROUP, node="w1"), "web")
    await desk.teller.flush()
    assert len(desk.begun) == 1
    await asyncio.sleep(60)
    desk.tell(GROUP, "web")
    await desk.teller.flush()
    assert "nominatedNodeName" not in desk.server.stored(resources.PODS, "web", "default")["status"]


async def test_answer_is_taken_so_that_no_binding_is_made_on_the_older_pod(desk: Desk) -> None:
    desk.tell(NO_ROOM, "web")
    await desk.teller.flush()
    versions = [answer["metadata"]["resourceVersion"] for answer in desk.answers]
    assert versions == [desk.server.stored(resources.PODS, "web", "default")["metadata"]["resourceVersion"]]


async def test_what_the_pod_says_already_is_not_written_again(desk: Desk) -> None:
    async with desk.running():
        await desk.rounds(NO_ROOM, ["web"], seconds=3600, every=40)
    assert len(desk.begun) == 1


async def test_restarted_process_reads_from_the_pod_what_was_said(desk: Desk) -> None:
    desk.tell(NO_ROOM, "web")
    await desk.teller.flush()
    again = Desk(desk.server)
    again.tell(NO_ROOM, "web")
    await again.teller.flush()
    assert again.begun == []


async def test_mere_words_are_written_more_and_more_seldom(desk: Desk) -> None:
    async with desk.running():
        for index in range(350):
            desk.tell(plans.Waiting(reasons.WaitingReason.NO_ROOM, f"0/{index} nodes"), "web")
            await asyncio.sleep(10)
    since = [moment - desk.begun[0][0] for moment, _ in desk.begun]
    assert since == pytest.approx([0, 10, 30, 70, 150, 310, 630, 1230, 1830, 2430, 3030], abs=10.1)


async def test_time_of_the_transition_stays_while_the_pod_goes_on_waiting(desk: Desk) -> None:
    async with desk.running():
        desk.tell(NO_ROOM, "web")
        await asyncio.sleep(60)
        desk.tell(FULLER, "web")
        await asyncio.sleep(60)
    assert desk.condition()["message"].startswith("0/6")
    assert desk.condition()["lastTransitionTime"] == "2026-01-31T09:00:00Z"


async def test_another_cause_does_not_wait_as_long_as_other_words(desk: Desk) -> None:
    async with desk.running():
        for index in range(80):
            desk.tell(plans.Waiting(reasons.WaitingReason.POD_GROUP, f"{index} are missing"), "web")
            await asyncio.sleep(5)
        assert desk.condition()["reason"] == "PodGroup"
        desk.tell(NO_ROOM, "web")
        await asyncio.sleep(11)
        assert desk.condition()["reason"] == "Unschedulable"


async def test_conditions_of_others_stay(desk: Desk) -> None:
    others = {"type": "example.com/Ready", "status": "True", "message": "theirs"}
    desk.edit("web", conditions=[others])
    desk.tell(NO_ROOM, "web")
    await desk.teller.flush()
    assert others in desk.conditions()
    assert desk.condition()["status"] == "False"


async def test_pod_that_changed_meanwhile_is_written_on_its_newer_version_only(desk: Desk) -> None:
    desk.cached = desk.known()
    desk.edit("web", message="changed behind the cache")
    async with desk.running():
        await desk.rounds(NO_ROOM, ["web"], seconds=60)
        assert (desk.condition(), desk.count("stale")) == ({}, 1)
        desk.cached = None
        await desk.rounds(NO_ROOM, ["web"], seconds=2)
    assert desk.condition()["reason"] == "Unschedulable"


async def test_condition_is_not_written_on_another_pod_of_the_same_name(desk: Desk) -> None:
    former = desk.known()["uid-web"]
    desk.server.remove(resources.PODS, "web", "default")
    desk.add("web", uid="uid-successor")
    version = desk.known()["uid-successor"].resource_version
    desk.cached = {"uid-web": dataclasses.replace(former, resource_version=version)}
    desk.tell(NO_ROOM, "web")
    await desk.teller.flush()
    assert (desk.condition(), desk.count("stale")) == ({}, 1)


async def test_pod_that_is_gone_is_let_go(desk: Desk) -> None:
    desk.cached = desk.known()
    desk.server.remove(resources.PODS, "web", "default")
    async with desk.running():
        await desk.rounds(NO_ROOM, ["web"], seconds=60)
    assert (len(desk.begun), desk.count("gone")) == (1, 1)


async def test_pod_that_waits_no_more_is_not_written(desk: Desk) -> None:
    desk.tell(NO_ROOM, "web")
    desk.round({})
    await desk.teller.flush()
    assert desk.begun == []


async def test_pod_that_waits_no_more_before_its_turn_has_begun_is_no_failure(desk: Desk) -> None:
    desk.add("web")
    desk.tell(NO_ROOM, "web")
    writing = asyncio.create_task(desk.teller.flush())
    await asyncio.sleep(0)  # its turn has come, and nothing of it has run
    desk.tell(NO_ROOM)
    await writing
    assert desk.begun == []


async def test_pod_that_waits_again_is_told_at_once() -> None:
    """Its cores were taken back before it was bound: what the API server made of its condition is no longer true."""
    desk = Desk()
    desk.add("web")
    async with desk.running():
        desk.tell(NO_ROOM, "web")
        await asyncio.sleep(1)
        desk.cached = {"uid-web": pods.PodView("uid-web", "default", "web", node_name="w1")}
        desk.round({})
        desk.cached = None
        desk.edit("web", conditions=[])
        desk.tell(NO_ROOM, "web")
        await asyncio.sleep(1)
    assert len(desk.begun) == 2


async def test_write_in_flight_does_not_make_a_second_one_on_the_same_version(desk: Desk) -> None:
    answered = asyncio.Event()
    desk.cached = desk.known()
    desk.server.fail("strategic_patch pods", answered)
    async with desk.running():
        desk.tell(NO_ROOM, "web")
        await asyncio.sleep(1)
        desk.tell(FULLER, "web")
        answered.set()
        await asyncio.sleep(60)
        assert (len(desk.begun), desk.count("stale")) == (1, 0)
        desk.cached = None
        await desk.rounds(FULLER, ["web"], seconds=2)
    assert desk.condition()["message"].startswith("0/6")


async def test_refused_condition_is_tried_again_without_another_round(desk: Desk) -> None:
    desk.server.fail("strategic_patch pods", errors.Forbidden("PATCH /pods/web: 403 no", status=403))
    async with desk.running():
        desk.tell(NO_ROOM, "web")
        await asyncio.sleep(9)
        assert (desk.condition(), desk.count("refused")) == ({}, 1)
        await asyncio.sleep(2)
    assert desk.condition()["reason"] == "Unschedulable"


async def test_condition_that_is_refused_twice_becomes_an_event_until_it_is_written(desk: Desk) -> None:
    words = 'PATCH /api/v1/pods/web/status: 403 admission webhook "guard.example.com" denied the request: never'
    desk.server.fail("strategic_patch pods", *[errors.Forbidden(words, status=403)] * 2)
    async with desk.running():
        desk.tell(NO_ROOM, "web")
        await asyncio.sleep(1)
        assert desk.refused.notices(desk.known().get) == []
        await asyncio.sleep(10)
        (notice,) = desk.refused.notices(desk.known().get)
        assert (notice.reason, notice.name) == (reasons.EventReason.STATUS_REFUSED, "web")
        assert '"guard.example.com" denied the request: never.' in notice.message
        await asyncio.sleep(30)
    assert desk.condition()["reason"] == "Unschedulable"
    assert desk.refused.notices(desk.known().get) == []


@pytest.mark.parametrize(
    "pod",
    [
        {"gates": [names.SCHEDULING_GATE], "scheduler": "volcano"},
        {"gates": ["example.com/other"]},
        {"scheduler": "volcano"},
        {"node": "w1"},
        {"deleted": True},
        {"phase": "Failed"},
    ],
    ids=["guest", "other gate", "of another scheduler", "bound", "deleted", "failed"],
)
async def test_pods_whose_condition_is_not_ours_are_not_written(pod: dict[str, Any]) -> None:
    desk = Desk()
    desk.add("web", **pod)
    desk.tell(NO_ROOM, "web")
    await desk.teller.flush()
    assert desk.begun == []


async def test_new_pods_come_before_other_words_of_old_ones() -> None:
    desk = Desk()
    old = [f"old-{index}" for index in range(60)]
    new = [f"new-{index}" for index in range(60)]
    desk.add(*old, unscheduled="0/1 nodes")
    desk.add(*new)
    async with desk.running():
        desk.tell(NO_ROOM, *old, *new)
        await asyncio.sleep(6)
    assert len(desk.begun) == 120
    assert {name for _, name in desk.begun[:60]} == set(new)


async def test_many_waiting_pods_are_told_within_the_stated_rate() -> None:
    desk = Desk()
    many = [f"pod-{index}" for index in range(150)]
    desk.add(*many)
    async with desk.running():
        await desk.rounds(NO_ROOM, many, seconds=4, every=2)
    limits = conditions.LIMITS
    moments = [moment for moment, _ in desk.begun]
    assert len(moments) == 150
    assert moments[-1] - moments[0] == pytest.approx((150 - limits.burst) / limits.per_second, abs=0.1)
    assert all(desk.condition(name)["reason"] == "Unschedulable" for name in many)


@pytest.mark.parametrize("seed", range(5))
async def test_every_waiting_pod_has_its_condition_in_the_end_whatever_happens(seed: int) -> None:
    """Words and causes change, pods come and go, calls fail; then all is quiet, and nothing runs but the teller."""
    chance = random.Random(seed)  # noqa: S311 - a seed makes the test repeatable
    desk = Desk()
    there: list[str] = []
    waiting: dict[str, plans.Waiting] = {}
    async with desk.running():
        for turn in range(25):
            if chance.random() < 0.7:
                there.append(f"pod-{turn}")
                desk.add(there[-1])
            if chance.random() < 0.2 and there:
                desk.server.remove(resources.PODS, there.pop(chance.randrange(len(there))), "default")
            if chance.random() < 0.3:
                desk.server.fail("strategic_patch pods", errors.Unavailable("down"), errors.Forbidden("no", status=403))
            if chance.random() < 0.3 and there:
                desk.edit(chance.choice(there), message=f"turn {turn}")
            waiting = {f"uid-{name}": chance.choice([NO_ROOM, FULLER, GROUP]) for name in there}
            desk.round(waiting)
            await asyncio.sleep(chance.uniform(0.0, 8.0))
        for _ in range(4):
            await asyncio.sleep(700)
            desk.round(waiting)  # a change of a pod, our own too, brings a round
    for name in there:
        assert desk.condition(name)["message"].startswith(waiting[f"uid-{name}"].message)
    moments = [moment for moment, _ in desk.begun]
    limits = conditions.LIMITS
    for index, start in enumerate(moments):
        for count, end in enumerate(moments[index:], start=1):
            assert count <= limits.burst + limits.per_second * (end - start) + 1e-3
