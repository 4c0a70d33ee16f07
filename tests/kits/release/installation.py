"""The installed product as the end-to-end tests and the demo see it: its pods, and the three sides of assignments."""

import json
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from kits.release import agreement, cluster_access, helm_release
from neuronspan import instance_types, names

NAMESPACE = helm_release.NAMESPACE
PLUGIN_LABELS = "app.kubernetes.io/name=neuronspan,app.kubernetes.io/component=deviceplugin"
OPERATOR_LABELS = "app.kubernetes.io/name=neuronspan,app.kubernetes.io/component=operator"

_LIST_POD_RESOURCES = """
import grpc, json
from neuronspan_deviceplugin.api import podresources_pb2, podresources_pb2_grpc
options = [("grpc.default_authority", "localhost"), ("grpc.max_receive_message_length", 16 << 20)]
with grpc.insecure_channel("unix:///var/lib/kubelet/pod-resources/kubelet.sock", options=options) as channel:
    answer = podresources_pb2_grpc.PodResourcesListerStub(channel).List(podresources_pb2.ListPodResourcesRequest())
rows = [[p.namespace, p.name, c.name, {d.resource_name: [i for e in c.devices if e.resource_name == d.resource_name
         for i in e.device_ids] for d in c.devices if d.resource_name.startswith("aws.amazon.com/neuron")}]
        for p in answer.pod_resources for c in p.containers]
print(json.dumps([row for row in rows if row[3]]))
"""
"""Run in the plugin's own container: kubelet's answer, read by other code than the plugin's."""


def plugin_pod(cluster: cluster_access.Cluster, node: str) -> Mapping[str, Any]:
    """The running device plugin pod of a node; raises AssertionError when there is none."""
    for item in cluster.list("pods", NAMESPACE, labels=PLUGIN_LABELS):
        if item["spec"].get("nodeName") == node and item["status"]["phase"] == "Running":
            return item
    raise AssertionError(f"no running device plugin pod on node {node}")


def kubelet_side(
    cluster: cluster_access.Cluster, node: str
) -> dict[agreement.ContainerName, Mapping[str, Sequence[str]]]:
    """What kubelet's PodResources lists on a node, for containers with Neuron devices."""
    pod = plugin_pod(cluster, node)["metadata"]["name"]
    answer = cluster.execute(NAMESPACE, pod, "python3", "-c", _LIST_POD_RESOURCES)
    rows: list[tuple[str, str, str, dict[str, list[str]]]] = json.loads(answer)
    return {agreement.ContainerName(*row[:3]): row[3] for row in rows}


def _running(
    cluster: cluster_access.Cluster, node: str, granted: AbstractSet[agreement.ContainerName]
) -> Iterator[agreement.ContainerName]:
    for item in cluster.list("pods"):
        if item["spec"].get("nodeName") != node or "deletionTimestamp" in item["metadata"]:
            continue
        meta = item["metadata"]
        for status in item["status"].get("containerStatuses", []):
            name = agreement.ContainerName(meta["namespace"], meta["name"], status["name"])
            if "running" in status["state"] and name in granted:
                yield name


def node_record(cluster: cluster_access.Cluster, item: Mapping[str, Any]) -> agreement.NodeRecord:
    """Read the three sides of one node, starting from its NeuronNode object."""
    node = item["metadata"]["name"]
    ledger = agreement.ledger_side(item["spec"].get("grants", []))
    kubelet = kubelet_side(cluster, node)
    return agreement.NodeRecord(
        name=node,
        hardware=instance_types.Hardware.from_dict(item["spec"]["hardware"]),
        ledger=ledger,
        kubelet=kubelet,
        environment={
            name: agreement.environment_side(cluster.execute(name.namespace, name.pod, "env", container=name.container))
            for name in _running(cluster, node, ledger.keys() | kubelet.keys())
        },
    )


def neuron_nodes(cluster: cluster_access.Cluster) -> dict[str, Mapping[str, Any]]:
    """The NeuronNode objects by name."""
    return {item["metadata"]["name"]: item for item in cluster.list(f"{names.NEURON_NODES}.{names.GROUP}")}


def agreement_verdict(cluster: cluster_access.Cluster) -> agreement.Verdict:
    """Compare ledger, kubelet and environment on every node."""
    return agreement.verdict(node_record(cluster, item) for item in neuron_nodes(cluster).values())


def grants_of(cluster: cluster_access.Cluster, namespace: str, pod: str) -> dict[str, tuple[str, int, int]]:
    """The ledger's entries for one pod: container -> (node, first core, count)."""
    return {
        grant["container"]: (node, grant["first"], grant["count"])
        for node, item in neuron_nodes(cluster).items()
        for grant in item["spec"].get("grants", [])
        if (grant["namespace"], grant["pod"]) == (namespace, pod)
    }


def wait_running(cluster: cluster_access.Cluster, namespace: str, *, app: str, count: int, seconds: float) -> None:
    """Wait until so many pods with this `app` label run and are not being deleted."""

    def running() -> int:
        return sum(
            item["status"]["phase"] == "Running" and "deletionTimestamp" not in item["metadata"]
            for item in cluster.list("pods", namespace, labels=f"app={app}")
        )

    cluster.wait_for(lambda: running() == count, seconds=seconds, what=lambda: f"{count} {app} pods, {running()} run")
