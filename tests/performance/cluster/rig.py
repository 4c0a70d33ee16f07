"""The cluster that is measured: etcd, kube-apiserver, kube-scheduler and operator as processes, nodes as objects.

The chart is installed by helm, so both kinds of pods pass its admission, and the operator has the rights of its own
service account. There is no kubelet and no device plugin: a pod is done when it is bound.
"""

import concurrent.futures
import contextlib
import dataclasses
import itertools
import pathlib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from kits.api_server import admission as admission_kit
from kits.api_server import api_client, chart, plain_scheduler
from kits.api_server import control_plane as control_plane_kit
from neuronspan import names
from performance.cluster import api_calls, counting, figures, processes, profiling, watching

NAMESPACE = "measured"
INSTANCE_TYPE = "trn1.32xlarge"
CORES_OF_NODE = 32
CORES_OF_POD = 4
KINDS: Mapping[str, Mapping[str, str]] = {"plain": {}, "cores": {names.CORES_ANNOTATION: str(CORES_OF_POD)}}
"""The annotations of both kinds of pods: for kube-scheduler alone, and with NeuronCores."""

_PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
_NEURON_NODES = "/apis/neuronspan.dev/v1alpha1/neuronnodes"
_AMOUNTS = {"cpu": "192", "memory": "512Gi", "pods": "250", names.DEVICE_RESOURCE: "16"}
_AMOUNTS |= {names.CORE_RESOURCE: str(CORES_OF_NODE)}
_ASKED = {"cpu": "100m", "memory": "500Mi"}  # as the pods of scheduler_perf
_LONG_AGO = "2026-01-01T00:00:00Z"
_CLIENTS = 8
_SETTLE_SECONDS = 600.0
_PAGE = 500


class NotReadyError(Exception):
    """The cluster did not get where a measurement can begin; the message says what was missing."""


@dataclasses.dataclass(frozen=True)
class Rig:
    """A running cluster of empty nodes."""

    admission: admission_kit.Admission
    clients: Sequence[api_client.Client]
    """Connections that create at the same time; they are open, so that no pod waits for a handshake."""
    watcher: watching.Watcher
    processes: Mapping[str, "subprocess.Popen[bytes]"]
    """What runs, by name."""
    _numbers: Iterator[int] = dataclasses.field(default_factory=itertools.count)

    def run(self, kind: str, count: int) -> figures.Run:
        """Create so many pods as fast as the API server takes them, and wait until all are bound."""
        wanted = [f"{kind}-{next(self._numbers)}" for _ in range(count)]
        created: dict[str, float] = {}

        def create(client: api_client.Client, name: str) -> None:
            created[name] = time.monotonic()
            client.create(_PODS, _pod(name, kind))

        _in_parallel(self.clients, create, wanted)
        return figures.Run(created, self.watcher.wait(wanted), {})

    def counted_run(self, kind: str, count: int) -> figures.Run:
        """Run, and count what processes and API server did for it until all is quiet: Events come after bindings."""
        return counting.Counting(self._writes, self._processor_seconds).counted(lambda: self.run(kind, count))

    def clear(self) -> None:
        """Delete all pods, and give their cores back as the nodes' plugins would."""

        def delete(client: api_client.Client, name: str) -> None:
            client.delete(f"{_PODS}/{name}", {"gracePeriodSeconds": 0})

        pods = self.admission.admin.get(_PODS)["items"]  # deleted as one collection they may take longer than a call
        _in_parallel(self.clients, delete, [each["metadata"]["name"] for each in pods])
        self._wait_for(lambda: not self._release(), "all ledgers to be empty")

    def register(self, count: int) -> None:
        """Wait until the operator has made a NeuronNode per node, and play the plugins' start."""
        self._wait_for(lambda: self._count_neuron_nodes() == count, f"{count} NeuronNodes")
        condition = {
            "type": names.REGISTERED_CONDITION,
            "status": "True",
            "reason": "Played",
            "lastTransitionTime": _LONG_AGO,
        }
        hardware = {item["metadata"]["name"]: item["spec"]["hardware"] for item in self._neuron_nodes()}

        def start(client: api_client.Client, node: str) -> None:
            _report(client, node, {"hardware": hardware[node], "epoch": "1", "conditions": [condition]})

        _in_parallel(self.clients, start, list(hardware))

    def _release(self) -> int:
        """Report the pods of all ledgers as gone without a process left; return how many grants there were."""
        ledgers = {item["metadata"]["name"]: item["spec"].get("grants") or [] for item in self._neuron_nodes()}
        uids = {node: sorted({grant["podUID"] for grant in grants}) for node, grants in ledgers.items() if grants}

        def report(client: api_client.Client, node: str) -> None:
            _report(client, node, {"released": uids[node], "held": []})

        _in_parallel(self.clients, report, list(uids))
        return sum(map(len, ledgers.values()))

    def _count_neuron_nodes(self) -> int:
        page = self.admission.admin.get(f"{_NEURON_NODES}?limit=1")
        return len(page["items"]) + int(page["metadata"].get("remainingItemCount") or 0)

    def _neuron_nodes(self) -> list[dict[str, Any]]:
        """Return all of them, page by page: thousands are more than an answer in time."""
        items: list[dict[str, Any]] = []
        following = ""
        while True:
            page = self.admission.admin.get(f"{_NEURON_NODES}?limit={_PAGE}&continue={following}")
            items += page["items"]
            following = page["metadata"].get("continue") or ""
            if not following:
                return items

    def _writes(self) -> dict[str, float]:
        return api_calls.writes(self.admission.admin.get("/metrics")["text"])

    def _processor_seconds(self) -> dict[str, float]:
        return {name: processes.processor_seconds(process.pid) for name, process in self.processes.items()}

    def _wait_for(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + _SETTLE_SECONDS
        while not condition():
            if ended := [name for name, process in self.processes.items() if process.poll() is not None]:
                log = (self.admission.plane.directory / f"{ended[0]}.log").read_text(encoding="utf-8")
                raise NotReadyError(f"{ended[0]} has ended; the end of its log:\n{log[-3000:]}")
            if time.monotonic() > deadline:
                raise NotReadyError(f"waited {_SETTLE_SECONDS:g} s for {what}")
            time.sleep(0.5)  # other processes have to get there: asking is all there is


@contextlib.contextmanager
def running(directory: pathlib.Path, nodes: int, profile: pathlib.Path | None = None) -> Iterator[Rig]:
    """Start everything in this empty directory, with so many nodes that have registered their NeuronCores.

    With ``profile`` the operator writes there where its time went.
    """
    with contextlib.ExitStack() as stack:
        plane = stack.enter_context(control_plane_kit.running(directory))
        admission = stack.enter_context(admission_kit.installed(plane))
        admission.admin.create("/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
        clients = [plane.client() for _ in range(_CLIENTS)]
        _in_parallel(clients, lambda client, name: client.create("/api/v1/nodes", _node(name)), _node_names(nodes))
        started = stack.enter_context(plain_scheduler.running(plane))
        operator = stack.enter_context(
            control_plane_kit.process("operator", _operator_command(admission, profile), directory)
        )
        watcher = stack.enter_context(watching.pods(plane, NAMESPACE))
        processes = {"operator": operator, "kube-scheduler": started, "kube-apiserver": plane.apiserver}
        rig = Rig(admission, clients, watcher, processes)
        rig.register(nodes)
        for kind in KINDS:  # the first pods of each kind show that its scheduler is up, and fill its caches
            rig.run(kind, 10)
        rig.clear()
        yield rig


def _report(client: api_client.Client, node: str, status: Mapping[str, Any]) -> None:
    """Write the status of a NeuronNode as its plugin would."""
    plugin = client.acting_as(admission_kit.plugin_of(node))
    plugin.patch(f"{_NEURON_NODES}/{node}/status", {"status": dict(status)})


def _node_names(count: int) -> list[str]:
    return [f"node-{number:04d}" for number in range(count)]


def _node(name: str) -> dict[str, Any]:
    condition = {"type": "Ready", "status": "True", "reason": "Played", "lastTransitionTime": _LONG_AGO}
    labels = {names.HOSTNAME_LABEL: name, "neuronspan.dev/instance-type": INSTANCE_TYPE}
    status = {"capacity": _AMOUNTS, "allocatable": _AMOUNTS, "conditions": [condition]}
    return {"metadata": {"name": name, "labels": labels}, "status": status}


def _pod(name: str, kind: str) -> dict[str, Any]:
    container = {"name": "app", "image": "none", "resources": {"limits": _ASKED, "requests": _ASKED}}
    return {"metadata": {"name": name, "annotations": dict(KINDS[kind])}, "spec": {"containers": [container]}}


def _operator_command(admission: admission_kit.Admission, profile: pathlib.Path | None) -> list[str]:
    """Return the operator as the chart's Deployment runs it, outside a container."""
    account = f"/api/v1/namespaces/{chart.NAMESPACE}/serviceaccounts/{chart.RELEASE}-operator/token"
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    token = admission.admin.create(account, request)["status"]["token"]
    kubeconfig = admission.plane.write_kubeconfig(token=token)
    places = [f"--namespace={chart.NAMESPACE}", f"--lease-name={chart.RELEASE}-operator"]
    places += ["--lease-seconds=900", "--renew-seconds=600"]  # a busy machine is no reason to end a measurement
    program = ["-m", "neuronspan_operator"] if profile is None else profiling.operator(profile)
    return [sys.executable, *program, "--port=0", f"--kubeconfig={kubeconfig}", *places]


def _in_parallel(
    clients: Sequence[api_client.Client], do: Callable[[api_client.Client, str], object], items: Sequence[str]
) -> None:
    """Do it for every item, each client its share; the first failure is raised."""

    def work(number: int) -> None:
        for item in items[number :: len(clients)]:
            do(clients[number], item)

    with concurrent.futures.ThreadPoolExecutor(len(clients)) as pool:
        for worker in [pool.submit(work, number) for number in range(min(len(clients), len(items)))]:
            worker.result()
