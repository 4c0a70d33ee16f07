"""Admission policies of somebody else, in force for the pods of one namespace while a test lasts."""

import contextlib
import json
from collections.abc import Callable, Iterator
from typing import Any

from cluster import errors
from kits.release import cluster_access, workloads

_VERSION = "admissionregistration.k8s.io/v1"
_ACTIVE_SECONDS = 30.0
_PROBE = "probe"


@contextlib.contextmanager
def refusing_bindings(cluster: cluster_access.Cluster, namespace: str, *, node: str = "") -> Iterator[None]:
    """Let the API server refuse to bind the namespace's pods: to this node, or to any."""
    spec = {
        "matchConstraints": _on("pods/binding"),
        "validations": [{"expression": f"object.target.name != '{node}'" if node else "false"}],
    }
    probe = workloads.pod(_PROBE, annotations={})
    probe["spec"]["schedulerName"] = "nobody"  # it stays unbound, as the probe of the policy needs it
    cluster.apply(probe, namespace)
    target = node or cluster.list("nodes")[0]["metadata"]["name"]
    binding = {
        "apiVersion": "v1",
        "kind": "Binding",
        "metadata": {"name": _PROBE},
        "target": {"apiVersion": "v1", "kind": "Node", "name": target},
    }
    path = f"/api/v1/namespaces/{namespace}/pods/{_PROBE}/binding?dryRun=All"

    def refuses() -> bool:
        try:
            cluster.kubectl("create", "--raw", path, "--filename", "-", stdin=json.dumps(binding))
        except errors.CommandFailed as error:
            return f"'{_name(namespace)}'" in error.tail  # not a refusal of another policy
        return False

    with _in_force(cluster, namespace, "ValidatingAdmissionPolicy", spec, refuses):
        cluster.delete("pod", _PROBE, namespace, force=True)
        yield


@contextlib.contextmanager
def injecting_in_front(cluster: cluster_access.Cluster, namespace: str, container: str) -> Iterator[None]:
    """Let the API server put a container before those of every pod of the namespace, as service meshes do."""
    command = ", ".join(f'"{word}"' for word in workloads.SLEEP)
    injected = f'name: "{container}", image: "{workloads.IMAGE}", imagePullPolicy: "Never", command: [{command}]'
    patch = f'[JSONPatch{{op: "add", path: "/spec/containers/0", value: Object.spec.containers{{{injected}}}}}]'
    spec = {
        "matchConstraints": _on("pods"),
        "matchConditions": [
            {"name": "once", "expression": f"!object.spec.containers.exists(c, c.name == '{container}')"}
        ],
        "failurePolicy": "Fail",
        "reinvocationPolicy": "Never",
        "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": patch}}],
    }
    probe = json.dumps(workloads.pod(_PROBE, annotations={}))

    def injects() -> bool:
        dry = ("create", "--dry-run=server", "--output", "json", "--namespace", namespace, "--filename", "-")
        stored: dict[str, Any] = json.loads(cluster.kubectl(*dry, stdin=probe))
        return bool(stored["spec"]["containers"][0]["name"] == container)

    with _in_force(cluster, namespace, "MutatingAdmissionPolicy", spec, injects):
        yield


def _name(namespace: str) -> str:
    return f"foreign-{namespace}"


def _on(resource: str) -> dict[str, Any]:
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": [resource]}
    return {"resourceRules": [rule]}


@contextlib.contextmanager
def _in_force(
    cluster: cluster_access.Cluster, namespace: str, kind: str, spec: dict[str, Any], is_active: Callable[[], bool]
) -> Iterator[None]:
    """Create a policy for the namespace, wait until it acts, and take it away at the end."""
    name = _name(namespace)
    matched = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}}
    actions = {"validationActions": ["Deny"]} if kind.startswith("Validating") else {}
    policy = {"apiVersion": _VERSION, "kind": kind, "metadata": {"name": name}, "spec": spec}
    binding = {
        "apiVersion": _VERSION,
        "kind": f"{kind}Binding",
        "metadata": {"name": name},
        "spec": {"policyName": name, "matchResources": matched, **actions},
    }
    cluster.apply_all([policy, binding])
    try:
        cluster.wait_for(is_active, seconds=_ACTIVE_SECONDS, what=lambda: f"the policy {name} in force")
        yield
    finally:
        cluster.kubectl("delete", kind, name)
        cluster.kubectl("delete", f"{kind}Binding", name)
