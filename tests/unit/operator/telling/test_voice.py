"""Why pods wait: the strongest reason, told anew when it or the pod is another one, and to nobody else."""

import asyncio
import dataclasses
import datetime as dt
from typing import Any

import pytest

from kits.embedded import in_memory
from kits.manifests import builders
from neuronspan_agent import errors, resources
from neuronspan_operator import metrics, reasons
from neuronspan_operator.objects import pods
from neuronspan_operator.planning import plans
from neuronspan_operator.telling import conditions, recorder, refusals, voice

Reason = reasons.WaitingReason
NO_ROOM = plans.Waiting(Reason.NO_ROOM, "0/5 nodes are available.")
BACK_OFF = plans.Waiting(Reason.BACK_OFF, "earlier pods failed")
DOWN = errors.Unavailable("PATCH /x: down")
NOW = dt.datetime(2026, 1, 31, 9, tzinfo=dt.UTC)


class Stage:
    """A voice, the pods that it asks for, and the server that hears it."""

    def __init__(self) -> None:
        self.server = in_memory.ApiServer()
        self.meters = metrics.Metrics()
        self.refused = refusals.Refusals()
        self.pods: dict[str, pods.PodView] = {}
        self.planned: dict[str, plans.Waiting] = {}
        self.held_back: dict[str, plans.Waiting] = {}
        self.granted: set[str] = set()
        self.asked: list[str] = []
        self.teller = conditions.Teller(self.server, self, self.refused, self.meters, now=lambda: NOW)
        self.events = recorder.Recorder(self.server, self.meters, instance="me", now=lambda: NOW)
        self.voice = voice.Voice(self.refused, self.teller, self.events, self.meters, self.pod)
        self.add("web")
        self.add("db")

    def pod(self, uid: str) -> pods.PodView | None:
        self.asked.append(uid)
        return self.pods.get(uid)

    def saw_pod(self, before: pods.PodView, manifest: Any) -> None:
        self.pods[before.uid] = pods.read(manifest)

    def add(self, name: str, **fields: Any) -> None:
        stored = self.server.put(resources.PODS, builders.make_pod(name, cores=4, **fields))
        self.pods[f"uid-{name}"] = pods.read(stored)

    async def say(self, *names: str, told: tuple[plans.Notice, ...] = ()) -> None:
        why = voice.Why(self.planned, self.held_back, self.granted)
        self.asked.clear()
        self.voice.say([f"uid-{name}" for name in names], why, told)
        await self.teller.flush()
        await self.events.flush()

    def waiting(self, reason: reasons.WaitingReason) -> float:
        return self.meters.registry.get_sample_value("neuronspan_waiting_pods", {"reason": reason}) or 0.0

    def told(self) -> dict[str, str]:
        return {each["involvedObject"]["name"]: each["message"] for each in self.server.all(resources.EVENTS)}

    def condition(self, name: str) -> str:
        found = self.server.stored(resources.PODS, name, "default")["status"].get("conditions") or [{"message": ""}]
        return str(found[0]["message"])


@pytest.fixture
async def stage() -> Stage:
    return Stage()


async def test_reason_is_told_as_condition_and_event_and_counted(stage: Stage) -> None:
    stage.planned["uid-web"] = NO_ROOM
    await stage.say("web")
    assert stage.told() == {"web": "0/5 nodes are available. (NoRoom)"}
    assert stage.condition("web") == stage.told()["web"]
    assert stage.waiting(Reason.NO_ROOM) == 1


async def test_nobody_is_looked_at_about_whom_nothing_is_new(stage: Stage) -> None:
    stage.planned |= {"uid-web": NO_ROOM, "uid-db": NO_ROOM}
    await stage.say("web", "db")
    await stage.say("web")
    assert set(stage.asked) == {"uid-web"}
    assert stage.waiting(Reason.NO_ROOM) == 2


async def test_stronger_reason_takes_the_place_of_a_weaker_one(stage: Stage) -> None:
    stage.planned["uid-web"] = NO_ROOM
    await stage.say("web")
    stage.held_back["uid-web"] = BACK_OFF
    await stage.say("web")
    assert (stage.waiting(Reason.NO_ROOM), stage.waiting(Reason.BACK_OFF)) == (0, 1)
    for _ in range(2):
        stage.refused.failed(refusals.Write.BINDING, "uid-web", DOWN, ["uid-web"])
    await stage.say()
    assert (stage.waiting(Reason.BACK_OFF), stage.waiting(Reason.WRITE_REFUSED)) == (0, 1)


async def test_refusal_that_ends_brings_the_other_reason_back(stage: Stage) -> None:
    stage.planned["uid-web"] = NO_ROOM
    for _ in range(2):
        stage.refused.failed(refusals.Write.BINDING, "uid-web", DOWN, ["uid-web"])
    await stage.say("web")
    stage.refused.succeeded(refusals.Write.BINDING, "uid-web")
    await stage.say()
    assert (stage.waiting(Reason.NO_ROOM), stage.waiting(Reason.WRITE_REFUSED)) == (1, 0)


async def test_refused_ledger_is_no_reason_any_more_once_the_grant_is_stored(stage: Stage) -> None:
    for _ in range(2):
        stage.refused.failed(refusals.Write.LEDGER, "w1", DOWN, ["uid-web"])
    await stage.say("web")
    assert stage.waiting(Reason.WRITE_REFUSED) == 1
    stage.granted.add("uid-web")
    await stage.say("web")
    assert stage.waiting(Reason.WRITE_REFUSED) == 0


async def test_what_passes_by_itself_is_counted_and_not_told(stage: Stage) -> None:
    stage.planned["uid-web"] = plans.Waiting(Reason.POD_GROUP, "the group starts", passing=True)
    await stage.say("web")
    assert stage.told() == {}
    assert stage.condition("web") == ""
    assert stage.waiting(Reason.POD_GROUP) == 1


async def test_pod_that_waits_no_more_is_not_told_any_more(stage: Stage) -> None:
    stage.planned["uid-web"] = NO_ROOM
    await stage.say("web")
    del stage.planned["uid-web"]
    await stage.say("web")
    assert stage.waiting(Reason.NO_ROOM) == 0
    assert stage.voice.said == frozenset()


async def test_pod_that_is_gone_is_forgotten_and_its_name_is_told_anew(stage: Stage) -> None:
    stage.planned["uid-web"] = NO_ROOM
    await stage.say("web")
    pod = dataclasses.replace(stage.pods.pop("uid-web"), unscheduled=None)
    del stage.planned["uid-web"]
    await stage.say("web")
    stage.pods["uid-web"] = pod
    stage.planned["uid-web"] = NO_ROOM
    calls = len(stage.server.calls)
    await stage.say("web")
    assert any("events" in call for call in stage.server.calls[calls:]), "nothing is remembered of the one before"


async def test_lasting_notice_is_renewed_until_it_is_told_no_more(stage: Stage) -> None:
    limbo = plans.Notice.on(stage.pods["uid-web"], reasons.EventReason.LIMBO, "in limbo")
    lasting = dataclasses.replace(limbo, lasting=True)
    await stage.say(told=(lasting,))
    await asyncio.sleep(recorder.RENEW_SECONDS)
    await stage.say(told=(lasting,))
    renewed = len(stage.server.calls)
    await stage.say()
    await asyncio.sleep(2 * recorder.RENEW_SECONDS)
    await stage.say()
    assert renewed == 2
    assert len(stage.server.calls) == renewed
