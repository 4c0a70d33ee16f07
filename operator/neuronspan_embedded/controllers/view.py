"""The cluster as controllers see and change it: in the store's own process."""

import contextlib
import dataclasses
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from neuronspan_embedded.api_server import deleting, subresources, verbs
from neuronspan_embedded.api_server.rules import kinds, refusals

Manifest = dict[str, Any]

_KINDS = {kind.plural: kind for kind in kinds.BUILT_IN}
_COMPONENT = "neuronspan-embedded"


@dataclasses.dataclass(frozen=True, slots=True)
class View:
    """What one pass of a controller works with."""

    calls: verbs.Verbs

    def all(self, plural: str, namespace: str = "") -> list[Manifest]:
        """Return the objects of a built-in kind: not to be changed."""
        return self.calls.store.all(_KINDS[plural].resource, namespace)

    def owned(self, plural: str, owner: Manifest) -> list[Manifest]:
        """Return the objects of a kind that this one controls, the oldest first."""
        metadata = owner["metadata"]
        found = [each for each in self.all(plural, metadata["namespace"]) if controller(each) == metadata["uid"]]
        return sorted(found, key=lambda each: (each["metadata"]["creationTimestamp"], each["metadata"]["name"]))

    def create(self, plural: str, manifest: Manifest, owner: Manifest) -> Manifest | None:
        """Create an object for its owner; a refusal is told as an Event of the owner, and None is returned."""
        target = verbs.Target(_KINDS[plural], owner["metadata"]["namespace"])
        try:
            return self.calls.create(target, manifest)
        except refusals.Refusal as refusal:
            self.tell(owner, "FailedCreate", f"Error creating: {refusal}")
            return None

    def update(self, plural: str, manifest: Manifest) -> None:
        """Store a changed object."""
        self.calls.replace(_target(plural, manifest), manifest)

    def report(self, plural: str, manifest: Manifest, status: Mapping[str, Any]) -> None:
        """Store the status of an object, if it says anything new."""
        if manifest.get("status") != status:
            target = dataclasses.replace(_target(plural, manifest), subresource="status")
            self.calls.replace(target, {**manifest, "status": dict(status)})

    def delete(self, plural: str, manifest: Manifest) -> None:
        """Delete an object, if it is not being deleted."""
        if "deletionTimestamp" not in manifest["metadata"]:
            with contextlib.suppress(refusals.Refusal):  # an end that is forbidden is tried again at the next change
                deleting.delete(self.calls, _target(plural, manifest), deleting.Wish(policy="Background"))

    def bind(self, pod: Manifest, node: str) -> None:
        """Give a pod its node."""
        binding = {"metadata": {"uid": pod["metadata"]["uid"]}, "target": {"kind": "Node", "name": node}}
        subresources.bind(self.calls, _target("pods", pod), binding, verbs.NO_OPTIONS)

    def tell(self, about: Manifest, reason: str, message: str) -> None:
        """Tell something of an object in an Event, once: the same words again tell nothing new."""
        metadata = about["metadata"]
        digest = fingerprint([metadata["uid"], reason, message])
        name, namespace = f"{metadata['name']}.{digest}", metadata.get("namespace") or "default"
        if self.calls.store.find("events", namespace, name) is not None:
            return
        involved = {field: metadata[field] for field in ("name", "namespace", "uid") if field in metadata}
        event = {
            "metadata": {"name": name},
            "involvedObject": {"apiVersion": about["apiVersion"], "kind": about["kind"], **involved},
            "reason": reason,
            "message": message,
            "type": "Warning",
            "count": 1,
            "firstTimestamp": self.calls.now,
            "lastTimestamp": self.calls.now,
            "source": {"component": _COMPONENT},
            "reportingComponent": _COMPONENT,
            "reportingInstance": _COMPONENT,
        }
        with contextlib.suppress(refusals.Refusal):  # a namespace that is ending takes no Events
            self.calls.create(verbs.Target(_KINDS["events"], namespace), event)


def controller(manifest: Manifest) -> str:
    """Return the UID of the object that controls this one, "" without one."""
    owners = manifest["metadata"].get("ownerReferences") or ()
    return next((str(each["uid"]) for each in owners if each.get("controller")), "")


def pod_of(owner: Manifest, template: Mapping[str, Any], metadata: Mapping[str, Any], **spec: Any) -> Manifest:
    """Return a pod of a template for its controller; ``metadata`` and ``spec`` are what this one has of its own."""
    base = template.get("metadata") or {}
    merged = {field: {**(base.get(field) or {}), **metadata.get(field, {})} for field in ("labels", "annotations")}
    named = {field: metadata[field] for field in ("name", "generateName") if field in metadata}
    own = {**named, **merged, "finalizers": list(base.get("finalizers") or ()), "ownerReferences": [reference(owner)]}
    return {"metadata": own, "spec": {**template["spec"], **spec}}


def reference(owner: Manifest) -> Manifest:
    """Return the owner reference of what this object controls."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def fingerprint(value: Any) -> str:
    """Return a short name for a value, equal for equal ones."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:10]


def is_leaving(manifest: Manifest) -> bool:
    """Whether an object is being deleted."""
    return "deletionTimestamp" in manifest["metadata"]


def phase(pod: Manifest) -> str:
    """Return the phase of a pod."""
    return str(pod["status"]["phase"])


def is_active(pod: Manifest) -> bool:
    """Whether a pod still has to run, or runs, and is to go on."""
    return phase(pod) not in {"Succeeded", "Failed"} and not is_leaving(pod)


def is_ready(pod: Manifest) -> bool:
    """Whether a pod says that it is ready."""
    return any(each["type"] == "Ready" and each["status"] == "True" for each in pod["status"].get("conditions", ()))


def expendable(pods: Iterable[Manifest]) -> list[Manifest]:
    """Return pods in the order in which they are given up: without a node, not ready, and young ones first."""
    young_first = sorted(pods, key=lambda pod: pod["metadata"]["creationTimestamp"], reverse=True)
    return sorted(young_first, key=lambda pod: (bool(pod["spec"].get("nodeName")), is_ready(pod)))


def condition(
    status: Mapping[str, Any], kind: str, value: str, reason: str, message: str, now: str
) -> Iterator[Manifest]:
    """Yield the conditions of a status with this one among them; its time is that of its last change."""
    told = {"type": kind, "status": value, "reason": reason, "message": message}
    for each in status.get("conditions") or ():
        if each["type"] != kind:
            yield each
        elif each["status"] == value:
            told["lastTransitionTime"] = each.get("lastTransitionTime", now)
    yield {"lastTransitionTime": now, **told}


def replicas(workloads: Sequence[Manifest]) -> int:
    """Return how many pods these workloads shall have in all."""
    return sum(int(each["spec"]["replicas"]) for each in workloads)


def _target(plural: str, manifest: Manifest) -> verbs.Target:
    metadata = manifest["metadata"]
    return verbs.Target(_KINDS[plural], metadata.get("namespace") or "", metadata["name"])
