"""Clusters as the planner first sees them: registered nodes with running pods, and pods that come later."""

import dataclasses
import functools
import itertools
from collections.abc import Iterator, Mapping
from typing import Any

from kits.manifests import builders
from neuronspan import grants, names, spans
from neuronspan_operator.objects import nodes, pod_changes, pods, pools
from neuronspan_operator.planning import facts

Manifest = dict[str, Any]

CORES_OF_POD = 4
RUNNING_ON_NODE = 4
"""Pods with NeuronCores on each node from the start: half of its 32 cores."""
POOL = "measured"
_ZONES = 3


@dataclasses.dataclass(frozen=True)
class Scene:
    """So many nodes, with their pods that run already."""

    nodes: int
    running_on_node: int = RUNNING_ON_NODE
    foreign: int = 0
    """Running pods that ask for nothing of ours."""

    def changes(self) -> facts.Changes:
        """Return everything, as the first round of an operator gets it."""
        members: dict[str, pools.Member] = {}
        running: dict[str, pods.PodView] = {}
        for number in range(self.nodes):
            node = node_name(number)
            of_node = {each.uid: each for each in _running(node, self.running_on_node)}
            running |= of_node
            members[node] = _member(node, of_node)
        running |= {f"uid-foreign-{number}": self._foreign(number) for number in range(self.foreign)}
        return facts.Changes(
            pods=running,
            nodes={node_name(number): _node(number) for number in range(self.nodes)},
            members=members,
            pools={POOL: pools.read(pool())},
            namespaces={"default": {"kubernetes.io/metadata.name": "default"}},
        )

    def _foreign(self, number: int) -> pods.PodView:
        read = pods.read_known(foreign_pod(number, node_name(number % self.nodes)))
        assert read is not None  # for the type checker: it has a node
        return read


def node_name(number: int) -> str:
    """Return the name of a node."""
    return f"node-{number:06d}"


def waiting(count: int, *, prefix: str = "new") -> dict[str, pods.PodView]:
    """Return pods that ask for cores and have none, by UID."""
    template = pods.read(builders.make_pod("template", cores=CORES_OF_POD))
    names_of = [f"{prefix}-{number:06d}" for number in range(count)]
    return {f"uid-{name}": dataclasses.replace(template, uid=f"uid-{name}", name=name) for name in names_of}


def whole_node(name: str) -> pods.PodView:
    """Return a waiting pod that asks for all cores of a node."""
    return pods.read(builders.make_pod(name, cores=32))


def foreign_pod(number: int, node: str, *, version: int = 1) -> Manifest:
    """Return the manifest of a pod of somebody's web service, as an API server sends it: about 3 kB of JSON."""
    name = f"web-{number:06d}"
    manifest = builders.make_pod(
        f"foreign-{number}", node=node, phase="Running", scheduler="default-scheduler", version=str(version)
    )
    metadata, spec, status = manifest["metadata"], manifest["spec"], manifest["status"]
    metadata |= {"name": name, "generateName": "web-", "labels": {"app": "web", "pod-template-hash": "5d4f8c7b9"}}
    metadata["managedFields"] = [_MANAGED, _MANAGED]
    metadata["ownerReferences"] = [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "controller": True}]
    spec["containers"] = [_container("app"), _container("proxy")]
    spec["volumes"] = [_TOKEN]
    spec["tolerations"] = [_toleration("not-ready"), _toleration("unreachable")]
    ready = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")
    status["conditions"] = [{"type": each, "status": "True", "lastTransitionTime": builders.CREATED} for each in ready]
    running = {"running": {"startedAt": builders.CREATED}}
    status["containerStatuses"] = [
        {"name": each, "ready": True, "restartCount": version, "state": running, "image": "web", "imageID": "sha256:1"}
        for each in ("app", "proxy")
    ]
    return manifest


def pool() -> Manifest:
    """Return the manifest of the NeuronPool that all nodes belong to."""
    return {
        "apiVersion": names.API_VERSION,
        "kind": "NeuronPool",
        "metadata": {"name": POOL, "uid": "uid-pool", "resourceVersion": "1", "generation": 1},
        "spec": {"nodeSelector": {"neuron": "yes"}, "hardware": {"instanceType": builders.LARGE}},
    }


def node(number: int) -> Manifest:
    """Return the manifest of a node."""
    labels = {"neuron": "yes", names.LEDGER_LABEL: names.LEDGER_VALUE}
    labels["topology.kubernetes.io/zone"] = f"zone-{number % _ZONES}"
    return builders.make_node(node_name(number), pods=250, labels=labels)


def neuron_node(node: str, running: Mapping[str, pods.PodView]) -> Manifest:
    """Return the manifest of a node's NeuronNode, whose plugin has confirmed these pods side by side."""
    spans_of = zip(running.values(), _spans(), strict=False)
    given = [(pod, span) for pod, span in spans_of]
    manifest = builders.make_neuron_node(
        node,
        [_grant(pod, span) for pod, span in given],
        held=[builders.held(str(span), pod.name) for pod, span in given],
    )
    manifest["metadata"]["labels"] = {pools.POOL_LABEL: POOL}
    return manifest


def running_pods(node: str, count: int) -> Iterator[dict[str, Any]]:
    """Yield the manifests of a node's pods with NeuronCores."""
    for number, span in zip(range(count), _spans(), strict=False):
        notes = {names.GRANT_ANNOTATION: pod_changes.grant_text(node, {"app": span})}  # as its binding wrote it
        name = f"{node}-{number}"
        yield builders.make_pod(name, cores=CORES_OF_POD, node=node, phase="Running", annotations=notes)


def _running(node: str, count: int) -> list[pods.PodView]:
    return [pods.read(each) for each in running_pods(node, count)]


def _spans() -> Iterator[spans.CoreSpan]:
    return (spans.CoreSpan(first, CORES_OF_POD) for first in itertools.count(0, CORES_OF_POD))


def _node(number: int) -> nodes.NodeView:
    return nodes.read(node(number))


def _member(node: str, running: Mapping[str, pods.PodView]) -> pools.Member:
    return pools.read_member(neuron_node(node, running))


def _grant(pod: pods.PodView, span: spans.CoreSpan) -> grants.Grant:
    return grants.Grant(
        pod_uid=pod.uid,
        namespace=pod.namespace,
        pod=pod.name,
        container="app",
        span=span,
        resource=names.CORE_RESOURCE,
        env=grants.EnvMode.VISIBLE,
        state=grants.GrantState.CONFIRMED,
        since=builders.CREATED,
    )


@functools.cache
def _toleration(key: str) -> Manifest:
    return {"key": f"node.kubernetes.io/{key}", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}


def _container(name: str) -> Manifest:
    mount = {"name": "token", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount", "readOnly": True}
    amounts = {"limits": {"memory": "256Mi"}, "requests": {"cpu": "100m", "memory": "256Mi"}}
    probe = {"httpGet": {"path": "/ready", "port": 8080}, "periodSeconds": 10}
    settings = [{"name": f"SETTING_{number}", "value": "some value"} for number in range(8)]
    ports = [{"containerPort": 8080, "protocol": "TCP"}]
    rest = {"env": settings, "ports": ports, "readinessProbe": probe, "volumeMounts": [mount]}
    return {"name": name, "image": f"registry.example/{name}:1.2.3", "resources": amounts, **rest}


_TOKEN = {"name": "token", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}
_FIELDS: Manifest = {
    f"f:{name}": {} for name in ("image", "name", "env", "ports", "resources", "volumeMounts", "readinessProbe")
}
_MANAGED = {"manager": "controller", "operation": "Update", "fieldsV1": {"f:spec": {"f:containers": _FIELDS}}}
