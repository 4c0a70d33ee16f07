"""Events: said once, in one object per pod and reason, never in the way."""

import asyncio
import contextlib
import datetime as dt
from collections.abc import AsyncIterator, Iterable

import pytest

from kits.embedded import in_memory
from neuronspan_agent import errors, resources
from neuronspan_operator import metrics, reasons
from neuronspan_operator.planning import plans
from neuronspan_operator.telling import recorder


def notice(
    message: str = "no room",
    *,
    reason: reasons.EventReason | reasons.WaitingReason = reasons.EventReason.FAILED_SCHEDULING,
    pod: str = "web",
    lasting: bool = False,
    said_before: bool = False,
) -> plans.Notice:
    warning = plans.NoticeType.WARNING
    return plans.Notice(
        "default", pod, f"uid-{pod}", warning, reason, message, lasting=lasting, said_before=said_before
    )


class Desk:
    """A recorder and what it posted."""

    def __init__(self, server: in_memory.ApiServer | None = None) -> None:
        self.server = server or in_memory.ApiServer()
        self.meters = metrics.Metrics()
        self.recorder = recorder.Recorder(self.server, self.meters, instance="me", now=self._now)
        self.alive = {"uid-web", "uid-db"}
        self._told: set[recorder.Key] = set()
        self._told_of: set[str] = set()

    def _now(self) -> dt.datetime:
        passed = asyncio.get_running_loop().time() - 1000
        return dt.datetime(2026, 1, 31, 9, tzinfo=dt.UTC) + dt.timedelta(seconds=passed)

    def ages(self) -> list[float]:
        """Return the seconds since each Event was written last: an API server forgets those of an hour."""
        events = self.server.all(resources.EVENTS)
        return [(self._now() - dt.datetime.fromisoformat(each["lastTimestamp"])).total_seconds() for each in events]

    def forget(self) -> None:
        """Let the server forget what is older than an hour, as the real one does."""
        for event in self.server.all(resources.EVENTS):
            if self._now() - dt.datetime.fromisoformat(event["lastTimestamp"]) > dt.timedelta(hours=1):
                self.server.remove(resources.EVENTS, event["metadata"]["name"], "default")

    def count(self, outcome: str) -> float:
        labels = {"outcome": outcome}
        return self.meters.registry.get_sample_value("neuronspan_events_total", labels) or 0.0

    def round(self, told: Iterable[plans.Notice], alive: Iterable[str]) -> None:
        """All this is told and nothing else any more, of pods of which all others are gone."""
        notices, uids = {(each.uid, each.reason): each for each in told}, set(alive)
        for uid in self._told_of - uids:
            self.recorder.forget(uid)
        self.recorder.tell(notices.values(), self._told - notices.keys())
        self._told, self._told_of = set(notices), uids

    async def tell(self, *notices: plans.Notice) -> None:
        self.round(notices, self.alive)
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
    assert (event["type"], event["reason"], event["message"]) == ("Warning", "FailedScheduling", "no room")
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
            desk.round([notice(f"message {index}")], desk.alive)
            await asyncio.sleep(5)
    assert desk.posted()[0][1] == 6  # at 0, 10, 30, 70, 150 and 310 s


async def test_run_posts_a_deferred_message_when_its_time_has_come(desk: Desk) -> None:
    async with desk.running():
        desk.round([notice("first")], desk.alive)
        await asyncio.sleep(1)
        desk.round([notice("second")], desk.alive)
        await asyncio.sleep(8)
        assert desk.posted() == [("first", 1)]
        await asyncio.sleep(2)
        assert desk.posted() == [("second", 2)]


async def test_deferred_message_that_is_no_longer_true_is_not_posted(desk: Desk) -> None:
    async with desk.running():
        desk.round([notice("first")], desk.alive)
        await asyncio.sleep(1)
        desk.round([notice("second")], desk.alive)
        desk.round([], desk.alive)
        await asyncio.sleep(100)
    assert desk.posted() == [("first", 1)]


async def test_first_message_is_posted_even_if_the_next_round_says_nothing(desk: Desk) -> None:
    desk.round([notice()], desk.alive)
    desk.round([], desk.alive)
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


async def test_pod_that_is_gone_before_its_turn_has_begun_is_no_failure(desk: Desk) -> None:
    desk.round([notice("bound", reason=reasons.EventReason.SCHEDULED)], desk.alive)
    posting = asyncio.create_task(desk.recorder.flush())
    await asyncio.sleep(0)  # its turn has come, and nothing of it has run
    desk.round([], set())
    await posting
    assert desk.posted() == []


async def test_event_of_a_pod_that_waits_is_renewed_before_the_api_server_forgets_it(desk: Desk) -> None:
    """Nothing changes in the cluster, so that no round tells it again."""
    async with desk.running():
        desk.round([notice(lasting=True)], desk.alive)
        for _ in range(150):
            await asyncio.sleep(120)
            assert max(desk.ages()) <= recorder.RENEW_SECONDS + 1
    assert desk.posted() == [("no room", 10)]
    assert desk.count("renewed") == 9


async def test_event_of_a_pod_that_waits_no_more_is_not_renewed(desk: Desk) -> None:
    async with desk.running():
        desk.round([notice(lasting=True)], desk.alive)
        await asyncio.sleep(1000)
        desk.round([], desk.alive)
        await asyncio.sleep(10000)
    assert desk.posted() == [("no room", 1)]


async def test_event_of_something_done_is_not_renewed(desk: Desk) -> None:
    async with desk.running():
        desk.round([notice("bound", reason=reasons.EventReason.SCHEDULED)], desk.alive)
        await asyncio.sleep(10000)
    assert desk.posted() == [("bound", 1)]


async def test_event_of_something_done_that_failed_is_posted_in_the_end(desk: Desk) -> None:
    desk.server.fail("create events", *[errors.Unavailable("down")] * 3)
    async with desk.running():
        desk.round([notice("bound", reason=reasons.EventReason.SCHEDULED)], desk.alive)
        await asyncio.sleep(1)
        desk.round([], desk.alive)
        await asyncio.sleep(100)
    assert desk.posted() == [("bound", 1)]


async def test_event_that_was_forgotten_all_the_same_is_made_again(desk: Desk) -> None:
    async with desk.running():
        desk.round([notice(lasting=True)], desk.alive)
        await asyncio.sleep(1)
        desk.server.remove(resources.EVENTS, recorder.event_name(notice()), "default")
        await asyncio.sleep(recorder.RENEW_SECONDS)
    assert desk.posted() == [("no room", 1)]


async def test_renewal_that_fails_is_tried_again_in_time(desk: Desk) -> None:
    async with desk.running():
        desk.round([notice(lasting=True)], desk.alive)
        await asyncio.sleep(1)
        desk.server.fail("merge_patch events", errors.Unavailable("down"), errors.Unavailable("down"))
        for _ in range(120):
            await asyncio.sleep(60)
            assert max(desk.ages()) < 3600


async def test_after_a_restart_what_was_said_before_is_looked_at_little_by_little() -> None:
    desk = Desk()
    pods = [f"pod-{index}" for index in range(60)]
    alive = {"uid-new", *(f"uid-{pod}" for pod in pods)}
    async with desk.running():
        desk.round([notice(pod=pod, lasting=True) for pod in pods], alive)
        await asyncio.sleep(1500)
    again = Desk(desk.server)
    desk.server.calls.clear()
    said = [notice(pod=pod, lasting=True, said_before=True) for pod in pods]
    async with again.running():
        again.round(said, alive)
        await asyncio.sleep(60)
        assert 0 < len(desk.server.calls) < 40
        again.round([*said, notice(pod="new")], alive)
        await asyncio.sleep(1)
        assert "new" in {each["involvedObject"]["name"] for each in desk.server.all(resources.EVENTS)}
        again.round(said, alive - {"uid-new"})
        desk.server.remove(resources.EVENTS, recorder.event_name(notice(pod="new")), "default")
        for _ in range(24):
            await asyncio.sleep(300)
            assert max(again.ages()) < 3300


async def test_after_a_restart_one_call_finds_out_that_an_event_lives(desk: Desk) -> None:
    await desk.tell(notice(lasting=True))
    again = Desk(desk.server)
    desk.server.calls.clear()
    async with again.running():
        again.round([notice(lasting=True, said_before=True)], again.alive)
        await asyncio.sleep(1000)
    assert [call.partition(" ")[0] for call in desk.server.calls] == ["get"]
    assert again.count("repeated") == 1


async def test_after_a_restart_an_event_that_was_never_posted_is_made(desk: Desk) -> None:
    async with desk.running():
        desk.round([notice(lasting=True, said_before=True)], desk.alive)
        await asyncio.sleep(1000)
    assert desk.posted() == [("no room", 1)]


async def test_first_event_keeps_its_turn_when_the_pods_condition_is_written_earlier(desk: Desk) -> None:
    desk.round([notice(lasting=True)], desk.alive)
    desk.round([notice(lasting=True, said_before=True)], desk.alive)
    await desk.recorder.flush()
    assert desk.posted() == [("no room", 1)]


async def test_many_waiting_pods_are_no_storm_and_all_have_living_events() -> None:
    """They begin to wait at once, their words change all the time, and the server forgets after an hour."""
    desk = Desk()
    pods = [f"pod-{index}" for index in range(20)]
    alive = {f"uid-{pod}" for pod in pods}
    async with desk.running():
        for turn in range(40):
            desk.round([notice(f"full {turn}", pod=pod, lasting=True) for pod in pods], alive)
            await asyncio.sleep(10 if turn < 10 else 200)
            desk.forget()
            assert len(desk.ages()) == len(pods)
    posts = desk.count("created") + desk.count("updated") + desk.count("renewed")
    assert posts <= len(pods) * (6 + 6100 / 600)  # six while the pauses grow, then one in ten minutes


async def test_what_waits_for_its_turn_is_counted_when_the_metrics_are_read() -> None:
    desk = Desk()
    pods = [f"pod-{index}" for index in range(recorder.LIMITS.burst + 7)]
    desk.round([notice(pod=pod) for pod in pods], {f"uid-{pod}" for pod in pods})
    await desk.recorder.flush()
    assert desk.meters.registry.get_sample_value("neuronspan_untold", {"kind": "events"}) == 7
    await asyncio.sleep(1)
    await desk.recorder.flush()
    assert desk.meters.registry.get_sample_value("neuronspan_untold", {"kind": "events"}) == 0


async def test_posts_keep_within_the_stated_rate() -> None:
    desk = Desk()
    pods = [f"pod-{index}" for index in range(200)]
    limits = recorder.LIMITS
    async with desk.running():
        desk.round([notice(pod=pod, lasting=True) for pod in pods], {f"uid-{pod}" for pod in pods})
        for second in range(1, 6):
            await asyncio.sleep(1)
            assert len(desk.server.calls) <= limits.burst + limits.per_second * second + 1
        assert len(desk.posted()) == 200
