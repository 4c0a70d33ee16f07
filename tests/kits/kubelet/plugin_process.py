"""The plugin as a process of its own, as its image starts it: before a kubelet and an API server in the test's loop.

Nothing of it is replaced: it logs in with a kubeconfig, over TLS, and writes files below the node's directory.
"""

import asyncio
import contextlib
import dataclasses
import os
import pathlib
import shutil
import sys
import tempfile
import types
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

from kits.embedded import http_server, neuron_node_store
from kits.manifests import builders
from neuronspan import names
from neuronspan_agent import resources
from neuronspan_embedded.api_server import server as api_server
from neuronspan_embedded.api_server import verbs
from neuronspan_embedded.kubelet import kubelet as model_kubelet

NODE = "w1"
PATIENCE = 30.0
"""Seconds to wait for anything: a process imports half a second of modules before it does a thing."""

Manifest = dict[str, Any]


@dataclasses.dataclass
class Machine:
    """A node without its plugin: ``root`` has its files. ``starting`` runs the plugin."""

    root: pathlib.Path
    kubelet: model_kubelet.Kubelet
    server: api_server.Server

    @property
    def neuron_node(self) -> Manifest:
        """The NeuronNode as it is stored."""
        found = self.server.store.find(self._kind.resource, "", NODE)
        assert found is not None, "the NeuronNode was made when the machine began"
        return found

    @property
    def status(self) -> Manifest:
        """The status that the plugin has written, empty before."""
        return dict(self.neuron_node.get("status") or {})

    def edit(self, **spec: Any) -> None:
        """Change fields of the NeuronNode's spec, as the operator does."""
        target = verbs.Target(self._kind, name=NODE)
        self.server.calls.patch(target, {"spec": spec}, "application/merge-patch+json")

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until it holds, looked at with every write to the API server; raises TimeoutError."""
        written = asyncio.Event()
        self.server.store.listeners.add(written.set)
        try:
            async with asyncio.timeout(PATIENCE):
                while not condition():
                    written.clear()
                    await written.wait()
        finally:
            self.server.store.listeners.discard(written.set)

    async def registered(self) -> None:
        """Wait until kubelet has devices of both resources, and the status says that the plugin serves."""
        async with asyncio.timeout(PATIENCE):
            while not all(self.kubelet.allocatable(each) for each in names.RESOURCES):
                await self.kubelet.changed.beyond(self.kubelet.changed.version)
        await self.until(lambda: self.status.get("hardware"))

    @contextlib.asynccontextmanager
    async def starting(
        self,
        *flags: str,
        interpreter: Sequence[str] = (sys.executable,),
        path: Sequence[str] = tuple(sys.path),
        environment: Mapping[str, str] = types.MappingProxyType({}),
    ) -> AsyncIterator["Plugin"]:
        """Start the plugin; it is ended when the context is left."""
        command = (*interpreter, "-m", "neuronspan_deviceplugin", *self._flags(), *flags)
        log = self.root / "plugin.log"
        given = {"PYTHONPATH": os.pathsep.join(path), **environment}  # nothing else: no setting of this machine gets in
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(*command, stdout=output, stderr=output, env=given)
        plugin = Plugin(process, log)
        try:
            yield plugin
        except BaseException as error:
            error.add_note(f"the plugin's log ends with: {plugin.output[-2000:]}")
            raise
        finally:
            if process.returncode is None:
                process.terminate()
            async with asyncio.timeout(PATIENCE):
                await process.wait()

    @property
    def _kind(self) -> Any:
        kind = resources.NEURON_NODES
        return self.server.calls.served()[kind.group, kind.version, kind.plural]

    def _flags(self) -> tuple[str, ...]:
        run = self.root / "run"
        return (
            f"--node-name={NODE}",
            f"--kubeconfig={self.server.kubeconfig(self.root / 'kubeconfig')}",
            f"--kubelet-directory={self.kubelet.directory}",
            f"--pod-resources-socket={self.kubelet.pod_resources_socket}",
            f"--cdi-directory={self.kubelet.cdi}",
            f"--cgroup-root={self.kubelet.groups.root}",
            f"--run-directory={run}",
            f"--checkpoint={run / 'deviceplugin' / 'checkpoint.json'}",
            "--probe-port=0",
        )


@dataclasses.dataclass
class Plugin:
    """A running plugin, and what it has written to its standard streams."""

    process: asyncio.subprocess.Process
    log: pathlib.Path

    @property
    def output(self) -> str:
        """All that it has written so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")


@contextlib.asynccontextmanager
async def machine(
    *, instance_type: str = builders.LARGE, spec: Manifest | None = None, seed: int = 0
) -> AsyncIterator[Machine]:
    """Return a node of this type, or with this spec of its NeuronNode; everything is stopped and removed at the end."""
    root = pathlib.Path(tempfile.mkdtemp(prefix="ns-"))  # short: a socket's path has at most 107 bytes
    manifest = neuron_node_store.neuron_node(instance_type=instance_type)
    manifest["metadata"] = {"name": NODE}
    if spec is not None:
        manifest["spec"] = spec
    try:
        async with (
            model_kubelet.running(root, seed=seed) as kubelet,
            api_server.Server(definitions=http_server.definitions()) as server,
        ):
            made = Machine(root, kubelet, server)
            kind = made._kind
            server.calls.create(verbs.Target(kind), manifest)
            yield made
    finally:
        shutil.rmtree(root, ignore_errors=True)
