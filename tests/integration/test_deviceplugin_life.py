"""The agent's life beside a kubelet: restarts of either, lost sockets and streams, files gone bad, API server away."""

import asyncio
import contextlib
import dataclasses
import shutil
import socket
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from kits.kubelet import plugin_rig
from kits.manifests import builders, domain
from neuronspan import grants, names
from neuronspan_agent import errors as agent_errors
from neuronspan_deviceplugin import errors, outside, supervisor
from neuronspan_deviceplugin.host import checkpoint
from neuronspan_embedded.kubelet import kubelet as model_kubelet

EVERYTHING = {names.CORE_RESOURCE: 32, names.DEVICE_RESOURCE: 16}


def _allocatable(kubelet: model_kubelet.Kubelet) -> dict[str, int]:
    return {resource: kubelet.allocatable(resource) for resource in names.RESOURCES}


def _sockets(rig: plugin_rig.Rig) -> set[str]:
    return {path.name for path in rig.kubelet.directory.glob("neuronspan-*.sock")}


def _registrations(rig: plugin_rig.Rig, cause: str) -> float:
    return sum(rig.metric("registrations_total", resource=each, cause=cause) for each in names.RESOURCES)


async def _change(agent: supervisor.Supervisor, done: Any) -> None:
    async with asyncio.timeout(plugin_rig.PATIENCE):
        while not done():
            await agent.changed.beyond(agent.changed.version)


async def test_both_resources_are_registered_on_sockets_of_their_own() -> None:
    async with plugin_rig.running() as rig:
        assert _allocatable(rig.kubelet) == EVERYTHING
        assert len(_sockets(rig)) == 2
        await rig.store.until(lambda: rig.store.condition("Registered").get("status") == "True")


async def test_plugin_registers_again_when_kubelet_restarts() -> None:
    async with plugin_rig.running() as rig:
        before = _sockets(rig)
        await rig.kubelet.restart()
        assert _allocatable(rig.kubelet) == dict.fromkeys(names.RESOURCES, 0)
        await rig.registered()

        assert _allocatable(rig.kubelet) == EVERYTHING
        assert not _sockets(rig) & before
        assert len(_sockets(rig)) == 2


async def test_pods_keep_their_cores_and_start_again_after_a_kubelet_restart() -> None:
    async with plugin_rig.running(domain.grant("4-7"), domain.grant("20-21", "late")) as rig:
        await rig.kubelet.run(builders.make_pod(cores=4, node="w1"))
        await rig.kubelet.restart()
        await rig.registered()
        await rig.kubelet.start_container("uid-web", "app")
        await rig.kubelet.run(builders.make_pod("late", cores=2, node="w1"))

        assert (rig.cores("uid-web"), rig.cores("uid-late")) == ("4-7", "20-21")


async def test_kubelet_restart_in_the_middle_of_a_burst_costs_no_exactness() -> None:
    entries = [domain.grant(f"{2 * number}-{2 * number + 1}", f"p{number}") for number in range(16)]
    async with plugin_rig.running(*entries) as rig:
        for number in range(16):
            if number in {5, 11}:
                await rig.kubelet.restart()
                await rig.registered()
            await rig.kubelet.run(builders.make_pod(f"p{number}", cores=2, node="w1"))

        assert [rig.cores(each.pod_uid) for each in entries] == [str(each.span) for each in entries]


async def test_plugin_waits_for_a_kubelet_that_is_away() -> None:
    async with plugin_rig.running() as rig:
        await rig.kubelet.stop()
        await rig.store.until(lambda: rig.store.condition("Registered")["status"] == "False")
        await rig.kubelet.start()
        await rig.registered()

        assert _allocatable(rig.kubelet) == EVERYTHING


async def test_removed_socket_is_replaced() -> None:
    async with plugin_rig.running() as rig:
        for name in _sockets(rig):
            (rig.kubelet.directory / name).unlink()
        await _change(rig.running, lambda: _registrations(rig, "socket-gone") == 2)
        await rig.registered()

        assert _allocatable(rig.kubelet) == EVERYTHING
        assert len(_sockets(rig)) == 2


async def test_lost_stream_is_followed_by_a_new_registration() -> None:
    async with plugin_rig.running() as rig:
        await rig.kubelet.registration.clients[names.CORE_RESOURCE].disconnect()
        await _change(rig.running, lambda: _registrations(rig, "stream-lost") == 1)
        await rig.registered()

        assert _allocatable(rig.kubelet) == EVERYTHING


async def test_killed_plugin_remembers_the_former_holder_of_a_force_deleted_pod() -> None:
    """Nothing but our own record knows of the pod then: kubelet forgot it, the operator never heard of it."""
    async with plugin_rig.running(domain.grant("4-7")) as rig:
        await rig.kubelet.run(builders.make_pod(cores=4, node="w1"))
        await rig.store.until(rig.held)
        await rig.serving.observer.save()
        await rig.crash_agent()
        rig.kubelet.force_delete("uid-web")
        rig.store.write_ledger([domain.grant("4-7", "next")])
        await rig.start_agent()
        await rig.kubelet.admit(builders.make_pod("next", cores=4, node="w1"))
        assert rig.cores("uid-next") == "4-7"

        refused = ""
        try:
            await rig.kubelet.start_pod("uid-next")
        except model_kubelet.PreStartFailed as error:
            refused = str(error)
        assert "default/web[app] 4-7 (pod uid-web) still has processes" in refused
        rig.kubelet.kill("uid-web")
        await rig.kubelet.start_pod("uid-next")


async def test_plugin_killed_and_started_again_steers_and_verifies_as_before() -> None:
    async with plugin_rig.running(domain.grant("4-7"), domain.grant("8-9", "late")) as rig:
        await rig.kubelet.run(builders.make_pod(cores=4, node="w1"))
        await rig.crash_agent()
        await rig.start_agent()
        await rig.kubelet.start_container("uid-web", "app")
        await rig.kubelet.run(builders.make_pod("late", cores=2, node="w1"))

        await rig.store.until(lambda: [each["pod"] for each in rig.held()] == ["web", "late"])


async def test_plugin_killed_in_the_middle_of_allocate_costs_that_pod_only() -> None:
    async with plugin_rig.running(domain.grant("4-7"), domain.grant("8-11", "next")) as rig:
        reached, manager = asyncio.Event(), rig.serving.manager
        rig.serving.endpoints[0]._shared.pods.allocation = _never(reached)  # type: ignore[method-assign]
        admission = asyncio.create_task(rig.kubelet.admit(builders.make_pod(cores=4, node="w1")))
        await reached.wait()
        await rig.crash_agent()
        (rejected,) = await admission
        assert "Allocate failed" in rejected.message
        assert manager.holdings == ()
        await rig.start_agent()
        await rig.kubelet.run(builders.make_pod("next", cores=4, node="w1"))

        assert rig.cores("uid-next") == "8-11"
        rig.release("uid-web")
        await rig.store.until(lambda: rig.store.status["released"] == ["uid-web"])


def _never(reached: asyncio.Event) -> Any:
    """Stand in for an Allocate that is under way when the process dies."""

    @contextlib.asynccontextmanager
    async def allocation() -> AsyncIterator[None]:
        reached.set()
        await asyncio.Event().wait()
        yield

    return allocation


async def test_after_a_reboot_nothing_runs_and_everything_can_be_released() -> None:
    """Kubelet's record survives a reboot, processes and our record on memory do not."""
    async with plugin_rig.running(domain.grant("4-7", state=grants.GrantState.CONFIRMED)) as rig:
        await rig.kubelet.run(builders.make_pod(cores=4, node="w1"))
        await rig.crash_agent()
        await rig.kubelet.stop()
        rig.kubelet.groups.end_all("uid-web")
        shutil.rmtree(rig.settings.run_directory)
        await rig.kubelet.start()
        await rig.start_agent()
        await rig.store.until(lambda: [each["processes"] for each in rig.held()] == [False])
        rig.release("uid-web")

        await rig.store.until(lambda: rig.store.status["released"] == ["uid-web"] and not rig.held())


async def test_folder_that_cannot_be_written_ends_the_process_in_clear_words() -> None:
    async with plugin_rig.running(start=False) as rig:
        rig.settings.run_directory.write_text("a file where a folder should be")
        await rig.start_agent(registered=False)
        task, rig.agent = rig._task, None
        assert task is not None
        with pytest.raises(errors.CannotServe, match="mounted writable"):
            await task


async def test_taken_probe_port_ends_the_process_in_clear_words() -> None:
    async with plugin_rig.running() as rig:
        settings = dataclasses.replace(rig.settings, probe_port=rig.running.port)
        second = supervisor.Supervisor(settings, rig.store, outside.Outside())
        with pytest.raises(agent_errors.CannotListen, match="choose another"):
            await second.run()


async def test_corrupt_checkpoint_is_set_aside_and_the_record_rebuilt() -> None:
    async with plugin_rig.running(domain.grant("4-7")) as rig:
        await rig.kubelet.run(builders.make_pod(cores=4, node="w1"))
        await rig.stop_agent()
        whole = rig.settings.checkpoint.read_bytes()
        rig.settings.checkpoint.write_bytes(whole[:-20])
        await rig.start_agent()

        await rig.store.until(lambda: rig.store.condition("RecordIntact").get("status") == "False")
        aside = list(rig.settings.checkpoint.parent.glob("checkpoint.json.corrupt-*"))
        assert [each.read_bytes() for each in aside] == [whole[:-20]]
        assert aside[0].name in rig.store.condition("RecordIntact")["message"]
        await rig.store.until(lambda: [each["podUID"] for each in rig.held()] == ["uid-web"])
        await rig.serving.observer.save()
        assert [each.pod_uid for each in checkpoint.decode(rig.settings.checkpoint.read_bytes())] == ["uid-web"]


async def test_new_plugin_beside_the_old_one_takes_over_without_a_word_from_it() -> None:
    """A rolling update with surge: the old instance's stream ends only after the new one is registered."""
    async with plugin_rig.running(domain.grant("4-7")) as rig:
        old, old_task = rig.running, rig._task
        await rig.start_agent()
        await rig.store.until(lambda: rig.store.status["epoch"] == rig.running._epoch)
        old.stop()
        assert old_task is not None
        await old_task
        await rig.registered()
        await rig.kubelet.run(builders.make_pod(cores=4, node="w1"))

        assert rig.cores("uid-web") == "4-7"
        await rig.store.until(lambda: rig.store.condition("Registered")["status"] == "True")
        assert rig.store.status["epoch"] == rig.running._epoch


async def test_stopped_plugin_says_so_and_leaves_no_socket() -> None:
    async with plugin_rig.running() as rig:
        await rig.store.until(lambda: rig.store.condition("Registered").get("status") == "True")
        await rig.stop_agent()

        assert rig.store.condition("Registered")["status"] == "False"
        assert rig.store.condition("Registered")["reason"] == "Stopped"
        assert _sockets(rig) == set()


async def test_sockets_of_a_killed_plugin_are_swept_away() -> None:
    async with plugin_rig.running(start=False) as rig:
        stale = rig.kubelet.directory / "neuronspan-cores-dead.sock"
        with socket.socket(socket.AF_UNIX) as left_behind:
            left_behind.bind(str(stale))
        await rig.start_agent()

        assert not stale.exists()
        assert len(_sockets(rig)) == 2


async def test_started_container_starts_again_without_the_api_server() -> None:
    async with plugin_rig.running(domain.grant("4-7")) as rig:
        await rig.kubelet.run(builders.make_pod(cores=4, node="w1"))
        await rig.serving.observer.save()
        await rig.crash_agent()
        rig.store.go_down()
        await rig.start_agent()
        await rig.kubelet.start_container("uid-web", "app")

        assert rig.serving.manager.book is None
        rig.store.come_back()


async def test_plugin_catches_up_when_the_api_server_is_back() -> None:
    async with plugin_rig.running() as rig:
        rig.store.go_down()
        rig.grant(domain.grant("4-7"))
        rig.store.come_back()
        await rig.seen()

        assert [each.pod for each in rig.store.book().grants] == ["web"]


async def test_unreadable_ledger_is_named_and_the_last_good_one_kept() -> None:
    async with plugin_rig.running(domain.grant("4-7")) as rig:
        rig.store.edit(grants=[domain.grant("4-7").to_dict() | {"count": 0}])
        await rig.store.until(lambda: rig.store.condition("LedgerReadable").get("status") == "False")
        await rig.kubelet.run(builders.make_pod(cores=4, node="w1"))

        assert rig.cores("uid-web") == "4-7"


async def test_probe_says_ready_only_while_the_sockets_answer() -> None:
    async with plugin_rig.running() as rig, aiohttp.ClientSession(f"http://127.0.0.1:{rig.running.port}") as web:
        async with web.get("/readyz") as ready, web.get("/livez") as alive, web.get("/metrics") as metrics:
            assert (ready.status, alive.status, metrics.status) == (200, 200, 200)
            assert "neuronspan_plugin_registrations_total" in await metrics.text()
        await rig.kubelet.stop()
        await rig.store.until(lambda: rig.store.condition("Registered")["status"] == "False")
        async with web.get("/readyz") as ready:
            assert ready.status == 503
            assert names.CORE_RESOURCE in await ready.text()
        await rig.kubelet.start()
