"""The node's own object: followed, read at once, never shown as it was before, except by a restored server."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from kits.embedded import in_memory, neuron_node_store
from neuronspan_agent import errors, resources
from neuronspan_deviceplugin import metrics
from neuronspan_deviceplugin.neuron_node import own_node, reading

KIND = resources.NEURON_NODES


def numbered(numbering: str) -> dict[str, Any]:
    """Return the NeuronNode in one of its states."""
    manifest = neuron_node_store.neuron_node()
    manifest["spec"]["coreNumbering"] = numbering
    manifest["metadata"].pop("resourceVersion", None)
    return manifest


class Rig:
    """An agent's view of its node over a fake server."""

    def __init__(self, server: in_memory.ApiServer | None = None) -> None:
        self.server = server or in_memory.ApiServer()
        self.seen: list[str | None] = []
        self.own = own_node.OwnNode(self.server, "w1", self._see, metrics.Metrics())

    def _see(self, node: reading.NeuronNode | None) -> None:
        self.seen.append(node.numbering if node else None)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.own.run())
        await self.until(lambda: self.server.watchers == 1)
        yield
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def until(self, condition: Callable[[], bool]) -> None:
        for _ in range(2000):
            if condition():
                return
            await asyncio.sleep(0.1)  # virtual
        raise AssertionError(f"never happened; seen was {self.seen}")

    async def shows(self, *states: str | None) -> None:
        await self.until(lambda: self.seen == [*states])


async def test_object_is_shown_as_listed_and_as_it_changes() -> None:
    rig = Rig()
    rig.server.put(KIND, numbered("node"))
    async with rig.running():
        await rig.shows("node")
        rig.server.put(KIND, numbered("container"))
        await rig.shows("node", "container")
        rig.server.remove(KIND, "w1")
        await rig.shows("node", "container", None)
        rig.server.put(KIND, numbered("node"))
        await rig.shows("node", "container", None, "node")


async def test_missing_object_is_shown_as_none() -> None:
    rig = Rig()
    async with rig.running():
        assert rig.seen == [None]
        assert rig.own.in_touch


async def test_object_that_did_not_change_is_not_shown_again_by_a_list() -> None:
    rig = Rig()
    rig.server.put(KIND, numbered("node"))
    async with rig.running():
        rig.server.end_streams(errors.Unavailable("connection reset"))
        await rig.until(lambda: rig.server.calls.count("list neuronnodes") == 2)
        rig.server.put(KIND, numbered("container"))
        await rig.shows("node", "container")


async def test_event_that_is_older_than_what_was_read_is_not_shown() -> None:
    rig = Rig()
    rig.server.put(KIND, numbered("node"))
    async with rig.running():
        rig.server.mute()
        rig.server.put(KIND, numbered("container"))
        rig.server.put(KIND, numbered("node"))
        assert (await rig.own.fresh()).numbering == "node"
        rig.server.catch_up()
        await rig.shows("node", "node")


class SlowAnswer(in_memory.ApiServer):
    """The answer to the first read is on its way until ``arrive``."""

    def __init__(self) -> None:
        super().__init__()
        self.arrive = asyncio.Event()

    async def get(self, resource: resources.Resource, name: str, namespace: str = "") -> in_memory.Manifest:
        answer = await super().get(resource, name, namespace)
        if self.calls.count(f"get neuronnodes {name}") == 1:
            await self.arrive.wait()
        return answer


async def test_answer_that_an_event_has_overtaken_is_not_given_any_more() -> None:
    server = SlowAnswer()
    rig = Rig(server)
    server.put(KIND, numbered("node"))
    async with rig.running():
        reading_now = asyncio.create_task(rig.own.fresh())
        await rig.until(lambda: "get neuronnodes w1" in server.calls)
        await asyncio.sleep(1)  # virtual: it is answered
        server.put(KIND, numbered("container"))
        await rig.shows("node", "container")
        server.arrive.set()
        assert (await reading_now).numbering == "container"


async def test_answer_that_another_answer_has_overtaken_is_not_given_any_more() -> None:
    server = SlowAnswer()
    rig = Rig(server)
    server.put(KIND, numbered("node"))
    slow = asyncio.create_task(rig.own.fresh())
    await rig.until(lambda: server.calls == ["get neuronnodes w1"])
    await asyncio.sleep(1)  # virtual: it is answered
    server.put(KIND, numbered("container"))
    assert (await rig.own.fresh()).numbering == "container"
    server.arrive.set()
    assert (await slow).numbering == "container"


async def test_server_restored_from_a_backup_is_followed() -> None:
    rig = Rig()
    rig.server.put(KIND, numbered("node"))
    restore = rig.server.backup()
    async with rig.running():
        rig.server.put(KIND, numbered("container"))
        await rig.own.fresh()
        restore()
        rig.server.end_streams(errors.Unavailable("connection reset"))
        await rig.until(lambda: rig.seen[-1] == "node" and rig.server.watchers == 1)
        rig.server.put(KIND, numbered("container"))
        await rig.until(lambda: rig.seen[-1] == "container")


async def test_status_is_merged_into_the_object() -> None:
    rig = Rig()
    rig.server.put(KIND, numbered("node"))
    await rig.own.patch_status({"epoch": "e1"})
    await rig.own.patch_status({"held": []})
    assert rig.server.stored(KIND, "w1")["status"] == {"epoch": "e1", "held": []}
    assert rig.server.calls == ["merge_patch neuronnodes w1 status"] * 2


async def test_object_that_is_not_there_is_neither_read_nor_written() -> None:
    rig = Rig()
    with pytest.raises(errors.NotFound):
        await rig.own.fresh()
    with pytest.raises(errors.NotFound):
        await rig.own.patch_status({})
