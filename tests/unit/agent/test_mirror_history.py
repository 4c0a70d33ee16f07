"""The mirror follows the history that the server tells, never back within one, and asks at a pace."""

import asyncio

import pytest

from kits.embedded import mirror_rig
from neuronspan_agent import errors, mirror, resources

OWN = mirror.Pace(resumes=False)
"""How a mirror of one object is kept."""


@pytest.mark.parametrize("refusal", [None, errors.Unavailable("connection reset")], ids=["ended", "broken"])
async def test_mirror_of_few_objects_lists_again_after_every_stream(refusal: errors.KubernetesError | None) -> None:
    rig = mirror_rig.Rig(OWN)
    rig.server.put(resources.NODES, mirror_rig.a_node("w0"))
    async with rig.running():
        rig.server.end_streams(refusal)
        await rig.until(lambda: rig.listed == 2)
        rig.server.put(resources.NODES, mirror_rig.a_node("w0", "blue"))
        await rig.shows(w0="blue")
    assert rig.relists() == {("broken" if refusal else "ended",): 1}


@pytest.mark.parametrize("refusal", [None, errors.Unavailable("connection reset")], ids=["ended", "broken"])
async def test_mirror_of_few_objects_follows_a_server_restored_from_a_backup(
    refusal: errors.KubernetesError | None,
) -> None:
    rig = mirror_rig.Rig(OWN)
    rig.server.put(resources.NODES, mirror_rig.a_node("w0"))
    restore = rig.server.backup()
    async with rig.running():
        for colour in ("blue", "green", "yellow"):
            rig.server.put(resources.NODES, mirror_rig.a_node("w0", colour))
        await rig.shows(w0="yellow")
        restore()
        rig.server.end_streams(refusal)
        await rig.shows(w0="red")
        await rig.until(lambda: rig.server.watchers == 1)
        rig.server.put(resources.NODES, mirror_rig.a_node("w0", "black"))
        await rig.shows(w0="black")


@pytest.mark.parametrize("pace", [mirror.Pace(), OWN], ids=["many-objects", "few-objects"])
async def test_mirror_lists_again_when_a_stream_tells_another_history(pace: mirror.Pace) -> None:
    rig = mirror_rig.Rig(pace)
    rig.server.put(resources.NODES, mirror_rig.a_node("w0"))
    restore = rig.server.backup()
    async with rig.running():
        rig.server.put(resources.NODES, mirror_rig.a_node("w0", "blue"))
        await rig.shows(w0="blue")
        restore()
        rig.server.bookmark(resources.NODES)
        await rig.shows(w0="red")
    assert rig.relists() == {("restored",): 1}


async def test_mirror_never_shows_an_older_state_of_the_same_history_again() -> None:
    rig = mirror_rig.Rig(OWN)
    shown: list[str] = []
    async with rig.running():
        for colour in ("1", "2", "3", "4"):
            rig.server.put(resources.NODES, mirror_rig.a_node("w0", colour))
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
    rig = mirror_rig.Rig(pace)
    rig.server.fail("watch nodes", *[refusal] * 12)
    task = asyncio.create_task(rig.cache.run())
    started = asyncio.get_running_loop().time()
    await rig.until(lambda: rig.server.watchers == 1)
    task.cancel()
    assert rig.server.calls.count("list nodes") == 13
    assert asyncio.get_running_loop().time() - started > 100


async def test_mirror_is_paced_when_the_server_ends_every_stream_at_once() -> None:
    rig = mirror_rig.Rig(OWN)
    task = asyncio.create_task(rig.cache.run())
    started = asyncio.get_running_loop().time()
    for _ in range(10):
        await rig.until(lambda: rig.server.watchers == 1)
        rig.server.end_streams()
        await rig.until(lambda: rig.server.watchers == 0)
    task.cancel()
    assert asyncio.get_running_loop().time() - started > 100


async def test_mirror_lists_at_once_again_after_events_came() -> None:
    rig = mirror_rig.Rig()
    rig.server.fail("watch nodes", *[errors.Gone("too old", status=410)] * 8)
    async with rig.running():
        rig.server.put(resources.NODES, mirror_rig.a_node("w0"))
        await rig.shows(w0="red")
        before = asyncio.get_running_loop().time()
        rig.server.end_streams(errors.Gone("too old", status=410))
        await rig.until(lambda: rig.listed == 10)
        assert asyncio.get_running_loop().time() - before < 1


async def test_mirror_is_in_touch_while_the_server_answers() -> None:
    rig = mirror_rig.Rig(OWN)
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
    rig = mirror_rig.Rig()
    async with rig.running():
        answer = asyncio.Event()
        rig.server.fail("watch nodes", answer)
        rig.server.end_streams(errors.Unavailable("connection reset"))
        await rig.until(lambda: rig.server.calls.count("watch nodes") == 2)
        heard = [rig.cache.in_touch]
        answer.set()
        rig.server.put(resources.NODES, mirror_rig.a_node("w0"))
        await rig.shows(w0="red")
        heard.append(rig.cache.in_touch)
    assert heard == [False, True]


@pytest.mark.parametrize("refusal", [None, errors.Unavailable("connection reset")], ids=["ended", "broken"])
async def test_mirror_of_many_objects_lists_again_when_the_server_went_back(
    refusal: errors.KubernetesError | None,
) -> None:
    rig = mirror_rig.Rig()
    rig.server.put(resources.NODES, mirror_rig.a_node("w0"))
    restore = rig.server.backup()
    async with rig.running():
        rig.server.put(resources.NODES, mirror_rig.a_node("w0", "blue"))
        await rig.shows(w0="blue")
        before = asyncio.get_running_loop().time()
        restore()
        rig.server.end_streams(refusal)
        await rig.shows(w0="red")
        assert asyncio.get_running_loop().time() - before < 5
    assert rig.relists() == {("restored",): 1}
