"""What kopf is told, and how it is kept apart. That its handlers do their work is shown against a real API server."""

import asyncio
import json
import logging
import threading
from typing import Any

import kopf
import pytest
from kopf._core.actions import loggers

from kits.world import rehearsal
from neuronspan_agent import errors, logs, resources
from neuronspan_operator.pools import handlers


def test_connection_is_a_session_of_the_client_for_kopfs_own_loop() -> None:
    async def ask() -> None:
        client = Client()
        play = rehearsal.Rehearsal()
        info = handlers.Bridge(asyncio.get_running_loop(), client, play.keeper, play.known).connection()
        assert (info.server, info.aiohttp_session) == ("https://api", client.made[0][0])
        through = client.made[0][1]
        assert await through(_answer()) == "answer"

    asyncio.run(ask())


async def _answer() -> str:
    return "answer"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (handlers.settings("me").persistence.finalizer, "neuronspan.dev/finalizer"),
        (handlers.settings("me").peering.standalone, True),
        (handlers.settings("me").scanning.disabled, True),
        (handlers.settings("me").posting.reporting_instance, "me"),
    ],
    ids=["finalizer", "no-peering", "no-scanning", "instance"],
)
def test_settings_are_ours(value: object, expected: object) -> None:
    assert value == expected


def test_settings_leave_no_annotation_of_kopfs_own_name() -> None:
    storage = handlers.settings("me").persistence
    assert getattr(storage.progress_storage, "prefix", "") == "kopf.neuronspan.dev"
    assert getattr(storage.diffbase_storage, "prefix", "") == "kopf.neuronspan.dev"


def test_log_lines_of_kopf_name_the_object_and_leave_its_settings_out(caplog: pytest.LogCaptureFixture) -> None:
    pool = kopf.Body({"apiVersion": "neuronspan.dev/v1alpha1", "kind": "NeuronPool", "metadata": {"name": "trn1"}})
    with caplog.at_level(logging.INFO):
        loggers.ObjectLogger(body=pool, settings=handlers.settings("me")).info("Handler 'settle' succeeded.")
    (record,) = caplog.records
    formatter = logs.JsonFormatter(hidden=handlers.HIDDEN_FIELDS, renamed=handlers.RENAMED_FIELDS)
    line = json.loads(formatter.format(record))
    assert line.pop("object")["name"] == "trn1"
    assert line.keys() == {"time", "level", "logger", "message"}


class Client:
    """A server, sessions, and nothing else."""

    server = "https://api"

    def __init__(self) -> None:
        self.made: list[tuple[object, Any]] = []

    def session(self, through: Any) -> Any:
        self.made.append((object(), through))
        return self.made[-1][0]


async def bridge(play: rehearsal.Rehearsal) -> handlers.Bridge:
    return handlers.Bridge(asyncio.get_running_loop(), Client(), play.keeper, play.known)


def pool(name: str = "a") -> dict[str, Any]:
    spec = {"nodeSelector": {"neuron": "yes"}, "hardware": {"instanceType": "trn1.32xlarge"}}
    return {"metadata": {"name": name, "generation": 1}, "spec": spec}


async def test_bridge_settles_a_pool_that_kopf_saw_first() -> None:
    play = rehearsal.Rehearsal()
    async with play.running():
        await play.settle()
        seen_by_kopf = play.server.put(resources.NEURON_POOLS, pool())["metadata"]["resourceVersion"]
        statuses = await (await bridge(play)).settle(seen_by_kopf)
    assert list(statuses) == ["a"]


async def test_bridge_asks_kopf_to_come_back_when_the_cache_is_behind() -> None:
    play = rehearsal.Rehearsal()
    async with play.running():
        await play.settle()
        play.server.mute()
        version = play.server.put(resources.NEURON_POOLS, pool())["metadata"]["resourceVersion"]
        with pytest.raises(kopf.TemporaryError, match="cache of NeuronPools is behind"):
            await (await bridge(play)).settle(version)


async def test_bridge_asks_kopf_to_come_back_when_the_api_server_refuses() -> None:
    play = rehearsal.Rehearsal()
    version = play.server.put(resources.NEURON_POOLS, pool())["metadata"]["resourceVersion"]
    play.server.fail("merge_patch neuronpools", errors.Unavailable("down"))
    async with play.running():
        with pytest.raises(kopf.TemporaryError, match="the pool is not settled: down"):
            await (await bridge(play)).drain("a", version)


def operate(operator: Any, monkeypatch: pytest.MonkeyPatch, *, cancel_when: threading.Event | None = None) -> None:
    """Run `handlers.operate` with this in place of kopf, in real time: there are two threads."""
    monkeypatch.setattr(kopf, "operator", operator)

    async def run() -> None:
        play = rehearsal.Rehearsal()
        task = asyncio.create_task(handlers.operate(Client(), play.keeper, play.known, "me"))
        if cancel_when is not None:
            await asyncio.to_thread(cancel_when.wait, 10)
            task.cancel()
        await task

    asyncio.run(run())


def test_operate_raises_what_kopf_ended_with(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(**_: Any) -> None:
        raise ZeroDivisionError("a watch broke")

    with pytest.raises(ZeroDivisionError, match="a watch broke"):
        operate(broken, monkeypatch)


def test_operate_returns_when_kopf_ends_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    threads = list[str]()

    async def quick(**_: Any) -> None:
        threads.append(threading.current_thread().name)

    operate(quick, monkeypatch)
    assert threads == ["kopf"]


def test_operate_asks_kopf_to_end_and_waits_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    started, ends = threading.Event(), list[str]()

    async def patient(*, stop_flag: threading.Event, **_: Any) -> None:
        started.set()
        await asyncio.to_thread(stop_flag.wait, 10)
        ends.append("tidy")

    with pytest.raises(asyncio.CancelledError):
        operate(patient, monkeypatch, cancel_when=started)
    assert ends == ["tidy"]
