"""The whole cluster: API server, controllers, operator, and nodes with the plugin; all of it ends with the context."""

import asyncio
import contextlib
import dataclasses
import logging
import os
import pathlib
import shutil
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from typing import Any

import yaml

from neuronspan_agent import kube, logs, settings
from neuronspan_embedded.api_server import server as servers
from neuronspan_embedded.api_server import verbs
from neuronspan_embedded.command import admission, directories, package_files
from neuronspan_embedded.controllers import manager
from neuronspan_embedded.processes import launching, node, process

Manifest = dict[str, Any]

_TYPE_LABEL = "node.kubernetes.io/instance-type"
_OPERATOR_GRACE = 5.0
_CACHE = "NEURONSPAN_RUNTIME_CACHE"
_HANDED_ON = ("PATH", "LANG", "LC_ALL", "CXX", "PYTHONPATH", "LD_LIBRARY_PATH", "TMPDIR", "NEURONSPAN_RUNTIME_LIBRARY")


class NotServed(Exception):  # noqa: N818 - the name says what happened
    """There is no such kind here."""


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
        """Create an object as kubectl would; raises Refusal, and NotServed."""
        group, _, version = manifest.get("apiVersion", "v1").rpartition("/")
        for (of, at, _), kind in self.server.calls.served().items():
            if (of, at, kind.name) == (group, version, manifest["kind"]):
                given = manifest["metadata"].get("namespace") or "default"
                target = verbs.Target(kind, given if kind.namespaced else "")
                return self.server.calls.create(target, manifest, verbs.Options(strict=True))
        way_out = "give its CustomResourceDefinition before it, or leave it out"
        raise NotServed(f"{manifest['kind']} of {manifest.get('apiVersion', 'v1')} is not served here: {way_out}")


@contextlib.asynccontextmanager
async def running(root: pathlib.Path, types: Iterable[str], say: Callable[[str], None]) -> AsyncIterator[Cluster]:
    """Run a cluster with a node of each of these instance types, and its files in this directory."""
    async with contextlib.AsyncExitStack() as stack:
        yield await _started(stack, root, list(types), say)


async def build_library(root: pathlib.Path) -> str:
    """Have the runtime's C++ library built unless it is; return what was wrong, "" when nothing was.

    Raises CannotLaunch when the interpreter cannot be started.
    """
    arguments = (sys.executable, "-m", "neuronspan_runtime", "build")
    environment = {**_of_this_process(), _CACHE: str(directories.cache(settings.from_process(), _CACHE, root))}
    log = root / "logs" / "library.log"
    running = await process.Process.start(launching.Launch(arguments, environment, str(root)), log)
    try:
        code = await running.ended()
    except asyncio.CancelledError:
        await running.end(0.0)
        raise
    return log.read_text(errors="replace").strip() if code else ""


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
    variables = _variables(root)
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


def _variables(root: pathlib.Path) -> Mapping[str, str]:
    known = _of_this_process()
    cache = str(directories.cache(known, _CACHE, root))
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
