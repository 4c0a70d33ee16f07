"""By which numbers a pod that holds tensors is told of its cores and devices: one table, from one live pod.

Half of the node is another pod's, so that no number is right by chance. Without a cluster, and for more hardware:
integration/test_core_numbering.py. `pytest -s` shows the table.
"""

import dataclasses
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from kits.release import agreement, cluster_access, helm_release, installation, workloads
from neuronspan import device_ids, instance_types, names, spans, visible_cores

RUNTIME = "neuronspan/runtime:0.1.0"
SECONDS = 120
HARDWARE = instance_types.hardware_of("trn1.32xlarge")
AS_OPERATOR = "--as=system:serviceaccount:neuronspan-system:neuronspan-operator"
HOLD = """
import time
import torch, torch_neuronx
count = torch_neuronx.device_count()
held = [torch.ones(2, device=f"neuron:{index}") for index in range(count)]
print("holds", count, flush=True)
time.sleep(86400)  # the pod holds its tensors for as long as it is there
"""
MONITOR = {
    "period": "1s",
    "neuron_runtimes": [{"tag_filter": ".*", "metrics": [{"type": "neuroncore_counters"}]}],
    "system_metrics": [],
}


@dataclasses.dataclass(frozen=True)
class Told:
    """What one of those who tell says; None where it says nothing of cores, or of devices."""

    by: str
    cores: tuple[int, ...] | None = None
    devices: tuple[int, ...] | None = None

    def differs(self, cores: Sequence[int], devices: Sequence[int]) -> bool:
        """Whether it says something else."""
        return self.cores not in {None, tuple(cores)} or self.devices not in {None, tuple(devices)}

    def __str__(self) -> str:
        return f"| {self.by} | {_shown(self.cores)} | {_shown(self.devices)} |"


def _shown(numbers: Sequence[int] | None) -> str:
    return "" if numbers is None else ", ".join(map(str, numbers))


def _numbers(pattern: str, text: str) -> tuple[int, ...]:
    """Each number that the pattern finds, ascending and once."""
    return tuple(sorted(set(map(int, re.findall(pattern, text)))))


@dataclasses.dataclass(frozen=True)
class Pod:
    """The pod that is asked, on its node."""

    cluster: cluster_access.Cluster
    namespace: str
    node: str
    name: str = "web"

    def runs(self, *command: str) -> str:
        """What a command in it prints."""
        return self.cluster.execute(self.namespace, self.name, *command)

    def told_by_the_node(self) -> Iterator[Told]:
        """Who counts as the node does, always."""
        ((node, first, count),) = installation.grants_of(self.cluster, self.namespace, self.name).values()
        assert node == self.node
        yield Told("the operator's ledger, `spec.grants`", tuple(spans.CoreSpan(first, count)))
        metadata = self.cluster.get("pods", self.name, self.namespace)["metadata"]
        noted = json.loads(metadata["annotations"][names.GRANT_ANNOTATION])
        yield Told(f"annotation `{names.GRANT_ANNOTATION}`", tuple(spans.CoreSpan.parse(noted["containers"]["app"])))
        kubelet = installation.kubelet_side(self.cluster, self.node)
        ids = kubelet[agreement.ContainerName(self.namespace, self.name, "app")][names.CORE_RESOURCE]
        held = device_ids.span_of(names.CORE_RESOURCE, ids, HARDWARE)
        yield Told("kubelet's PodResources", tuple(held))
        granted = self.runs("printenv", names.GRANT_ENV)
        yield Told(f"`printenv {names.GRANT_ENV}`", tuple(spans.CoreSpan.parse(granted.strip())))

    def told_in_the_container(self) -> Iterator[Told]:
        """Who counts as `coreNumbering` says."""
        shown = self.runs("printenv", names.VISIBLE_CORES_ENV).strip()
        yield Told(
            f"`printenv {names.VISIBLE_CORES_ENV}`", tuple(visible_cores.parse_visible_cores(shown, HARDWARE.cores))
        )
        nodes = self.runs("sh", "-c", "ls /dev/neuron*")
        yield Told("`ls /dev/neuron*`", devices=_numbers(r"/dev/neuron(\d+)", nodes))
        listed = json.loads(self.runs("neuron-ls", "-j"))
        cores = tuple(core for each in listed for core in each["neuroncore_ids"])
        yield Told("`neuron-ls -j`", cores, tuple(each["neuron_device"] for each in listed))
        frame = self.runs("sh", "-c", "neuron-top | cat")
        yield Told("`neuron-top`", _numbers(r"NeuronCore (\d+) ", frame), _numbers(r"ND(\d+) ", frame))
        counting = f"echo '{json.dumps(MONITOR)}' >/tmp/monitor.json; neuron-monitor -c /tmp/monitor.json | head -n 1"
        (runtime,) = json.loads(self.runs("sh", "-c", counting))["neuron_runtime_data"]
        in_use = runtime["report"]["neuroncore_counters"]["neuroncores_in_use"]
        yield Told("`neuron-monitor`, `neuroncores_in_use`", tuple(map(int, in_use)))


def _started(cluster: cluster_access.Cluster, namespace: str, node: str) -> Pod:
    """A pod with 4 cores beyond a pod that has half of the node; it holds a tensor on each when this returns."""
    cluster.apply(workloads.pod("half", cores=HARDWARE.cores // 2, node=node), namespace)
    workloads.wait_phases(cluster, namespace, {"Running": 1}, seconds=SECONDS)
    made = Pod(cluster, namespace, node)
    manifest: dict[str, Any] = workloads.pod(made.name, cores=4, node=node, command=["python3", "-c", HOLD])
    manifest["spec"]["containers"][0]["image"] = RUNTIME
    cluster.apply(manifest, namespace)
    workloads.wait_phases(cluster, namespace, {"Running": 2}, seconds=SECONDS)
    cluster.wait_for(
        lambda: "holds" in cluster.logs(namespace, made.name),
        seconds=SECONDS,
        what=lambda: f"tensors on all cores, the pod said {cluster.logs(namespace, made.name)[-500:]!r}",
    )
    return made


def _number(cluster: cluster_access.Cluster, node: str, numbering: str) -> None:
    """Let containers of the node count so, and wait until its plugin has written their devices anew."""
    patch = json.dumps({"spec": {"coreNumbering": numbering}})
    cluster.kubectl("patch", f"neuronnode/{node}", "--type=merge", "--patch", patch, AS_OPERATOR)
    told = f"{names.CORE_NUMBERING_ENV}={numbering}"

    def written() -> bool:
        found = cluster.node_execute(node, "sh", "-c", f"grep -rlF {told} /var/run/cdi || true")
        return bool(found) and node in helm_release.registered(cluster)

    cluster.wait_for(written, seconds=SECONDS, what=lambda: f"CDI documents of {node} with {told}")


@pytest.fixture(params=names.CORE_NUMBERINGS)
def numbering(
    cluster: cluster_access.Cluster, namespace: str, trn1: str, request: pytest.FixtureRequest
) -> Iterator[str]:
    """Both numberings, the chart's default first; at the end it is the default again."""
    if request.param == names.NODE_NUMBERING:
        yield request.param
        return
    _number(cluster, trn1, request.param)
    yield request.param
    cluster.kubectl("delete", "pods", "--all", "--namespace", namespace, "--grace-period=1")
    _number(cluster, trn1, names.NODE_NUMBERING)


def test_everybody_tells_a_live_pod_of_its_cores_by_the_same_numbers(
    cluster: cluster_access.Cluster, namespace: str, trn1: str, numbering: str, capsys: pytest.CaptureFixture[str]
) -> None:
    pod = _started(cluster, namespace, trn1)
    of_node, of_container = tuple(pod.told_by_the_node()), tuple(pod.told_in_the_container())
    counted = cluster.logs(namespace, pod.name).split()[-1]
    with capsys.disabled():
        print(f"\ncoreNumbering: {numbering}\n\n| Told by | NeuronCores | Devices |\n|---|---|---|")  # noqa: T201
        print(*of_node, *of_container, f"| `torch_neuronx.device_count()` | {counted} of them | |", sep="\n")  # noqa: T201
    (span,) = {each.cores for each in of_node}
    assert span == tuple(range(16, 20))
    devices = HARDWARE.devices_of(spans.CoreSpan(16, 4))
    if numbering == names.CONTAINER_NUMBERING:
        span, devices = tuple(range(4)), range(len(devices))
    assert [str(each) for each in of_container if each.differs(span, tuple(devices))] == []
    assert int(counted) == len(span)
