"""Events: said once, in one object per pod and reason, never in the way."""

import asyncio
import contextlib
import datetime as dt
from collections.abc import AsyncIterator

import pytest

from kits.api_server import fake_kube
from neuronspan_agent import errors, resources
from neuronspan_operator import metrics, reasons
from neuronspan_operator.planning import plans
from neuronspan_operator.telling import recorder


def notice(
    message: str = "no room",
    *,
    reason: reasons.EventReason | reasons.WaitingReason = reasons.WaitingReason.NO_ROOM,
    pod: str = "web",
) -> plans.Notice:
    return plans.Notice("default", pod, f"uid-{pod}", plans.NoticeType.WARNING, reason, message)


class Desk:
    """A recorder and what it posted."""

    def __init__(self, server: fake_kube.FakeKube | None = None) -> None:
        self.server = server or fake_kube.FakeKube()
        self.meters = metrics.Metrics()
        self.recorder = recorder.Recorder(
            self.server, self.meters, instance="me", now=lambda: dt.datetime(2026, 1, 31, 9, tzinfo=dt.UTC)
        )
        self.alive = {"uid-web", "uid-db"}

    async def tell(self, *notices: plans.Notice) -> None:
        self.recorder.tell(notices, self.alive)
        await self.recorder.flush()

    def posted(self) -> list[tuple[str, int]]:
        return [(event["message"], event["count"]) for event in self.server.all(resources.EVENTS)]

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.recorder.run())
        yield
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@pytest.fixture
async def desk() -> Desk:
    return Desk()


async def test_event_is_about_the_pod_and_says_who_posted_it(desk: Desk) -> None:
    await desk.tell(notice())
    (event,) = desk.server.all(resources.EVENTS)
    assert event["involvedObject"] == {
        "apiVersion": "v1", "kind": "Pod", "namespace": "default", "name": "web", "uid": "uid-web",
    }  # fmt: skip
    assert (event["type"], event["reason"], event["message"]) == ("Warning", "NoRoom", "no room")
    assert (event["source"]["component"], event["reportingInstance"]) == ("neuronspan", "me")
    assert event["reportingComponent"] == "neuronspan"
    assert event["firstTimestamp"] == "2026-01-31T09:00:00Z"


async def test_same_message_is_posted_once(desk: Desk) -> None:
    for _ in range(3):
        await desk.tell(notice())
        await asyncio.sleep(100)
    assert desk.posted() == [("no room", 1)]
    assert len(desk.server.calls) == 1


async def test_different_reasons_and_pods_get_events_of_their_own(desk: Desk) -> None:
    await desk.tell(notice(), notice(reason=reasons.EventReason.LIMBO), notice(pod="db"))
    assert len(desk.posted()) == 3


async def test_new_message_goes_into_the_same_event_after_a_quiet_time(desk: Desk) -> None:
    await desk.tell(notice("1 node is full"))
    await desk.tell(notice("2 nodes are full"))
    assert desk.posted() == [("1 node is full", 1)]
    await asyncio.sleep(10)
    await desk.tell(notice("3 nodes are full"))
    assert desk.posted() == [("3 nodes are full", 2)]


async def test_quiet_time_grows_with_every_new_message(desk: Desk) -> None:
    async with desk.running():
        for index in range(72):
            desk.recorder.tell([notice(f"message {index}")], desk.alive)
            await asyncio.sleep(5)
    assert desk.posted()[0][1] == 6  # at 0, 10, 30, 70, 150 and 310 s


async def test_run_posts_a_deferred_message_when_its_time_has_come(desk: Desk) -> None:
    async with desk.running():
        desk.recorder.tell([notice("first")], desk.alive)
        await asyncio.sleep(1)
        desk.recorder.tell([notice("second")], desk.alive)
        await asyncio.sleep(8)
        assert desk.posted() == [("first", 1)]
        await asyncio.sleep(2)
        assert desk.posted() == [("second", 2)]


async def test_deferred_message_that_is_no_longer_true_is_not_posted(desk: Desk) -> None:
    async with desk.running():
        desk.recorder.tell([notice("first")], desk.alive)
        await asyncio.sleep(1)
        desk.recorder.tell([notice("second")], desk.alive)
        desk.recorder.tell([], desk.alive)
        await asyncio.sleep(100)
    assert desk.posted() == [("first", 1)]


async def test_first_message_is_posted_even_if_the_next_round_says_nothing(desk: Desk) -> None:
    desk.recorder.tell([notice()], desk.alive)
    desk.recorder.tell([], desk.alive)
    await desk.recorder.flush()
    assert desk.posted() == [("no room", 1)]


async def test_restarted_process_goes_on_with_the_same_event(desk: Desk) -> None:
    await desk.tell(notice())
    again = Desk(desk.server)
    await again.tell(notice())
    assert again.posted() == [("no room", 1)]
    another = Desk(desk.server)
    await another.tell(notice("still no room"))
    assert another.posted() == [("still no room", 2)]


async def test_failed_post_is_tried_again_later_and_delays_nothing(desk: Desk) -> None:
    desk.server.fail("create events", errors.Forbidden("no", status=403))
    await desk.tell(notice(), notice(pod="db"))
    assert desk.posted() == [("no room", 1)]
    await desk.tell(notice(), notice(pod="db"))
    assert len(desk.posted()) == 1
    await asyncio.sleep(10)
    await desk.tell(notice(), notice(pod="db"))
    assert len(desk.posted()) == 2
    assert desk.meters.registry.get_sample_value("neuronspan_events_total", {"outcome": "failed"}) == 1


async def test_pods_that_are_gone_are_forgotten(desk: Desk) -> None:
    await desk.tell(notice())
    desk.alive = set()
    await desk.tell()
    desk.server.remove(resources.EVENTS, recorder.event_name(notice()), "default")
    desk.alive = {"uid-web"}
    await desk.tell(notice())
    assert desk.posted() == [("no room", 1)]


async def test_long_messages_and_names_are_cut_to_what_the_api_takes(desk: Desk) -> None:
    await desk.tell(notice("x" * 5000, pod="p" * 253))
    (event,) = desk.server.all(resources.EVENTS)
    assert len(event["message"]) == 1024
    assert len(event["metadata"]["name"]) == 253
