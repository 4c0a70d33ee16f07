"""A node: its kubelet, the real plugin beside it, and a worker for each pod that is bound to it."""

import asyncio
import contextlib
import pathlib
from collections.abc import AsyncIterator, Callable, Mapping

from neuronspan import names
from neuronspan_agent import kube
from neuronspan_deviceplugin import config, outside, supervisor
from neuronspan_embedded.api_server import verbs
from neuronspan_embedded.kubelet import kubelet as kubelets
from neuronspan_embedded.processes import launching, reports, worker

_PLUGIN_POLL_SECONDS = 0.2
_GRACE_AT_END = 2.0


class Node:
    """One node of the cluster; ``running`` makes it."""

    def __init__(self, host: worker.Host, calls: verbs.Verbs) -> None:
        self._host = host
        self._calls = calls
        self._changed = asyncio.Event()
        self._workers: dict[str, tuple[worker.Worker, asyncio.Task[None]]] = {}
        self._leaving: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Follow the pods of this node until cancelled; then all of them are ended."""
        self._calls.store.listeners.add(self._changed.set)
        try:
            while True:
                self._changed.clear()
                self._look()
                await self._changed.wait()
        finally:
            self._calls.store.listeners.discard(self._changed.set)
            await self._end_all()

    async def follow_devices(self) -> None:
        """Keep the Node's amounts as the plugin registered them."""
        told: dict[str, str] = {}
        while True:
            version = self._host.kubelet.changed.version
            now = worker.capacity(self._host.kubelet)
            if now != told:
                self._host.reports.node_has(now)
                told = now
            await self._host.kubelet.changed.beyond(version)

    def _look(self) -> None:
        bound = {each["metadata"]["uid"]: each for each in self._host.reports.pods()}
        for uid, pod in bound.items():
            leaves = "deletionTimestamp" in pod["metadata"]
            if uid not in self._workers and pod["status"].get("phase") not in {"Succeeded", "Failed"} and not leaves:
                begun = worker.Worker(self._host, pod)
                self._workers[uid] = (begun, asyncio.create_task(begun.run()))
            if leaves and uid not in self._leaving:
                grace = float(pod["metadata"].get("deletionGracePeriodSeconds") or 0)
                self._leaving[uid] = asyncio.create_task(self._end(uid, grace, pod))
        for uid in self._workers.keys() - bound.keys() - self._leaving.keys():
            self._leaving[uid] = asyncio.create_task(self._end(uid, 0.0, None))

    async def _end(self, uid: str, grace_seconds: float, pod: reports.Manifest | None) -> None:
        found = self._workers.get(uid)
        if found is not None:
            leaving, task = found
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await leaving.leave(grace_seconds)
            self._workers.pop(uid, None)
        if pod is not None:
            self._host.reports.pod_gone(pod)
        self._leaving.pop(uid, None)

    async def _end_all(self) -> None:
        cut_short = list(self._leaving.values())  # a pod that is given long to end is ended sooner now
        for task in cut_short:
            task.cancel()
        await asyncio.gather(*cut_short, return_exceptions=True)
        await asyncio.gather(*(self._end(uid, _GRACE_AT_END, None) for uid in list(self._workers)))


@contextlib.asynccontextmanager
async def running(
    name: str,
    labels: Mapping[str, str],
    calls: verbs.Verbs,
    client: kube.Client,
    machine: launching.Machine,
    variables: Mapping[str, str],
    directory: pathlib.Path,
    logs: Callable[[str, str, str], pathlib.Path],
    say: Callable[[str], None],
) -> AsyncIterator[Node]:
    """Run a node until the context is left; its processes have ended then."""
    async with kubelets.running(directory) as kubelet:
        settings = plugin_settings(name, directory, kubelet)
        shown = {**variables, names.STATE_DIRECTORY_ENV: str(settings.run_directory)}
        told = reports.Reports(calls, name)
        host = worker.Host(kubelet, told, machine, shown, directory / "pods", logs, say)
        told.add_node(labels, worker.capacity(kubelet))
        plugin = supervisor.Supervisor(settings, client, outside.Outside())
        node = Node(host, calls)
        working = asyncio.create_task(plugin.run())
        following = [asyncio.create_task(each) for each in (node.run(), node.follow_devices())]
        try:
            yield node
        finally:
            for each in following:
                each.cancel()
            await asyncio.gather(*following, return_exceptions=True)
            plugin.stop()
            await working


def plugin_settings(name: str, directory: pathlib.Path, kubelet: kubelets.Kubelet) -> config.Settings:
    """Return the settings of the plugin of a node: everything below the node's directory."""
    run = directory / "run"
    return config.Settings(
        node_name=name,
        kubelet_directory=kubelet.directory,
        pod_resources_socket=kubelet.pod_resources_socket,
        cdi_directory=kubelet.cdi,
        run_directory=run,
        checkpoint=run / "deviceplugin" / "checkpoint.json",
        cgroup_root=kubelet.groups.root,
        probe_port=0,
        poll_seconds=_PLUGIN_POLL_SECONDS,
    )
