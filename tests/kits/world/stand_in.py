"""Plays what a bare API server lacks: kubelets, device plugins, the scheduler, controllers. Talks to a real API server.

Pods are created as they look after admission: with our scheduler, guests with the gate, and with the resource limit.
"""

import dataclasses
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kits.api_server import api_client

_NODES = "/api/v1/nodes"
_PODS = "/api/v1/namespaces/default/pods"
_EVENTS = "/api/v1/namespaces/default/events"
_GROUP = "/apis/neuronspan.dev/v1alpha1"
_CORES = "aws.amazon.com/neuroncore"
_LONG_AGO = "2026-01-01T00:00:00Z"
_NOW = {"gracePeriodSeconds": 0}


@dataclasses.dataclass
class StandIn:
    """The rest of a cluster, in the namespace ``default``."""

    client: api_client.Client

    def wipe(self) -> None:
        """Take everything away that a test may have left."""
        for collection in (_PODS, _EVENTS, _NODES):
            self.client.delete(collection, _NOW)
        for plural in ("neuronpools", "neuronnodes"):
            for item in self.client.get(f"{_GROUP}/{plural}")["items"]:
                path = f"{_GROUP}/{plural}/{item['metadata']['name']}"
                self.client.request("PATCH", path, {"metadata": {"finalizers": None}}, api_client.MERGE_PATCH)
                self.client.delete(path)
        lease = "/apis/coordination.k8s.io/v1/namespaces/default/leases/neuronspan-operator"
        self.client.delete(lease)

    # --- nodes and plugins ---------------------------------------------------------------------------------------

    def add_node(self, name: str, *, labels: Mapping[str, str] | None = None, cores: int = 32) -> str:
        """Add a Ready node whose kubelet has registered that many cores; gives its UID."""
        every = {"kubernetes.io/hostname": name, **(labels or {"neuron": "yes"})}
        node = self.client.create(_NODES, {"metadata": {"name": name, "labels": every}})
        self.set_allocatable(name, cores)
        return str(node["metadata"]["uid"])

    def set_allocatable(self, name: str, cores: int, *, ready: bool = True) -> None:
        """Let kubelet report its state."""
        amounts = {"cpu": "192", "memory": "512Gi", "pods": "250", _CORES: str(cores), "aws.amazon.com/neuron": "16"}
        condition = {"type": "Ready", "status": str(ready), "reason": "Test", "lastTransitionTime": _LONG_AGO}
        status = {"capacity": amounts, "allocatable": amounts, "conditions": [condition]}
        self.client.patch(f"{_NODES}/{name}/status", {"status": status})

    def patch_node(self, name: str, patch: Mapping[str, Any]) -> None:
        """Merge this into a node."""
        self.client.patch(f"{_NODES}/{name}", patch)

    def delete_node(self, name: str) -> None:
        """Delete the Node object; nobody collects its NeuronNode here."""
        self.client.delete(f"{_NODES}/{name}")

    def register_plugin(self, node: str) -> None:
        """Let the node's plugin start: it obeys spec.hardware and registers with kubelet."""
        hardware = self.neuron_node(node)["spec"]["hardware"]
        condition = {"type": "Registered", "status": "True", "reason": "Test", "lastTransitionTime": _LONG_AGO}
        self._report(node, {"hardware": hardware, "epoch": str(uuid.uuid4()), "conditions": [condition]})

    def report_held(self, node: str) -> None:
        """Let the plugin report that every bound pod holds what the ledger says."""
        bound = {pod["metadata"]["uid"] for pod in self.pods() if pod["spec"].get("nodeName") == node}
        fields = ("podUID", "namespace", "pod", "container", "first", "count", "resource")
        held = [
            {**{field: grant[field] for field in fields}, "processes": True}
            for grant in self.ledger(node)
            if grant["podUID"] in bound
        ]
        self._report(node, {"held": held})

    def report(self, node: str, **status: Any) -> None:
        """Let the plugin report anything."""
        self._report(node, status)

    def report_released(self, node: str, uids: Iterable[str]) -> None:
        """Let the plugin report that these pods have no process left."""
        self._report(node, {"released": list(uids), "held": []})

    def _report(self, node: str, status: Mapping[str, Any]) -> None:
        self.client.patch(f"{_GROUP}/neuronnodes/{node}/status", {"status": status})

    # --- NeuronNodes and pools -----------------------------------------------------------------------------------

    def neuron_node(self, name: str) -> dict[str, Any]:
        """Read a NeuronNode that must exist."""
        return self.client.get(f"{_GROUP}/neuronnodes/{name}")

    def neuron_nodes(self) -> list[str]:
        """Return the names of all NeuronNodes."""
        return sorted(item["metadata"]["name"] for item in self.client.get(f"{_GROUP}/neuronnodes")["items"])

    def patch_neuron_node(self, name: str, patch: Mapping[str, Any]) -> api_client.Response:
        """Edit a NeuronNode by hand."""
        return self.client.request("PATCH", f"{_GROUP}/neuronnodes/{name}", patch, api_client.MERGE_PATCH)

    def ledger(self, node: str) -> list[dict[str, Any]]:
        """Return the grants of a node."""
        grants: list[dict[str, Any]] = self.neuron_node(node)["spec"].get("grants", [])
        return grants

    def add_pool(
        self,
        name: str,
        *,
        selector: Mapping[str, str] | None = None,
        instance_type: str = "trn1.32xlarge",
        **policy: Any,
    ) -> None:
        """Create a NeuronPool."""
        spec = {
            "nodeSelector": dict(selector or {"neuron": "yes"}),
            "hardware": {"instanceType": instance_type},
            "policy": policy,
        }
        pool = {"apiVersion": "neuronspan.dev/v1alpha1", "kind": "NeuronPool", "metadata": {"name": name}, "spec": spec}
        self.client.create(f"{_GROUP}/neuronpools", pool)

    def patch_pool(self, name: str, patch: Mapping[str, Any]) -> None:
        """Merge this into a pool."""
        self.client.patch(f"{_GROUP}/neuronpools/{name}", patch)

    def delete_pool(self, name: str) -> None:
        """Ask for the deletion of a pool."""
        self.client.delete(f"{_GROUP}/neuronpools/{name}")

    def pool(self, name: str) -> dict[str, Any] | None:
        """Read a pool, None when it is gone."""
        answer = self.client.request("GET", f"{_GROUP}/neuronpools/{name}")
        return None if answer.status == 404 else answer.expect()

    def pool_condition(self, name: str, kind: str) -> tuple[str, str, str]:
        """Return status, reason and message of a pool's condition, empty texts while there is none."""
        conditions = ((self.pool(name) or {}).get("status") or {}).get("conditions", [])
        found = [(each["status"], each["reason"], each["message"]) for each in conditions if each["type"] == kind]
        return found[0] if found else ("", "", "")

    # --- pods, scheduler, controllers ----------------------------------------------------------------------------

    def submit(
        self,
        name: str,
        cores: int = 4,
        *,
        owner: str = "",
        guest: bool = False,
        annotations: Mapping[str, str] | None = None,
        **spec: Any,
    ) -> dict[str, Any]:
        """Create a pod of one container as admission leaves it; with ``owner`` a ReplicaSet would replace it.

        A ``guest`` has another scheduler and waits behind the gate.
        """
        controller = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": owner, "uid": "0", "controller": True}
        metadata = {
            "name": name,
            "annotations": {"neuronspan.dev/cores": str(cores), **(annotations or {})},
            "labels": {"neuronspan.dev/managed": "true"},
            "ownerReferences": [controller] if owner else [],
        }
        amount = {_CORES: str(cores)}
        container = {"name": "app", "image": "none", "resources": {"limits": amount, "requests": amount}}
        gates = [{"name": "neuronspan.dev/cores"}] if guest else []
        placed = {"schedulerName": "volcano" if guest else "neuronspan", "schedulingGates": gates, **spec}
        return self.client.create(_PODS, {"metadata": metadata, "spec": {"containers": [container], **placed}})

    def pods(self) -> list[dict[str, Any]]:
        """Return all pods."""
        items: list[dict[str, Any]] = self.client.get(_PODS)["items"]
        return items

    def pod(self, name: str) -> dict[str, Any]:
        """Read a pod that must exist."""
        return self.client.get(f"{_PODS}/{name}")

    def bound(self) -> list[dict[str, Any]]:
        """Return the pods that have a node."""
        return [pod for pod in self.pods() if pod["spec"].get("nodeName")]

    def ungated(self) -> list[dict[str, Any]]:
        """Return the guests that have left the gate."""
        guests = (pod for pod in self.pods() if pod["spec"]["schedulerName"] != "neuronspan")
        return [pod for pod in guests if not pod["spec"].get("schedulingGates")]

    def refuse(self, name: str, message: str) -> None:
        """Play the guests' scheduler: say that it cannot place the pod."""
        refusal = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
        self.patch_pod(name, {"status": {"conditions": [refusal]}}, status=True)

    def bind(self, name: str) -> str:
        """Play the guests' scheduler: bind the pod to the node that its selector names; gives the node."""
        pod = self.pod(name)
        node = str(pod["spec"]["nodeSelector"]["kubernetes.io/hostname"])
        target = {"apiVersion": "v1", "kind": "Node", "name": node}
        binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": name}, "target": target}
        self.client.create(f"{_PODS}/{name}/binding", binding)
        return node

    def patch_pod(self, name: str, patch: Mapping[str, Any], *, status: bool = False) -> None:
        """Merge this into a pod, or into its status."""
        self.client.patch(f"{_PODS}/{name}{'/status' if status else ''}", patch)

    def delete_pods(self, names: Sequence[str]) -> None:
        """Delete pods at once."""
        for name in names:
            self.client.delete(f"{_PODS}/{name}", _NOW)

    def waiting_of(self, pod: str) -> str:
        """Return why a pod waits, by its Event."""
        return self.events_of(pod).get("FailedScheduling", "")

    def events_of(self, pod: str) -> dict[str, str]:
        """Return the messages of a pod's Events by reason."""
        items = self.client.get(_EVENTS)["items"]
        return {item["reason"]: item["message"] for item in items if item["involvedObject"].get("name") == pod}
