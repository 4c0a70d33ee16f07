"""What a node reads and writes of the API server's objects: its Node, its pods and their sources."""

import contextlib
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from neuronspan_embedded.api_server import deleting, verbs
from neuronspan_embedded.api_server.rules import kinds, patches, refusals
from neuronspan_embedded.processes import launching, statuses, volumes

Manifest = dict[str, Any]

_KINDS = {kind.plural: kind for kind in kinds.BUILT_IN}
_COMPONENT = "kubelet"


@dataclasses.dataclass(frozen=True, slots=True)
class Reports:
    """The calls of one node."""

    calls: verbs.Verbs
    node: str

    @property
    def now(self) -> str:
        """The time as objects have it."""
        return self.calls.now

    def pods(self) -> list[Manifest]:
        """Return the pods that are bound to this node: not to be changed."""
        return [each for each in self.calls.store.all("pods") if each["spec"].get("nodeName") == self.node]

    def source(self, namespace: str, kind: str, name: str) -> Mapping[str, bytes] | None:
        """Return the data of a ConfigMap or Secret, None when there is none."""
        found = self.calls.store.find(f"{kind.lower()}s", namespace, name)
        if found is None:
            return None
        return volumes.data(kind, found)

    def add_node(self, labels: Mapping[str, str], capacity: Mapping[str, str]) -> None:
        """Make the Node of this kubelet."""
        manifest = {
            "metadata": {"name": self.node, "labels": {**labels, "kubernetes.io/hostname": self.node}},
            "status": self._node_status(capacity),
        }
        self.calls.create(verbs.Target(_KINDS["nodes"]), manifest)

    def node_has(self, capacity: Mapping[str, str]) -> None:
        """Say how much of everything the node has."""
        target = verbs.Target(_KINDS["nodes"], "", self.node, "status")
        self.calls.patch(target, {"status": self._node_status(capacity)}, patches.MERGE)

    def pod_stands(self, pod: Manifest, known: Sequence[statuses.Container], started: str) -> None:
        """Write the status of a pod, if it is still there."""
        before = self._current(pod)
        if before is None:
            return
        status = statuses.status(known, self.now, started, before["status"].get("conditions") or ())
        self._write(pod, status)

    def pod_failed(self, pod: Manifest, reason: str, message: str) -> None:
        """Write that kubelet does not take the pod."""
        self._write(pod, {"phase": "Failed", "reason": reason, "message": message, "startTime": self.now})

    def pod_gone(self, pod: Manifest) -> None:
        """Take the object of a pod away whose processes have ended."""
        wish = deleting.Wish(grace_seconds=0, uid=pod["metadata"]["uid"])
        with contextlib.suppress(refusals.Refusal):  # it is gone already
            deleting.delete(self.calls, self._target(pod), wish)

    def tell(self, pod: Manifest, kind: str, reason: str, message: str) -> None:
        """Write an Event of a pod."""
        metadata = pod["metadata"]
        fields = ("name", "namespace", "uid")
        event = {
            "metadata": {"generateName": f"{metadata['name']}."},
            "involvedObject": {"apiVersion": "v1", "kind": "Pod", **{each: metadata[each] for each in fields}},
            "reason": reason,
            "message": message,
            "type": kind,
            "count": 1,
            "firstTimestamp": self.now,
            "lastTimestamp": self.now,
            "source": {"component": _COMPONENT, "host": self.node},
            "reportingComponent": _COMPONENT,
            "reportingInstance": self.node,
        }
        with contextlib.suppress(refusals.Refusal):  # a namespace that is ending takes no Events
            self.calls.create(verbs.Target(_KINDS["events"], metadata["namespace"]), event)

    def facts(self, pod: Manifest) -> dict[str, str]:
        """Return the fields of a pod that its variables may name."""
        metadata = pod["metadata"]
        labelled = {
            f"metadata.{part}['{key}']": value
            for part in ("labels", "annotations")
            for key, value in (metadata.get(part) or {}).items()
        }
        local = dict.fromkeys(("status.podIP", "status.hostIP", "status.podIPs", "status.hostIPs"), "127.0.0.1")
        named = {f"metadata.{each}": str(metadata[each]) for each in ("name", "namespace", "uid")}
        account = pod["spec"].get("serviceAccountName") or "default"
        return {**labelled, **local, **named, "spec.nodeName": self.node, "spec.serviceAccountName": account}

    def variables(self, pod: Manifest, container: Mapping[str, Any]) -> list[Manifest]:
        """Return the variables of a container with their values; raises CannotLaunch."""
        namespace = pod["metadata"]["namespace"]
        found = launching.resolved(container, self.facts(pod), lambda kind, name: self.source(namespace, kind, name))
        return [{"name": name, "value": value} for name, value in found]

    def _write(self, pod: Manifest, status: Mapping[str, Any]) -> None:
        if self._current(pod) is not None:
            target = dataclasses.replace(self._target(pod), subresource="status")
            self.calls.patch(target, {"status": status}, patches.STRATEGIC)

    def _current(self, pod: Manifest) -> Manifest | None:
        metadata = pod["metadata"]
        found = self.calls.store.find("pods", metadata["namespace"], metadata["name"])
        return found if found and found["metadata"]["uid"] == metadata["uid"] else None

    def _target(self, pod: Manifest) -> verbs.Target:
        return verbs.Target(_KINDS["pods"], pod["metadata"]["namespace"], pod["metadata"]["name"])

    def _node_status(self, capacity: Mapping[str, str]) -> Manifest:
        ready = {"type": "Ready", "status": "True", "reason": "KubeletReady", "lastTransitionTime": self.now}
        return {
            "capacity": dict(capacity),
            "allocatable": dict(capacity),
            "conditions": [ready],
            "addresses": [{"type": "Hostname", "address": self.node}],
        }
