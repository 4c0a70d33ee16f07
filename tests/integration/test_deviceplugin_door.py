"""The agent's door to the API server, against a real one: list, watch, resume, and a status written under its rules."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from kits import builders, domain, neuron_node_store, plugin_rig, tcp_proxy
from kits import control_plane as control_plane_kit
from neuronspan_deviceplugin import errors, kube, node_watch, signals

pytestmark = pytest.mark.integration

NODES = "/apis/neuronspan.dev/v1alpha1/neuronnodes"
PATIENCE = 10.0


@pytest.fixture
def stored(control_plane: control_plane_kit.ControlPlane) -> Iterator[str]:
    """The name of a NeuronNode with one grant; gone at the end."""
    manifest = neuron_node_store.neuron_node([domain.grant("4-7")])
    manifest["metadata"] = {"name": "plugin-w1"}
    with control_plane.client() as admin:
        admin.request("POST", NODES, manifest).expect()
        yield "plugin-w1"
        admin.request("PATCH", f"{NODES}/plugin-w1", _releasing(), "application/merge-patch+json")
        admin.delete(f"{NODES}/plugin-w1")


def _releasing() -> dict[str, Any]:
    return {"spec": {"grants": [domain.grant("4-7").to_dict() | {"state": "Releasing"}]}}


@contextlib.asynccontextmanager
async def _door(kubeconfig: str, name: str) -> AsyncIterator[kube.NeuronNodeDoor]:
    door = await kube.connect(name, kubeconfig)
    try:
        yield door
    finally:
        await door.close()


async def test_object_is_listed_watched_and_read(control_plane: control_plane_kit.ControlPlane, stored: str) -> None:
    async with _door(control_plane.kubeconfig, stored) as door:
        listed, version = await door.listed()
        assert listed is not None
        assert listed == await door.fresh()
        async with asyncio.timeout(PATIENCE), contextlib.aclosing(door.watch(version)) as events:
            change = asyncio.ensure_future(anext(events))
            await door.patch_status({"epoch": "e7"})
            event = await change

        assert (event["type"], event["object"]["status"]) == ("MODIFIED", {"epoch": "e7"})


async def test_node_without_an_object_is_told_apart(control_plane: control_plane_kit.ControlPlane) -> None:
    async with _door(control_plane.kubeconfig, "nobody") as door:
        listed, version = await door.listed()
        assert listed is None
        assert int(version) > 0
        with pytest.raises(errors.NotFound, match="neuronnodes"):
            await door.fresh()
        with pytest.raises(errors.NotFound):
            await door.patch_status({})


async def test_history_that_is_gone_is_told_apart(control_plane: control_plane_kit.ControlPlane, stored: str) -> None:
    async with _door(control_plane.kubeconfig, stored) as door:
        with pytest.raises(errors.Gone):
            await anext(door.watch("1"))


async def test_watch_goes_on_after_its_connection_broke(
    control_plane: control_plane_kit.ControlPlane, stored: str
) -> None:
    seen: list[str] = []
    changed = signals.Signal()

    def note(manifest: dict[str, Any] | None) -> None:
        seen.append(((manifest or {}).get("status") or {}).get("epoch", ""))
        changed.raised()

    async def until(epoch: str) -> None:
        async with asyncio.timeout(PATIENCE):
            while epoch not in seen:
                await changed.beyond(changed.version)

    async with tcp_proxy.TcpProxy(control_plane.url).running() as proxy:
        kubeconfig = control_plane.write_kubeconfig(url=proxy.url)
        async with _door(kubeconfig, stored) as door, _door(control_plane.kubeconfig, stored) as direct:
            task = asyncio.create_task(node_watch.NodeWatch(door, note).run())
            await until("")
            await direct.patch_status({"epoch": "before"})
            await until("before")
            proxy.cut()
            await direct.patch_status({"epoch": "after"})
            await until("after")
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def test_server_that_is_not_there_is_an_api_error(control_plane: control_plane_kit.ControlPlane) -> None:
    kubeconfig = control_plane.write_kubeconfig(url="https://127.0.0.1:1")
    async with _door(kubeconfig, "w1") as door:
        with pytest.raises(errors.ApiError, match="is the API server reachable"):
            await door.listed()


async def test_kubeconfig_that_is_not_there_is_an_api_error() -> None:
    with pytest.raises(errors.ApiError, match="no credentials"):
        await kube.connect("w1", "/nowhere/kubeconfig")


async def test_agent_serves_a_node_of_a_real_api_server(
    control_plane: control_plane_kit.ControlPlane, stored: str
) -> None:
    async with plugin_rig.running(start=False) as rig, _door(control_plane.kubeconfig, stored) as door:
        rig.store = door  # type: ignore[assignment] # the real thing instead of the store
        await rig.start_agent()
        await rig.kubelet.run(builders.make_pod(cores=4, node="w1"))
        async with asyncio.timeout(PATIENCE):
            while True:
                version = rig.running.changed.version
                status = (await door.fresh()).get("status") or {}
                if status.get("held") == [builders.held("4-7")]:
                    break
                await rig.running.changed.beyond(version)

        assert rig.cores("uid-web") == "4-7"
        assert {each["type"]: each["status"] for each in status["conditions"]} == {
            "HardwareAccepted": "True",
            "LedgerReadable": "True",
            "ProcessesVisible": "True",
            "RecordIntact": "True",
            "Registered": "True",
        }
        await rig.stop_agent()
        stopped = next(each for each in (await door.fresh())["status"]["conditions"] if each["type"] == "Registered")
        assert stopped["reason"] == "Stopped"
