"""Who may still change or refuse what is about to be stored: the plugins of kube-apiserver that matter, and ours.

Law: decides from the object, the objects that are stored, and what ``Admission`` says.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, Protocol

from neuronspan_embedded.api_server import store
from neuronspan_embedded.api_server.rules import kinds, refusals

Manifest = dict[str, Any]

CREATE = "CREATE"
UPDATE = "UPDATE"
_SYSTEM_PRIORITIES = {"system-node-critical": 2_000_001_000, "system-cluster-critical": 2_000_000_000}
_NEVER_DELETED = frozenset({"default", "kube-system", "kube-public"})


@dataclasses.dataclass(frozen=True, slots=True)
class Write:
    """What a client wants to be stored."""

    operation: str  # CREATE or UPDATE
    kind: kinds.Kind
    subresource: str
    new: Manifest
    old: Manifest | None = None
    user: str = ""


class Admission(Protocol):
    """Our own admission: what the policies of the chart, or its webhook, do in a real cluster."""

    def admitted(self, write: Write) -> Manifest:
        """Return the object as it is to be stored; raises Refusal with the words for the user."""


class AdmitAll:
    """Changes and refuses nothing."""

    def admitted(self, write: Write) -> Manifest:
        """Return the object as it is."""
        return write.new


def prepared(known: store.Store, kind: kinds.Kind, manifest: Manifest) -> Manifest:
    """Return an object that is created as the built-in plugins leave it; raises Refusal."""
    _refuse_without_namespace(known, manifest)
    return _with_priority(known, manifest) if kind.name == "Pod" else manifest


def refuse_deletion(kind: kinds.Kind, name: str) -> None:
    """Refuse to delete the namespaces without which a cluster is none."""
    if kind.name == "Namespace" and name in _NEVER_DELETED:
        raise refusals.Refusal(403, f'namespaces "{name}" is forbidden: this namespace may not be deleted')


def _refuse_without_namespace(known: store.Store, manifest: Manifest) -> None:
    metadata = manifest["metadata"]
    namespace = metadata.get("namespace")
    if not namespace:
        return
    found = known.find("namespaces", "", namespace)
    if found is None:
        raise refusals.not_found("namespaces", namespace)
    if "deletionTimestamp" in found["metadata"]:
        why = f"unable to create new content in namespace {namespace} because it is being terminated"
        raise refusals.Refusal(403, f"{metadata['name']} is forbidden: {why}")


def _with_priority(known: store.Store, pod: Manifest) -> Manifest:
    spec = pod["spec"]
    name, value, preempts = _priority(known, spec.get("priorityClassName") or "", pod["metadata"]["name"])
    named = {"priorityClassName": name} if name else {}
    chosen = {"priority": value, "preemptionPolicy": preempts} if named or "priority" not in spec else {}
    return {**pod, "spec": {**spec, **named, **chosen}}


def _priority(known: store.Store, name: str, pod: str) -> tuple[str, int, str]:
    """Return the class of a pod, its value, and whether it preempts."""
    if name in _SYSTEM_PRIORITIES:
        return name, _SYSTEM_PRIORITIES[name], "PreemptLowerPriority"
    classes: Mapping[str, Manifest] = {
        each["metadata"]["name"]: each for each in known.all("priorityclasses.scheduling.k8s.io")
    }
    if not name:
        name = next((each for each, found in classes.items() if found.get("globalDefault")), "")
        if not name:
            return "", 0, "PreemptLowerPriority"
    if name not in classes:
        why = f"no PriorityClass with name {name} was found"
        raise refusals.Refusal(403, f'pods "{pod}" is forbidden: {why}')
    return name, int(classes[name]["value"]), str(classes[name]["preemptionPolicy"])
