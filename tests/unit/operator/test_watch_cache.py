"""The mirror shows what the server has, whatever happens to the watch."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from kits import fake_kube
from neuronspan import errors as domain_errors
from neuronspan_operator import errors, metrics, resources, watch_cache

Cache = watch_cache.WatchCache[str]


def a_node(name: str, colour: str = "red") -> dict[str, Any]:
    return {"metadata": {"name": name}, "colour": colour}


def colour_of(manifest: dict[str, Any]) -> str | None:
    colour = manifest["colour"]
    if isinstance(colour, Exception):
        raise colour
    return None if colour == "none" else str(colour)


def node_events(measures: metrics.Metrics, sample: str) -> dict[tuple[str, ...], float]:
    samples = [each for metric in measures.registry.collect() for each in metric.samples if each.name == sample]
    return {tuple(v for k, v in sorted(each.labels.items()) if k != "resource"): each.value for each in samples}


class Mirror:
    """A running cache over a fake server."""

    def __init__(self, pace: watch_cache.Pace | None = None) -> None:
        self.server = fake_kube.FakeKube()
        self.changes: list[str] = []
        self.measures = metrics.Metrics()
        self.cache = Cache(
            self.server,
            resources.NODES,
            colour_of,
            key_of=watch_cache.name_of,
            on_change=self.changes.append,
            measures=self.measures,
            pace=pace,
        )

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
        raise AssertionError(f"never happened; the cache has {dict(self.cache.items)}")

    async def shows(self, **items: str) -> None:
        await self.until(lambda: dict(self.cache.items) == items)

    def relists(self) -> dict[tuple[str, ...], float]:
        return node_events(self.measures, "neuronspan_cache_relists_total")


async def test_cache_lists_page_by_page() -> None:
    mirror = Mirror(watch_cache.Pace(page=2))
    for index in range(5):
        mirror.server.put(resources.NODES, a_node(f"w{index}"))
    async with mirror.running():
        assert sorted(mirror.cache.items) == ["w0", "w1", "w2", "w3", "w4"]
        assert mirror.server.calls.count("list nodes") == 3


async def test_cache_is_not_synced_before_the_last_page() -> None:
    mirror = Mirror(watch_cache.Pace(page=1))
    mirror.server.put(resources.NODES, a_node("w0"))
    mirror.server.put(resources.NODES, a_node("w1"))
    second_page = asyncio.Event()
    mirror.server.fail("list nodes", asyncio.Event(), second_page)
    first_page = mirror.server.faults["list nodes"][0]
    assert isinstance(first_page, asyncio.Event)
    task = asyncio.create_task(mirror.cache.run())
    first_page.set()
    await mirror.until(lambda: "w0" in mirror.cache.items)
    assert not mirror.cache.is_synced
    second_page.set()
    await mirror.until(lambda: mirror.cache.is_synced)
    task.cancel()


async def test_cache_follows_events_and_tells_what_changed() -> None:
    mirror = Mirror()
    mirror.server.put(resources.NODES, a_node("w0"))
    async with mirror.running():
        mirror.server.put(resources.NODES, a_node("w1"))
        mirror.server.put(resources.NODES, a_node("w0", "blue"))
        await mirror.shows(w0="blue", w1="red")
        mirror.server.remove(resources.NODES, "w0")
        await mirror.shows(w1="red")
    assert mirror.changes == ["w0", "w1", "w0", "w0"]


async def test_cache_keeps_quiet_about_events_that_change_nothing_it_reads() -> None:
    mirror = Mirror()
    mirror.server.put(resources.NODES, a_node("w0"))
    async with mirror.running():
        mirror.server.put(resources.NODES, {**a_node("w0"), "heartbeat": 2})
        mirror.server.put(resources.NODES, a_node("w1"))
        await mirror.shows(w0="red", w1="red")
    assert mirror.changes == ["w0", "w1"]


async def test_cache_drops_what_it_no_longer_cares_for() -> None:
    mirror = Mirror()
    mirror.server.put(resources.NODES, a_node("w0"))
    async with mirror.running():
        mirror.server.put(resources.NODES, a_node("w0", "none"))
        await mirror.shows()


@pytest.mark.parametrize(
    "trouble", [domain_errors.LedgerError("two grants share a core"), KeyError("first"), TypeError("None is no list")]
)
async def test_cache_drops_an_object_that_becomes_unreadable_and_goes_on(trouble: Exception) -> None:
    mirror = Mirror()
    mirror.server.put(resources.NODES, a_node("w0"))
    async with mirror.running():
        mirror.server.put(resources.NODES, {**a_node("w0"), "colour": trouble})
        mirror.server.put(resources.NODES, a_node("w1"))
        await mirror.shows(w1="red")
    assert node_events(mirror.measures, "neuronspan_cache_unreadable_total") == {(): 1}


async def test_cache_resumes_from_the_last_version_when_a_stream_ends_silently() -> None:
    """Under bursts the API server closes streams without an error; what happened meanwhile must still arrive."""
    mirror = Mirror()
    async with mirror.running():
        mirror.server.put(resources.NODES, a_node("w0"))
        await mirror.shows(w0="red")
        mirror.server.mute()
        mirror.server.put(resources.NODES, a_node("w1"))
        mirror.server.remove(resources.NODES, "w0")
        mirror.server.end_streams()
        mirror.server.unmute()
        await mirror.shows(w1="red")
    assert mirror.server.calls.count("list nodes") == 1
    assert mirror.relists() == {}


async def test_cache_does_not_live_through_the_past_again_when_it_resumes() -> None:
    mirror = Mirror()
    async with mirror.running():
        for colour in ("red", "blue", "green"):
            mirror.server.put(resources.NODES, a_node("w0", colour))
        await mirror.shows(w0="green")
        mirror.server.end_streams()
        mirror.server.put(resources.NODES, a_node("w1"))
        await mirror.shows(w0="green", w1="red")
    assert mirror.changes == ["w0", "w0", "w0", "w1"]


@pytest.mark.parametrize(
    "trouble",
    [errors.Unavailable("etcd is choosing a leader", status=500), errors.Unavailable("connection reset")],
    ids=["error-event", "broken-connection"],
)
async def test_cache_survives_a_broken_stream_without_listing_again(trouble: errors.KubernetesError) -> None:
    mirror = Mirror()
    async with mirror.running():
        mirror.server.put(resources.NODES, a_node("w0"))
        await mirror.shows(w0="red")
        mirror.server.end_streams(trouble)
        mirror.server.put(resources.NODES, a_node("w1"))
        await mirror.shows(w0="red", w1="red")
    assert mirror.server.calls.count("list nodes") == 1


async def test_cache_drops_ghosts_when_its_version_is_too_old() -> None:
    mirror = Mirror()
    mirror.server.put(resources.NODES, a_node("w0"))
    mirror.server.put(resources.NODES, a_node("w1"))
    async with mirror.running():
        mirror.server.mute()
        mirror.server.remove(resources.NODES, "w0")
        mirror.server.put(resources.NODES, a_node("w2"))
        mirror.server.compact()
        mirror.server.unmute()
        mirror.server.end_streams()
        await mirror.shows(w1="red", w2="red")
    assert mirror.relists() == {("gone",): 1}
    assert mirror.changes == ["w0", "w1", "w2", "w0"]


async def test_cache_notices_a_stream_that_fell_silent() -> None:
    mirror = Mirror()
    async with mirror.running():
        mirror.server.mute()
        mirror.server.put(resources.NODES, a_node("w0"))
        before = asyncio.get_running_loop().time()
        await mirror.shows(w0="red")
        assert 75 <= asyncio.get_running_loop().time() - before < 80


async def test_cache_lists_everything_again_from_time_to_time() -> None:
    """The second net: an event that never came is found by the next list."""
    mirror = Mirror()
    mirror.server.put(resources.NODES, a_node("w0"))
    async with mirror.running():
        mirror.server.remove(resources.NODES, "w0", silently=True)
        mirror.server.compact()
        await mirror.shows()
        assert asyncio.get_running_loop().time() < 1000 + 700


async def test_cache_lists_again_after_streams_that_bring_nothing() -> None:
    mirror = Mirror()
    async with mirror.running():
        mirror.server.fail("watch nodes", *[errors.Unavailable("broken")] * 3)
        mirror.server.end_streams()
        await mirror.until(lambda: mirror.server.calls.count("list nodes") == 2)
    assert mirror.relists() == {("silent",): 1}


async def test_cache_backs_off_while_the_server_refuses_to_list() -> None:
    mirror = Mirror()
    mirror.server.put(resources.NODES, a_node("w0"))
    mirror.server.fail("list nodes", *[errors.Forbidden("no", status=403)] * 10)
    async with mirror.running():
        assert dict(mirror.cache.items) == {"w0": "red"}
    assert mirror.server.calls.count("list nodes") == 11
    assert asyncio.get_running_loop().time() > 1000 + 60
    assert mirror.relists() == {("error",): 10}


async def test_cache_keeps_serving_while_the_server_is_away() -> None:
    mirror = Mirror()
    mirror.server.put(resources.NODES, a_node("w0"))
    async with mirror.running():
        mirror.server.fail("watch nodes", *[errors.Unavailable("down")] * 20)
        mirror.server.fail("list nodes", *[errors.Unavailable("down")] * 20)
        mirror.server.end_streams()
        await mirror.until(lambda: mirror.server.calls.count("list nodes") > 10)
        assert dict(mirror.cache.items) == {"w0": "red"}
        assert mirror.cache.is_synced


async def test_reached_waits_until_the_cache_is_not_older() -> None:
    mirror = Mirror()
    async with mirror.running():
        mirror.server.mute()
        version = mirror.server.put(resources.NODES, a_node("w0"))["metadata"]["resourceVersion"]
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(10):
                await mirror.cache.reached(version)
        mirror.server.unmute()
        mirror.server.end_streams()
        await mirror.cache.reached(version)
        assert "w0" in mirror.cache.items
