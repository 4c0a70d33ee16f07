"""The mirror shows what the server has, whatever happens to the watch."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from kits.api_server import fake_kube
from neuronspan import errors as domain_errors
from neuronspan_agent import errors, meters, mirror, resources

COUNTED = "neuronspan_cache"


def a_node(name: str, colour: str = "red") -> dict[str, Any]:
    return {"metadata": {"name": name}, "colour": colour}


def colour_of(manifest: dict[str, Any]) -> str | None:
    colour = manifest["colour"]
    if isinstance(colour, Exception):
        raise colour
    return None if colour == "none" else str(colour)


def node_events(counted: meters.Meters, sample: str) -> dict[tuple[str, ...], float]:
    samples = [each for metric in counted.registry.collect() for each in metric.samples if each.name == sample]
    return {tuple(v for k, v in sorted(each.labels.items()) if k != "resource"): each.value for each in samples}


class Rig:
    """A running mirror over a fake server."""

    def __init__(self, pace: mirror.Pace | None = None) -> None:
        self.server = fake_kube.FakeKube()
        self.changes: list[str] = []
        self.meters = meters.Meters("neuronspan")
        self.listed = 0
        self.cache = mirror.Mirror(
            self.server,
            resources.NODES,
            colour_of,
            key_of=resources.name_of,
            on_change=self.changes.append,
            on_listed=self._listed,
            meters=self.meters,
            pace=pace,
        )

    def _listed(self) -> None:
        self.listed += 1

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.cache.run())
        await self.cache.synced.wait()
        await self.until(lambda: self.server.watchers == 1)
        yield
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    async def until(self, condition: Callable[[], bool]) -> None:
        for _ in range(2000):
            if condition():
                return
            await asyncio.sleep(0.5)  # virtual
        raise AssertionError(f"never happened; the mirror has {dict(self.cache.items)}")

    async def shows(self, **items: str) -> None:
        await self.until(lambda: dict(self.cache.items) == items)

    def relists(self) -> dict[tuple[str, ...], float]:
        return node_events(self.meters, f"{COUNTED}_relists_total")


async def test_mirror_lists_page_by_page() -> None:
    rig = Rig(mirror.Pace(page=2))
    for index in range(5):
        rig.server.put(resources.NODES, a_node(f"w{index}"))
    async with rig.running():
        assert sorted(rig.cache.items) == ["w0", "w1", "w2", "w3", "w4"]
        assert rig.server.calls.count("list nodes") == 3


async def test_mirror_is_not_synced_before_the_last_page() -> None:
    rig = Rig(mirror.Pace(page=1))
    rig.server.put(resources.NODES, a_node("w0"))
    rig.server.put(resources.NODES, a_node("w1"))
    second_page = asyncio.Event()
    rig.server.fail("list nodes", asyncio.Event(), second_page)
    first_page = rig.server.faults["list nodes"][0]
    assert isinstance(first_page, asyncio.Event)
    task = asyncio.create_task(rig.cache.run())
    first_page.set()
    await rig.until(lambda: "w0" in rig.cache.items)
    assert not rig.cache.is_synced
    second_page.set()
    await rig.until(lambda: rig.cache.is_synced)
    task.cancel()


async def test_mirror_follows_events_and_tells_what_changed() -> None:
    rig = Rig()
    rig.server.put(resources.NODES, a_node("w0"))
    async with rig.running():
        rig.server.put(resources.NODES, a_node("w1"))
        rig.server.put(resources.NODES, a_node("w0", "blue"))
        await rig.shows(w0="blue", w1="red")
        rig.server.remove(resources.NODES, "w0")
        await rig.shows(w1="red")
    assert rig.changes == ["w0", "w1", "w0", "w0"]


async def test_mirror_keeps_quiet_about_events_that_change_nothing_it_reads() -> None:
    rig = Rig()
    rig.server.put(resources.NODES, a_node("w0"))
    async with rig.running():
        rig.server.put(resources.NODES, {**a_node("w0"), "heartbeat": 2})
        rig.server.put(resources.NODES, a_node("w1"))
        await rig.shows(w0="red", w1="red")
    assert rig.changes == ["w0", "w1"]


async def test_mirror_drops_what_it_no_longer_cares_for() -> None:
    rig = Rig()
    rig.server.put(resources.NODES, a_node("w0"))
    async with rig.running():
        rig.server.put(resources.NODES, a_node("w0", "none"))
        await rig.shows()


@pytest.mark.parametrize(
    "refusal", [domain_errors.LedgerError("two grants share a core"), KeyError("first"), TypeError("None is no list")]
)
async def test_mirror_drops_an_object_that_becomes_unreadable_and_goes_on(refusal: Exception) -> None:
    rig = Rig()
    rig.server.put(resources.NODES, a_node("w0"))
    async with rig.running():
        rig.server.put(resources.NODES, {**a_node("w0"), "colour": refusal})
        rig.server.put(resources.NODES, a_node("w1"))
        await rig.shows(w1="red")
    assert node_events(rig.meters, f"{COUNTED}_unreadable_total") == {(): 1}


async def test_mirror_resumes_from_the_last_version_when_a_stream_ends_silently() -> None:
    """Under bursts the API server closes streams without an error; what happened meanwhile must still arrive."""
    rig = Rig()
    async with rig.running():
        rig.server.put(resources.NODES, a_node("w0"))
        await rig.shows(w0="red")
        rig.server.mute()
        rig.server.put(resources.NODES, a_node("w1"))
        rig.server.remove(resources.NODES, "w0")
        rig.server.end_streams()
        rig.server.unmute()
        await rig.shows(w1="red")
    assert rig.listed == 1
    assert rig.relists() == {}


async def test_mirror_does_not_live_through_the_past_again_when_it_resumes() -> None:
    rig = Rig()
    async with rig.running():
        for colour in ("red", "blue", "green"):
            rig.server.put(resources.NODES, a_node("w0", colour))
        await rig.shows(w0="green")
        rig.server.end_streams()
        rig.server.put(resources.NODES, a_node("w1"))
        await rig.shows(w0="green", w1="red")
    assert rig.changes == ["w0", "w0", "w0", "w1"]


@pytest.mark.parametrize(
    "refusal",
    [errors.Unavailable("etcd is choosing a leader", status=500), errors.Unavailable("connection reset")],
    ids=["error-event", "broken-connection"],
)
async def test_mirror_survives_a_broken_stream_without_listing_again(refusal: errors.KubernetesError) -> None:
    rig = Rig()
    async with rig.running():
        rig.server.put(resources.NODES, a_node("w0"))
        await rig.shows(w0="red")
        rig.server.end_streams(refusal)
        rig.server.put(resources.NODES, a_node("w1"))
        await rig.shows(w0="red", w1="red")
    assert rig.listed == 1


async def test_mirror_drops_ghosts_when_its_version_is_too_old() -> None:
    rig = Rig()
    rig.server.put(resources.NODES, a_node("w0"))
    rig.server.put(resources.NODES, a_node("w1"))
    async with rig.running():
        rig.server.mute()
        rig.server.remove(resources.NODES, "w0")
        rig.server.put(resources.NODES, a_node("w2"))
        rig.server.compact()
        rig.server.unmute()
        rig.server.end_streams()
        await rig.shows(w1="red", w2="red")
    assert rig.relists() == {("gone",): 1}
    assert rig.changes == ["w0", "w1", "w2", "w0"]


async def test_mirror_notices_a_stream_that_fell_silent() -> None:
    rig = Rig()
    async with rig.running():
        rig.server.mute()
        rig.server.put(resources.NODES, a_node("w0"))
        before = asyncio.get_running_loop().time()
        await rig.shows(w0="red")
        assert 75 <= asyncio.get_running_loop().time() - before < 80


async def test_mirror_lists_everything_again_from_time_to_time() -> None:
    """The second net: an event that never came is found by the next list."""
    rig = Rig()
    rig.server.put(resources.NODES, a_node("w0"))
    async with rig.running():
        rig.server.remove(resources.NODES, "w0", silently=True)
        rig.server.compact()
        await rig.shows()
        assert asyncio.get_running_loop().time() < 1000 + 700


async def test_mirror_lists_again_after_streams_that_bring_nothing() -> None:
    rig = Rig()
    async with rig.running():
        rig.server.fail("watch nodes", *[errors.Unavailable("broken")] * 3)
        rig.server.end_streams()
        await rig.until(lambda: rig.listed == 2)
    assert rig.relists() == {("silent",): 1}


async def test_mirror_backs_off_while_the_server_refuses_to_list() -> None:
    rig = Rig()
    rig.server.put(resources.NODES, a_node("w0"))
    rig.server.fail("list nodes", *[errors.Forbidden("no", status=403)] * 10)
    async with rig.running():
        assert dict(rig.cache.items) == {"w0": "red"}
    assert rig.server.calls.count("list nodes") == 11
    assert asyncio.get_running_loop().time() > 1000 + 60
    assert rig.relists() == {("error",): 10}


async def test_mirror_keeps_serving_while_the_server_is_away() -> None:
    rig = Rig()
    rig.server.put(resources.NODES, a_node("w0"))
    async with rig.running():
        rig.server.fail("watch nodes", *[errors.Unavailable("down")] * 20)
        rig.server.fail("list nodes", *[errors.Unavailable("down")] * 20)
        rig.server.end_streams()
        await rig.until(lambda: rig.server.calls.count("list nodes") > 10)
        assert dict(rig.cache.items) == {"w0": "red"}
        assert rig.cache.is_synced


async def test_reached_waits_until_the_cache_is_not_older() -> None:
    rig = Rig()
    async with rig.running():
        rig.server.mute()
        version = rig.server.put(resources.NODES, a_node("w0"))["metadata"]["resourceVersion"]
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(10):
                await rig.cache.reached(version)
        rig.server.unmute()
        rig.server.end_streams()
        await rig.cache.reached(version)
        assert "w0" in rig.cache.items


OWN = mirror.Pace(resumes=False)
"""How a mirror of one object is kept."""


@pytest.mark.parametrize("refusal", [None, errors.Unavailable("connection reset")], ids=["ended", "broken"])
async def test_mirror_of_few_objects_lists_again_after_every_stream(refusal: errors.KubernetesError | None) -> None:
    rig = Rig(OWN)
    rig.server.put(resources.NODES, a_node("w0"))
    async with rig.running():
        rig.server.end_streams(refusal)
        await rig.until(lambda: rig.listed == 2)
        rig.server.put(resources.NODES, a_node("w0", "blue"))
        await rig.shows(w0="blue")
    assert rig.relists() == {("broken" if refusal else "ended",): 1}


@pytest.mark.parametrize("refusal", [None, errors.Unavailable("connection reset")], ids=["ended", "broken"])
async def test_mirror_of_few_objects_follows_a_server_restored_from_a_backup(
    refusal: errors.KubernetesError | None,
) -> None:
    rig = Rig(OWN)
    rig.server.put(resources.NODES, a_node("w0"))
    restore = rig.server.backup()
    async with rig.running():
        for colour in ("blue", "green", "yellow"):
            rig.server.put(resources.NODES, a_node("w0", colour))
        await rig.shows(w0="yellow")
        restore()
        rig.server.end_streams(refusal)
        await rig.shows(w0="red")
        await rig.until(lambda: rig.server.watchers == 1)
        rig.server.put(resources.NODES, a_node("w0", "black"))
        await rig.shows(w0="black")


@pytest.mark.parametrize("pace", [mirror.Pace(), OWN], ids=["many-objects", "few-objects"])
async def test_mirror_lists_again_when_a_stream_tells_another_history(pace: mirror.Pace) -> None:
    rig = Rig(pace)
    rig.server.put(resources.NODES, a_node("w0"))
    restore = rig.server.backup()
    async with rig.running():
        rig.server.put(resources.NODES, a_node("w0", "blue"))
        await rig.shows(w0="blue")
        restore()
        rig.server.bookmark(resources.NODES)
        await rig.shows(w0="red")
    assert rig.relists() == {("restored",): 1}


async def test_mirror_never_shows_an_older_state_of_the_same_history_again() -> None:
    rig = Rig(OWN)
    shown: list[str] = []
    async with rig.running():
        for colour in ("1", "2", "3", "4"):
            rig.server.put(resources.NODES, a_node("w0", colour))
            await rig.shows(w0=colour)
            shown.append(rig.cache.items["w0"])
            rig.server.end_streams(errors.Unavailable("connection reset"))
    assert rig.changes == ["w0"] * 4
    assert shown == ["1", "2", "3", "4"]


@pytest.mark.parametrize(
    "refusal",
    [errors.Gone("too old", status=410), errors.Forbidden("no", status=403)],
    ids=["gone", "forbidden"],
)
@pytest.mark.parametrize("pace", [mirror.Pace(), OWN], ids=["many-objects", "few-objects"])
async def test_mirror_is_paced_when_the_server_refuses_every_watch_at_once(
    refusal: errors.KubernetesError, pace: mirror.Pace
) -> None:
    rig = Rig(pace)
    rig.server.fail("watch nodes", *[refusal] * 12)
    task = asyncio.create_task(rig.cache.run())
    started = asyncio.get_running_loop().time()
    await rig.until(lambda: rig.server.watchers == 1)
    task.cancel()
    assert rig.server.calls.count("list nodes") == 13
    assert asyncio.get_running_loop().time() - started > 100


async def test_mirror_is_paced_when_the_server_ends_every_stream_at_once() -> None:
    rig = Rig(OWN)
    task = asyncio.create_task(rig.cache.run())
    started = asyncio.get_running_loop().time()
    for _ in range(10):
        await rig.until(lambda: rig.server.watchers == 1)
        rig.server.end_streams()
        await rig.until(lambda: rig.server.watchers == 0)
    task.cancel()
    assert asyncio.get_running_loop().time() - started > 100


async def test_mirror_lists_at_once_again_after_events_came() -> None:
    rig = Rig()
    rig.server.fail("watch nodes", *[errors.Gone("too old", status=410)] * 8)
    async with rig.running():
        rig.server.put(resources.NODES, a_node("w0"))
        await rig.shows(w0="red")
        before = asyncio.get_running_loop().time()
        rig.server.end_streams(errors.Gone("too old", status=410))
        await rig.until(lambda: rig.listed == 10)
        assert asyncio.get_running_loop().time() - before < 1


async def test_mirror_is_in_touch_while_the_server_answers() -> None:
    rig = Rig(OWN)
    heard = [rig.cache.in_touch]
    async with rig.running():
        heard.append(rig.cache.in_touch)
        rig.server.fail("list nodes", errors.Unavailable("down"), errors.Unavailable("down"))
        rig.server.end_streams(errors.Unavailable("down"))
        await rig.until(lambda: rig.server.watchers == 0)
        heard.append(rig.cache.in_touch)
        await rig.until(lambda: rig.server.watchers == 1)
        heard.append(rig.cache.in_touch)
    assert heard == [False, True, False, True]


async def test_mirror_is_out_of_touch_from_the_moment_its_stream_broke() -> None:
    rig = Rig()
    async with rig.running():
        answer = asyncio.Event()
        rig.server.fail("watch nodes", answer)
        rig.server.end_streams(errors.Unavailable("connection reset"))
        await rig.until(lambda: rig.server.calls.count("watch nodes") == 2)
        heard = [rig.cache.in_touch]
        answer.set()
        rig.server.put(resources.NODES, a_node("w0"))
        await rig.shows(w0="red")
        heard.append(rig.cache.in_touch)
    assert heard == [False, True]


@pytest.mark.parametrize("refusal", [None, errors.Unavailable("connection reset")], ids=["ended", "broken"])
async def test_mirror_of_many_objects_lists_again_when_the_server_went_back(
    refusal: errors.KubernetesError | None,
) -> None:
    rig = Rig()
    rig.server.put(resources.NODES, a_node("w0"))
    restore = rig.server.backup()
    async with rig.running():
        rig.server.put(resources.NODES, a_node("w0", "blue"))
        await rig.shows(w0="blue")
        before = asyncio.get_running_loop().time()
        restore()
        rig.server.end_streams(refusal)
        await rig.shows(w0="red")
        assert asyncio.get_running_loop().time() - before < 5
    assert rig.relists() == {("restored",): 1}
