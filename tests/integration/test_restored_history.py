"""An etcd restored from a backup: the API server's versions go back, and no event says so."""

import asyncio
import contextlib
import pathlib
import shutil
from typing import Any

import pytest

from kits.api_server import control_plane as control_plane_kit
from kits.api_server import tcp_proxy
from kits.embedded import neuron_node_store
from kits.world import running_operator
from neuronspan_agent import kube, meters, mirror, resources

pytestmark = pytest.mark.integration

NODE = "/apis/neuronspan.dev/v1alpha1/neuronnodes/w1"
PACES = {
    "few-objects": mirror.Pace(resumes=False),
    "many-objects": mirror.Pace(),
}


def _write(plane: control_plane_kit.ControlPlane, *epochs: str) -> None:
    for epoch in epochs:
        patch = {"status": {"epoch": epoch}}
        plane.request("PATCH", f"{NODE}/status", patch, "application/merge-patch+json").expect()


def _epoch(manifest: dict[str, Any]) -> str:
    return str((manifest.get("status") or {}).get("epoch"))


def _mirror(client: kube.Client, pace: mirror.Pace) -> mirror.Mirror[str]:
    return mirror.Mirror(
        client,
        resources.NEURON_NODES,
        _epoch,
        key_of=resources.name_of,
        on_change=lambda _: None,
        meters=meters.Meters("test"),
        pace=pace,
    )


async def _until_all_show(mirrors: dict[str, mirror.Mirror[str]], epoch: str) -> None:
    def shown() -> dict[str, str | None]:
        return {name: each.items.get("w1") for name, each in mirrors.items()}

    await running_operator.until(lambda: set(shown().values()) == {epoch}, what=f"{epoch} in every mirror")


async def test_mirrors_follow_an_api_server_restored_from_a_backup(tmp_path: pathlib.Path) -> None:
    data, backup = tmp_path / "etcd", tmp_path / "backup"
    manifest = neuron_node_store.neuron_node() | {"metadata": {"name": "w1"}}
    with control_plane_kit.running(tmp_path) as plane:
        plane.request("POST", NODE.removesuffix("/w1"), manifest).expect()
        _write(plane, "backed-up")
    shutil.copytree(data, backup)
    async with contextlib.AsyncExitStack() as stack:
        with control_plane_kit.running(tmp_path) as plane:
            proxy = await stack.enter_async_context(tcp_proxy.TcpProxy(plane.url).running())
            kubeconfig = plane.write_kubeconfig(url=proxy.url)
            client = await stack.enter_async_context(await kube.connect("test", kubeconfig))
            mirrors = {name: _mirror(client, pace) for name, pace in PACES.items()}
            following = [asyncio.create_task(each.run()) for each in mirrors.values()]
            await _until_all_show(mirrors, "backed-up")
            _write(plane, *map(str, range(50)), "lost")  # so many that the restored versions are older
            await _until_all_show(mirrors, "lost")
        shutil.rmtree(data)
        shutil.copytree(backup, data)
        with control_plane_kit.running(tmp_path) as plane:
            proxy.turn_to(plane.url)
            await _until_all_show(mirrors, "backed-up")
            _write(plane, "new")
            await _until_all_show(mirrors, "new")
            for each in following:
                each.cancel()
            await asyncio.gather(*following, return_exceptions=True)
