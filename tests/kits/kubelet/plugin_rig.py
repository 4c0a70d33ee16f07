"""One node under test: the real agent, a model kubelet, and the NeuronNode in memory; the test is operator and user."""

import asyncio
import contextlib
import dataclasses
import itertools
import pathlib
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from typing import Any

from kits.embedded import neuron_node_store
from kits.manifests import builders
from neuronspan import device_ids, grants, ledger, names
from neuronspan_deviceplugin import config, outside, serving, supervisor
from neuronspan_embedded.kubelet import kubelet as model_kubelet
from neuronspan_embedded.kubelet import pods

POLL_SECONDS = 0.02
START_WAIT_SECONDS = 0.3
PATIENCE = 30.0


@dataclasses.dataclass
class Rig:
    """The node. ``agent`` is the running plugin process, None after ``crash`` or ``stop_agent``."""

    root: pathlib.Path
    kubelet: model_kubelet.Kubelet
    store: neuron_node_store.NeuronNodeStore
    settings: config.Settings
    agent: supervisor.Supervisor | None = None
    _task: "asyncio.Task[None] | None" = None
    _tokens: Iterator[int] = dataclasses.field(default_factory=itertools.count)

    # --- the plugin's process ------------------------------------------------------------------------------------

    async def start_agent(self, *, registered: bool = True, silence_seconds: float = 0.2) -> supervisor.Supervisor:
        """Start a plugin process; waits until kubelet has its devices."""
        out = outside.Outside(new_token=lambda: f"t{next(self._tokens)}")
        self.agent = supervisor.Supervisor(self.settings, self.store, out, silence_seconds=silence_seconds)
        self._task = asyncio.create_task(self.agent.run())
        if registered:
            await self.registered()
        return self.agent

    async def registered(self) -> None:
        """Wait until kubelet has the devices of both resources and the status says so."""
        await self.kubelet.until(lambda: all(self.kubelet.allocatable(each) for each in names.RESOURCES))
        agent = self.running
        async with asyncio.timeout(PATIENCE):
            while not (agent.serving and all(each.status.registered for each in agent.serving.endpoints)):
                await agent.changed.beyond(agent.changed.version)

    @property
    def running(self) -> supervisor.Supervisor:
        """The running plugin process."""
        assert self.agent is not None
        return self.agent

    @property
    def serving(self) -> serving.Serving:
        """What it serves."""
        assert self.running.serving is not None
        return self.running.serving

    async def stop_agent(self) -> None:
        """End the process as SIGTERM does."""
        self.running.stop()
        await self._ended()

    async def crash_agent(self) -> None:
        """End the process as SIGKILL does: nothing is said or saved any more."""
        agent = self.running
        self.store.down, down = True, self.store.down
        if agent.serving:
            agent.serving.observer.save = _nothing  # type: ignore[method-assign] # a killed process saves nothing
        agent.stop()
        await self._ended()
        self.store.down = down

    async def _ended(self) -> None:
        assert self._task is not None
        async with asyncio.timeout(PATIENCE):
            await self._task
        self.agent = self._task = None

    # --- the operator --------------------------------------------------------------------------------------------

    def grant(self, *entries: grants.Grant) -> None:
        """Add grants to the ledger."""
        self.store.write_ledger((*self.store.book().grants, *entries))

    def release(self, uid: str) -> None:
        """Make the pod's grants Releasing."""
        book = self.store.book()
        for each in book.of_pod(uid):
            book = book.release(each.key, builders.CREATED)
        self.store.write_ledger(book.grants)

    def forget(self, uid: str) -> None:
        """Drop the pod's grants."""
        self.store.write_ledger(each for each in self.store.book().grants if each.pod_uid != uid)

    def change_ledger(self, book: ledger.Ledger) -> None:
        """Write another ledger."""
        self.store.write_ledger(book.grants)

    async def seen(self) -> None:
        """Wait until the plugin has seen the ledger as it is."""
        book = self.store.book()
        async with asyncio.timeout(PATIENCE):
            while self.serving.manager.book != book:
                await self.running.changed.beyond(self.running.changed.version)

    # --- what is seen --------------------------------------------------------------------------------------------

    def cores(self, uid: str, container: str = "app", resource: str = names.CORE_RESOURCE) -> str:
        """Return the container's cores by kubelet, like ``4-7``; "" when it has none."""
        ids = self.kubelet.ids(uid, container, resource)
        return str(device_ids.span_of(resource, ids, self.serving.manager.hardware)) if ids else ""

    def held(self) -> list[dict[str, Any]]:
        """Return status.held as stored."""
        return list(self.store.status.get("held") or ())

    def metric(self, name: str, **labels: str) -> float:
        """Return a counter's value, 0 when it was never touched."""
        value = self.running.meters.registry.get_sample_value(f"neuronspan_plugin_{name}", labels)
        return value or 0.0


@contextlib.asynccontextmanager
async def running(
    *entries: grants.Grant,
    seed: int = 0,
    start: bool = True,
    layout: pods.Layout = pods.Layout.V2_SYSTEMD,
    instance_type: str = builders.LARGE,
    **settings: Any,
) -> AsyncIterator[Rig]:
    """Return a node with these grants; everything is stopped and removed at the end."""
    root = pathlib.Path(tempfile.mkdtemp(prefix="ns-"))  # short: a socket's path has at most 107 bytes
    store = neuron_node_store.NeuronNodeStore(neuron_node_store.neuron_node(entries, instance_type=instance_type))
    try:
        async with model_kubelet.running(root, seed=seed, layout=layout) as kubelet:
            rig = Rig(root, kubelet, store, _settings(root, kubelet, settings))
            if start:
                await rig.start_agent()
            try:
                yield rig
            finally:
                if rig.agent is not None:
                    await rig.stop_agent()
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _settings(root: pathlib.Path, kubelet: model_kubelet.Kubelet, changes: dict[str, Any]) -> config.Settings:
    values: dict[str, Any] = {
        "node_name": "w1",
        "kubelet_directory": kubelet.directory,
        "pod_resources_socket": kubelet.pod_resources_socket,
        "cdi_directory": kubelet.cdi,
        "run_directory": root / "run",
        "checkpoint": root / "run" / "deviceplugin" / "checkpoint.json",
        "cgroup_root": kubelet.groups.root,
        "probe_port": 0,
        "poll_seconds": POLL_SECONDS,
        "start_wait_seconds": START_WAIT_SECONDS,
    }
    return config.Settings(**(values | changes))


async def _nothing() -> None:
    """Stand in for what a killed process does not do any more."""
