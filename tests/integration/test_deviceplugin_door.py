"""The agent's NeuronNode at a real API server: listed, watched, resumed, and a status written under its rules."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from kits.api_server import control_plane as control_plane_kit
from kits.api_server import tcp_proxy
from kits.embedded import neuron_node_store
from kits.kubelet import plugin_rig
from kits.manifests import builders, domain
from neuronspan_agent import errors, kube, resources, signals
from neuronspan_deviceplugin import metrics
from neuronspan_deviceplugin.neuron_node import own_node, reading

pytestmark = pytest.mark.integration

NODES = "/apis/neuronspan.dev/v1alpha1/neuronnodes"
PATIENCE = 10.0


@pytest.fixture
def stored(control_plane: control_plane_kit.ControlPlane) -> Iterator[str]:
    """The name of a NeuronNode with one grant; gone at the end."""
    manifest = neuron_node_store.neuron_node([domain.grant("4-7")])
    manifest["metadata"] = {"name": "w1"}
    with control_plane.client() as admin:
        admin.request("POST", NODES, manifest).expect()
        yield "w1"
        admin.request("PATCH", f"{NODES}/w1", _releasing(), "application/merge-patch+json")
        admin.delete(f"{NODES}/w1")


def _releasing() -> dict[str, Any]:
    return {"spec": {"grants": [domain.grant("4-7").to_dict() | {"state": "Releasing"}]}}


class Seen:
    """An agent's own node, and every state of it that was shown."""

    def __init__(self, client: kube.Client, name: str) -> None:
        self.changed = signals.Signal()
        self.states: list[reading.NeuronNode | None] = []
        self.own = own_node.OwnNode(client, name, self._see, metrics.Metrics())

    def _see(self, node: reading.NeuronNode | None) -> None:
        self.states.append(node)
        self.changed.raised()

    def epochs(self) -> list[str]:
        return [each.status.get("epoch", "") for each in self.states if each is not None]

    async def until_epoch(self, epoch: str) -> None:
        async with asyncio.timeout(PATIENCE):
            while epoch not in self.epochs():
                await self.changed.beyond(self.changed.version)


@contextlib.asynccontextmanager
async def _seen(kubeconfig: str, name: str) -> AsyncIterator[Seen]:
    """Connect; whoever wants to follow the object runs ``own``."""
    async with await kube.connect("test", kubeconfig) as client:
        yield Seen(client, name)


async def test_object_is_listed_watched_and_read(control_plane: control_plane_kit.ControlPlane, stored: str) -> None:
    async with _seen(control_plane.kubeconfig, stored) as seen:
        following = asyncio.create_task(seen.own.run())
        await seen.until_epoch("")
        assert seen.states == [await seen.own.fresh()]
        await seen.own.patch_status({"epoch": "e7"})
        await seen.until_epoch("e7")
        following.cancel()


async def test_node_without_an_object_is_told_apart(control_plane: control_plane_kit.ControlPlane) -> None:
    async with _seen(control_plane.kubeconfig, "absent") as seen:
        following = asyncio.create_task(seen.own.run())
        async with asyncio.timeout(PATIENCE):
            await seen.changed.beyond(0)
        assert seen.states == [None]
        with pytest.raises(errors.NotFound, match="neuronnodes"):
            await seen.own.fresh()
        with pytest.raises(errors.NotFound):
            await seen.own.patch_status({})
        following.cancel()


async def test_history_that_is_gone_is_told_apart(control_plane: control_plane_kit.ControlPlane, stored: str) -> None:
    async with await kube.connect("test", control_plane.kubeconfig) as client:
        events = client.watch(
            resources.NEURON_NODES,
            resources.Selector(fields=f"metadata.name={stored}"),
            resource_version="1",
            silence_seconds=PATIENCE,
            stream_seconds=int(PATIENCE),
        )
        with pytest.raises(errors.Gone):
            await anext(events)


async def test_watch_goes_on_after_its_connection_broke(
    control_plane: control_plane_kit.ControlPlane, stored: str
) -> None:
    async with tcp_proxy.TcpProxy(control_plane.url).running() as proxy:
        kubeconfig = control_plane.write_kubeconfig(url=proxy.url)
        async with _seen(kubeconfig, stored) as seen, _seen(control_plane.kubeconfig, stored) as direct:
            following = asyncio.create_task(seen.own.run())
            await seen.until_epoch("")
            await direct.own.patch_status({"epoch": "before"})
            await seen.until_epoch("before")
            proxy.cut()
            await direct.own.patch_status({"epoch": "after"})
            await seen.until_epoch("after")
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
        assert seen.epochs() == ["", "before", "after"]


async def test_server_that_is_not_there_is_an_error_with_the_way_out(
    control_plane: control_plane_kit.ControlPlane,
) -> None:
    async with _seen(control_plane.write_kubeconfig(url="https://127.0.0.1:1"), "w1") as seen:
        with pytest.raises(errors.Unavailable, match="is the API server reachable"):
            await seen.own.fresh()


async def test_agent_serves_a_node_of_a_real_api_server(
    control_plane: control_plane_kit.ControlPlane, stored: str
) -> None:
    async with (
        plugin_rig.running(start=False) as rig,
        await kube.connect("test", control_plane.kubeconfig) as client,
    ):
        rig.store = client  # type: ignore[assignment] # the real thing instead of the store
        await rig.start_agent()
        await rig.kubelet.run(builders.make_pod(cores=4, node="w1"))
        async with asyncio.timeout(PATIENCE):
            while True:
                version = rig.running.changed.version
                status = (await client.get(resources.NEURON_NODES, stored)).get("status") or {}
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
        conditions = (await client.get(resources.NEURON_NODES, stored))["status"]["conditions"]
        stopped = next(each for each in conditions if each["type"] == "Registered")
        assert stopped["reason"] == "Stopped"
