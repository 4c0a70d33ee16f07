"""The mirror shows what the server has, whatever happens to the watch."""

import asyncio

import pytest

from kits.embedded import mirror_rig
from neuronspan import errors as domain_errors
from neuronspan_agent import errors, mirror, resources


async def test_mirror_lists_page_by_page() -> None:
    rig = mirror_rig.Rig(mirror.Pace(page=2))
    for index in range(5):
        rig.server.put(resources.NODES, mirror_rig.a_node(f"w{index}"))
    async with rig.running():
        assert sorted(rig.cache.items) == ["w0", "w1", "w2", "w3", "w4"]
        assert rig.server.calls.count("list nodes") == 3


async def test_mirror_is_not_synced_before_the_last_page() -> None:
    rig = mirror_rig.Rig(mirror.Pace(page=1))
    rig.server.put(resources.NODES, mirror_rig.a_node("w0"))
    rig.server.put(resources.NODES, mirror_rig.a_node("w1"))
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
    rig = mirror_rig.Rig()
    rig.server.put(resources.NODES, mirror_rig.a_node("w0"))
    async with rig.running():
        rig.server.put(resources.NODES, mirror_rig.a_node("w1"))
        rig.server.put(resources.NODES, mirror_rig.a_node("w0", "blue"))
        await rig.shows(w0="blue", w1="red")
        rig.server.remove(resources.NODES, "w0")
        await rig.shows(w1="red")
    assert rig.changes == ["w0", "w1", "w0", "w0"]


async def test_mirror_keeps_quiet_about_events_that_change_nothing_it_reads() -> None:
    rig = mirror_rig.Rig()
    rig.server.put(resources.NODES, mirror_rig.a_node("w0"))
    async with rig.running():
        rig.server.put(resources.NODES, {**mirror_rig.a_node("w0"), "heartbeat": 2})
        rig.server.put(resources.NODES, mirror_rig.a_node("w1"))
        await rig.shows(w0="red", w1="red")
    assert rig.changes == ["w0", "w1"]


async def test_mirror_drops_what_it_no_longer_cares_for() -> None:
    rig = mirror_rig.Rig()
    rig.server.put(resources.NODES, mirror_rig.a_node("w0"))
    async with rig.running():
        rig.server.put(resources.NODES, mirror_rig.a_node("w0", "none"))
        await rig.shows()


@pytest.mark.parametrize(
    "refusal", [domain_errors.LedgerError("two grants share a core"), KeyError("first"), TypeError("None is no list")]
)
async def test_mirror_drops_an_object_that_becomes_unreadable_and_goes_on(refusal: Exception) -> None:
    rig = mirror_rig.Rig()
    rig.server.put(resources.NODES, mirror_rig.a_node("w0"))
    async with rig.running():
        rig.unreadable["broken"] = refusal
        rig.server.put(resources.NODES, mirror_rig.a_node("w0", "broken"))
        rig.server.put(resources.NODES, mirror_rig.a_node("w1"))
        await rig.shows(w1="red")
    assert mirror_rig.node_events(rig.meters, f"{mirror_rig.COUNTED}_unreadable_total") == {(): 1}


async def test_mirror_resumes_from_the_last_version_when_a_stream_ends_silently() -> None:
    """Under bursts the API server closes streams without an error; what happened meanwhile must still arrive."""
    rig = mirror_rig.Rig()
    async with rig.running():
        rig.server.put(resources.NODES, mirror_rig.a_node("w0"))
        await rig.shows(w0="red")
        rig.server.mute()
        rig.server.put(resources.NODES, mirror_rig.a_node("w1"))
        rig.server.remove(resources.NODES, "w0")
        rig.server.end_streams()
        rig.server.unmute()
        await rig.shows(w1="red")
    assert rig.listed == 1
    assert rig.relists() == {}


async def test_mirror_does_not_live_through_the_past_again_when_it_resumes() -> None:
    rig = mirror_rig.Rig()
    async with rig.running():
        for colour in ("red", "blue", "green"):
            rig.server.put(resources.NODES, mirror_rig.a_node("w0", colour))
        await rig.shows(w0="green")
        rig.server.end_streams()
        rig.server.put(resources.NODES, mirror_rig.a_node("w1"))
        await rig.shows(w0="green", w1="red")
    assert rig.changes == ["w0", "w0", "w0", "w1"]


@pytest.mark.parametrize(
    "refusal",
    [errors.Unavailable("etcd is choosing a leader", status=500), errors.Unavailable("connection reset")],
    ids=["error-event", "broken-connection"],
)
async def test_mirror_survives_a_broken_stream_without_listing_again(refusal: errors.KubernetesError) -> None:
    rig = mirror_rig.Rig()
    async with rig.running():
        rig.server.put(resources.NODES, mirror_rig.a_node("w0"))
        await rig.shows(w0="red")
        rig.server.end_streams(refusal)
        rig.server.put(resources.NODES, mirror_rig.a_node("w1"))
        await rig.shows(w0="red", w1="red")
    assert rig.listed == 1


async def test_mirror_drops_ghosts_when_its_version_is_too_old() -> None:
    rig = mirror_rig.Rig()
    rig.server.put(resources.NODES, mirror_rig.a_node("w0"))
    rig.server.put(resources.NODES, mirror_rig.a_node("w1"))
    async with rig.running():
        rig.server.mute()
        rig.server.remove(resources.NODES, "w0")
        rig.server.put(resources.NODES, mirror_rig.a_node("w2"))
        rig.server.compact()
        rig.server.unmute()
        rig.server.end_streams()
        await rig.shows(w1="red", w2="red")
    assert rig.relists() == {("gone",): 1}
    assert rig.changes == ["w0", "w1", "w2", "w0"]


async def test_mirror_notices_a_stream_that_fell_silent() -> None:
    rig = mirror_rig.Rig()
    async with rig.running():
        rig.server.mute()
        rig.server.put(resources.NODES, mirror_rig.a_node("w0"))
        before = asyncio.get_running_loop().time()
        await rig.shows(w0="red")
        assert 75 <= asyncio.get_running_loop().time() - before < 80


async def test_mirror_lists_everything_again_from_time_to_time() -> None:
    """The second net: an event that never came is found by the next list."""
    rig = mirror_rig.Rig()
    rig.server.put(resources.NODES, mirror_rig.a_node("w0"))
    async with rig.running():
        rig.server.remove(resources.NODES, "w0", silently=True)
        rig.server.compact()
        await rig.shows()
        assert asyncio.get_running_loop().time() < 1000 + 700


async def test_mirror_lists_again_after_streams_that_bring_nothing() -> None:
    rig = mirror_rig.Rig()
    async with rig.running():
        rig.server.fail("watch nodes", *[errors.Unavailable("broken")] * 3)
        rig.server.end_streams()
        await rig.until(lambda: rig.listed == 2)
    assert rig.relists() == {("silent",): 1}


async def test_mirror_backs_off_while_the_server_refuses_to_list() -> None:
    rig = mirror_rig.Rig()
    rig.server.put(resources.NODES, mirror_rig.a_node("w0"))
    rig.server.fail("list nodes", *[errors.Forbidden("no", status=403)] * 10)
    async with rig.running():
        assert dict(rig.cache.items) == {"w0": "red"}
    assert rig.server.calls.count("list nodes") == 11
    assert asyncio.get_running_loop().time() > 1000 + 60
    assert rig.relists() == {("error",): 10}


async def test_mirror_keeps_serving_while_the_server_is_away() -> None:
    rig = mirror_rig.Rig()
    rig.server.put(resources.NODES, mirror_rig.a_node("w0"))
    async with rig.running():
        rig.server.fail("watch nodes", *[errors.Unavailable("down")] * 20)
        rig.server.fail("list nodes", *[errors.Unavailable("down")] * 20)
        rig.server.end_streams()
        await rig.until(lambda: rig.server.calls.count("list nodes") > 10)
        assert dict(rig.cache.items) == {"w0": "red"}
        assert rig.cache.is_synced


async def test_reached_waits_until_the_cache_is_not_older() -> None:
    rig = mirror_rig.Rig()
    async with rig.running():
        rig.server.mute()
        version = rig.server.put(resources.NODES, mirror_rig.a_node("w0"))["metadata"]["resourceVersion"]
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(10):
                await rig.cache.reached(version)
        rig.server.unmute()
        rig.server.end_streams()
        await rig.cache.reached(version)
        assert "w0" in rig.cache.items
