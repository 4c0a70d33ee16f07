"""The whole cluster: API server, controllers, operator, and nodes with the plugin; all of it ends with the context."""

import asyncio
import contextlib
import dataclasses
import logging
import os
import pathlib
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from typing import Any

import yaml

from neuronspan_agent import kube, logs, settings
from neuronspan_embedded.api_server import server as servers
from neuronspan_embedded.api_server import verbs
from neuronspan_embedded.command import admission, package_files
from neuronspan_embedded.controllers import manager
from neuronspan_embedded.processes import launching, node, process

Manifest = dict[str, Any]

_TYPE_LABEL = "node.kubernetes.io/instance-type"
_OPERATOR_GRACE = 5.0
_CACHE = "NEURONSPAN_RUNTIME_CACHE"
_HANDED_ON = ("PATH", "LANG", "LC_ALL", "CXX", "PYTHONPATH", "LD_LIBRARY_PATH", "TMPDIR", "NEURONSPAN_RUNTIME_LIBRARY")


@dataclasses.dataclass(frozen=True)
class Cluster:
    """A cluster that runs."""

    server: servers.Server
    client: kube.Client
    kubeconfig: pathlib.Path
    directory: pathlib.Path

    def log(self, namespace: str, pod: str, container: str) -> pathlib.Path:
        """Return the file of what a container printed."""
        return _log(self.directory, namespace, pod, container)

    def neuron_nodes(self) -> list[Manifest]:
        """Return the NeuronNodes."""
        return self.server.store.all("neuronnodes.neuronspan.dev")

    def pods(self) -> list[Manifest]:
        """Return all pods."""
        return self.server.store.all("pods")

    def add(self, manifest: Manifest) -> Manifest:
        """Create an object as kubectl would; raises Refusal, and LookupError for a kind that is not served."""
        group, _, version = manifest.get("apiVersion", "v1").rpartition("/")
        for (of, at, _), kind in self.server.calls.served().items():
            if (of, at, kind.name) == (group, version, manifest["kind"]):
                given = manifest["metadata"].get("namespace") or "default"
                target = verbs.Target(kind, given if kind.namespaced else "")
                return self.server.calls.create(target, manifest)
        raise LookupError(f"{manifest['kind']} of {manifest.get('apiVersion', 'v1')} is not served here")


@contextlib.asynccontextmanager
async def running(types: Iterable[str], say: Callable[[str], None]) -> AsyncIterator[Cluster]:
    """Run a cluster with a node of each of these instance types, in a directory of its own that goes with it."""
    root = pathlib.Path(tempfile.mkdtemp(prefix="ns-", dir="/tmp"))
    try:
        async with contextlib.AsyncExitStack() as stack:
            yield await _started(stack, root, list(types), say)
    finally:
        shutil.rmtree(root, ignore_errors=True)


async def _started(
    stack: contextlib.AsyncExitStack, root: pathlib.Path, types: list[str], say: Callable[[str], None]
) -> Cluster:
    definitions = [yaml.safe_load(each.read_text()) for each in sorted(package_files.definitions().glob("*.yaml"))]
    server = await stack.enter_async_context(
        servers.Server(admission=admission.Requests(), definitions=definitions, logs=_reader(root))
    )
    kubeconfig = server.kubeconfig(root / "kubeconfig")
    client = await stack.enter_async_context(await kube.connect("neuronspan-try", str(kubeconfig)))
    cluster = Cluster(server, client, kubeconfig, root)
    await stack.enter_async_context(_task(manager.run(server.calls)))
    for each in dict.fromkeys(types):
        cluster.add(_pool(each))
    await stack.enter_async_context(_operator(root, kubeconfig))
    _plugins_log_to(root / "logs" / "plugins.log")
    machine = launching.Machine(sys.executable, shutil.which)
    variables = _variables()
    for number, each in enumerate(types, 1):
        name = f"w{number}"
        await stack.enter_async_context(
            node.running(
                name, {_TYPE_LABEL: each}, server.calls, client, machine, variables, root / name,
                lambda *of: _log(root, *of), say,
            )
        )  # fmt: skip
    return cluster


@contextlib.asynccontextmanager
async def _operator(root: pathlib.Path, kubeconfig: pathlib.Path) -> AsyncIterator[None]:
    """Run the operator as a process of its own, as in a cluster."""
    flags = (f"--kubeconfig={kubeconfig}", "--port=0", "--leader-election=false", "--identity=neuronspan-try")
    arguments = (sys.executable, "-m", "neuronspan_operator", *flags)
    wanted = launching.Launch(arguments, _of_this_process(), str(root))
    running = await process.Process.start(wanted, root / "logs" / "operator.log")
    try:
        yield
    finally:
        await running.end(_OPERATOR_GRACE)


@contextlib.asynccontextmanager
async def _task(work: Any) -> AsyncIterator[None]:
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _pool(instance_type: str) -> Manifest:
    return {
        "apiVersion": "neuronspan.dev/v1alpha1",
        "kind": "NeuronPool",
        "metadata": {"name": instance_type.replace(".", "-")},
        "spec": {
            "nodeSelector": {_TYPE_LABEL: instance_type},
            "hardware": {"instanceType": instance_type},
        },
    }


def _plugins_log_to(path: pathlib.Path) -> None:
    """Let the log of the plugins, which run in this process, go where the operator's is, not between the output."""
    logs.configure("info", logs.TEXT)
    root = logging.getLogger()
    root.handlers = [_file_handler(path, root.handlers)]


def _file_handler(path: pathlib.Path, like: list[logging.Handler]) -> logging.Handler:
    handler = logging.FileHandler(path)
    handler.setFormatter(like[0].formatter if like else None)
    return handler


def _of_this_process() -> dict[str, str]:
    """Return this process's environment, so that it means the same in another directory."""
    known = dict(settings.from_process())
    if known.get("PYTHONPATH"):
        parts = known["PYTHONPATH"].split(os.pathsep)
        known["PYTHONPATH"] = os.pathsep.join(str(pathlib.Path(each).resolve()) for each in parts)
    return known


def _variables() -> Mapping[str, str]:
    known = _of_this_process()
    cache = known.get(_CACHE) or str(pathlib.Path("~/.cache/neuronspan/runtime").expanduser())
    handed = {each: known[each] for each in _HANDED_ON if each in known}
    programs = os.pathsep.join((str(pathlib.Path(sys.executable).parent), handed.get("PATH", os.defpath)))
    return {**handed, "PATH": programs, "PYTHONUNBUFFERED": "1", _CACHE: cache}


def _log(root: pathlib.Path, namespace: str, pod: str, container: str) -> pathlib.Path:
    return root / "logs" / namespace / pod / f"{container}.log"


def _reader(root: pathlib.Path) -> servers.Logs:
    async def read(namespace: str, pod: str, container: str) -> str:
        folder = _log(root, namespace, pod, "").parent
        found = [folder / f"{container}.log"] if container else sorted(folder.glob("*.log"))[:1]
        return "".join(each.read_text(errors="replace") for each in found if each.exists())

    return read


def end_on_sigterm() -> None:
    """Let SIGTERM end the command as Ctrl-C does."""
    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
