"""The chart's objects in a real API server, and the people and programs that meet its policies there.

Policies become active some 100 ms after they are created, one after another: `installed` returns when each of them
answers.
"""

import contextlib
import dataclasses
import http
import itertools
import re
import time
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from kits.api_server import api_client, chart
from kits.api_server import control_plane as control_plane_kit
from kits.webhook import replicas

Manifest = dict[str, Any]
PODS = "/api/v1/namespaces/default/pods"
NEURON_NODES = "/apis/neuronspan.dev/v1alpha1/neuronnodes"
CORES = "aws.amazon.com/neuroncore"
DEVICES = "aws.amazon.com/neuron"

EVERYTHING = {"networkPolicy": {"enabled": True}, "resourceQuota": {"enabled": True}}
"""Values that bring every object of the chart but those of the Prometheus operator."""
GUESTS = {"guests": {"enabled": True}}
"""Values that let pods in which another scheduler binds."""
_DRY = "?dryRun=All"
_DENIAL = re.compile(r"^.*? denied (?:the )?request: ", re.DOTALL)
_ACTIVE_SECONDS = 30.0
_PLURALS = {"NetworkPolicy": "networkpolicies"}
_CLAIMS = "/api/v1/namespaces/default/persistentvolumeclaims"
_NODES = "/api/v1/nodes"
_WORKLOADS = "/apis/apps/v1/namespaces/default/deployments"


def container(
    name: str, *, cores: int | None = None, devices: int | None = None, sidecar: bool = False
) -> dict[str, Any]:
    """Return a container that asks by resource limits, or not at all."""
    asked = {CORES: cores, DEVICES: devices}
    limits = {resource: str(count) for resource, count in asked.items() if count is not None}
    restarting = {"restartPolicy": "Always"} if sidecar else {}
    return {"name": name, "image": "x", **restarting, **({"resources": {"limits": limits}} if limits else {})}


def pod(
    annotations: Mapping[str, str] | None = None,
    *containers: Mapping[str, Any],
    init: Sequence[Mapping[str, Any]] = (),
    name: str = "pod",
    **spec: Any,
) -> Manifest:
    """Return a pod; without containers it has one, `app`, that does not ask by limits."""
    inits = {"initContainers": list(init)} if init else {}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "annotations": dict(annotations or {})},
        "spec": {"containers": list(containers) or [container("app")], **inits, **spec},
    }


def binding(pod_name: str, *, node: str = "w1", **metadata: Any) -> Manifest:
    """Return what a scheduler posts to bind a pod to a node."""
    target = {"apiVersion": "v1", "kind": "Node", "name": node}
    return {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": pod_name, **metadata}, "target": target}


def path_of(pod_manifest: Mapping[str, Any]) -> str:
    """Return the URL path of a pod that is stored."""
    return f"{PODS}/{pod_manifest['metadata']['name']}"


def refusal(answer: api_client.Response, status: int) -> str:
    """Return the words of a policy, or of the webhook, that has refused with this status."""
    assert answer.status == status, answer.body
    return words(answer)


def words(answer: api_client.Response) -> str:
    """Return what a policy or the webhook has said, without the API server's own words; empty for anything else."""
    return _DENIAL.sub("", answer.message) if _DENIAL.match(answer.message) else ""


def collection(manifest: Mapping[str, Any]) -> str:
    """Return the URL path under which objects of this kind are created."""
    version, kind = manifest["apiVersion"], manifest["kind"]
    root = f"/apis/{version}" if "/" in version else f"/api/{version}"
    namespace = manifest["metadata"].get("namespace")
    scope = f"/namespaces/{namespace}" if namespace else ""
    plural = _PLURALS.get(kind, kind.lower() + ("es" if kind.endswith("s") else "s"))
    return f"{root}{scope}/{plural.replace('policys', 'policies')}"


@dataclasses.dataclass(frozen=True)
class Admission:
    """An API server with the chart in it; `admin` is in system:masters and still meets the policies."""

    plane: control_plane_kit.ControlPlane
    admin: api_client.Client
    operator: api_client.Client
    _numbers: Iterator[int] = dataclasses.field(default_factory=itertools.count)

    def plugin(self, node: str) -> api_client.Client:
        """Return the device plugin's client as its token from this node would make it."""
        return self.plane.client(impersonation=plugin_of(node))

    def unique(self, prefix: str) -> str:
        """Return a name that no other test uses."""
        return f"{prefix}-{next(self._numbers)}"

    def submit(self, manifest: Mapping[str, Any]) -> api_client.Response:
        """Create a pod under a unique name; the answer may be a refusal."""
        named = {**manifest, "metadata": {**manifest["metadata"], "name": self.unique("pod")}}
        return self.admin.request("POST", PODS, named)

    def stored(self, manifest: Mapping[str, Any]) -> Manifest:
        """Create a pod that must be accepted, and read back what is stored."""
        name = self.submit(manifest).expect()["metadata"]["name"]
        return self.admin.get(f"{PODS}/{name}")

    def pod_names(self) -> set[str]:
        """Names of all pods that are stored."""
        return {item["metadata"]["name"] for item in self.admin.get(PODS)["items"]}


def plugin_of(node: str) -> api_client.Impersonation:
    """Return whom the device plugin of this node is for the API server."""
    return _account(chart.DEVICE_PLUGIN, {"authentication.kubernetes.io/node-name": node})


def _account(user: str, extra: Mapping[str, str] | None = None) -> api_client.Impersonation:
    namespace = user.split(":")[2]
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated")
    return api_client.Impersonation(user, groups, dict(extra or {}))


@contextlib.contextmanager
def installed(
    plane: control_plane_kit.ControlPlane, values: Mapping[str, Any] = types.MappingProxyType(EVERYTHING)
) -> Iterator[Admission]:
    """Install the chart with helm, serve its webhook if it has one, and wait until everything is active."""
    admin = plane.client()
    operator = plane.client(impersonation=_account(chart.OPERATOR))
    chart.release(plane, "install", values=dict(values))
    admission = Admission(plane, admin, operator)
    with contextlib.ExitStack() as stack:
        if admin.request("GET", replicas.CONFIGURATIONS[0]).status == http.HTTPStatus.OK:
            replicas.endpoints(plane, stack.enter_context(replicas.serving(plane, values)).port)
        for name, is_active in _probes(admission).items():
            wait_for(is_active, f"{name} to be active")
        yield admission


def _probes(admission: Admission) -> dict[str, Callable[[], bool]]:
    """Return for each policy, or webhook in its place, a question that only an active one answers with its name."""
    admin = admission.admin
    good = pod({"neuronspan.dev/cores": "1"}, name="canary-good")
    bad = pod({"neuronspan.dev/cores": "x"}, name="canary")
    template = {"metadata": {"labels": {"a": "b"}, **bad["metadata"]}, "spec": bad["spec"]}
    workload = {"metadata": {"name": "canary"}, "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": template}}
    node = neuron_node("canary")
    admin.create(PODS, pod(name="canary"))
    room = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    admin.create(_CLAIMS, {"metadata": {"name": "canary"}, "spec": room})
    admin.create(_NODES, {"metadata": {"name": "canary"}})
    granted = {"metadata": {"annotations": {"neuronspan.dev/grant": "x"}}}
    bound = binding("canary", annotations=granted["metadata"]["annotations"])

    def says(policy: str, *request: Any) -> bool:
        message = admin.request(*request).message
        return f"'neuronspan-{policy}' denied" in message or f'"{policy}.neuronspan.dev" denied' in message

    def is_ours() -> bool:
        spec = admin.request("POST", f"{PODS}{_DRY}", good).body.get("spec", {})  # a refusal while a webhook is not up
        return bool(spec.get("schedulerName") == "neuronspan")

    def narrows(policy: str, path: str) -> bool:
        labelled = {"metadata": {"labels": {"a": "b"}}}
        answer = admission.operator.request("PATCH", f"{path}{_DRY}", labelled, api_client.MERGE_PATCH)
        return f"'neuronspan-{policy}' denied" in answer.message

    return {
        "mutation": is_ours,
        "operator": lambda: narrows("operator", f"{PODS}/canary/status"),
        "volumes": lambda: narrows("volumes", f"{_CLAIMS}/canary"),
        "nodes": lambda: narrows("nodes", f"{_NODES}/canary"),
        "requests": lambda: says("requests", "POST", f"{PODS}{_DRY}", bad),
        "workloads": lambda: says("workloads", "POST", f"{_WORKLOADS}{_DRY}", workload),
        "neuronnodes": lambda: says("neuronnodes", "POST", f"{NEURON_NODES}{_DRY}", node),
        "bindings": lambda: says("bindings", "POST", f"{PODS}/canary/binding{_DRY}", bound),
        "grants": lambda: says("grants", "PATCH", f"{PODS}/canary{_DRY}", granted, api_client.MERGE_PATCH),
    }


def wait_for(is_so: Callable[[], bool], what: str = "that") -> None:
    """Ask until the answer is yes: policies are compiled some time after they are written."""
    deadline = time.monotonic() + _ACTIVE_SECONDS
    while not is_so():
        assert time.monotonic() < deadline, f"waited {_ACTIVE_SECONDS:g} s for {what}"
        time.sleep(0.02)  # the API server tells nobody when a policy is compiled: asking is all there is


def neuron_node(name: str, *grants: Mapping[str, Any], **spec: Any) -> Manifest:
    """Return a NeuronNode of a trn1.32xlarge."""
    hardware = {
        "instanceType": "trn1.32xlarge",
        "devices": 16,
        "coresPerDevice": 2,
        "logicalCoreSize": 1,
        "hbmBytesPerCore": 17179869184,
        "topology": "torus",
    }
    return {
        "apiVersion": "neuronspan.dev/v1alpha1",
        "kind": "NeuronNode",
        "metadata": {"name": name},
        "spec": {"hardware": hardware, "cores": 32, "grants": list(grants), **spec},
    }


GUARDS = ("bindings", "grants", "neuronnodes", "nodes", "operator", "volumes")
"""The policies that keep what is ours; their CEL is that of the oldest version of Kubernetes."""
_GUARD_KINDS = ("ClusterRole", "ClusterRoleBinding", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")


@contextlib.contextmanager
def guarded(plane: control_plane_kit.ControlPlane) -> Iterator[Admission]:
    """Create the guards alone, as where something else than a policy turns requests into their common form."""
    admission = Admission(plane, plane.client(), plane.client(impersonation=_account(chart.OPERATOR)))
    for manifest in chart.render().manifests:
        name = manifest["metadata"]["name"].removeprefix(f"{chart.RELEASE}-")
        if manifest["kind"] in _GUARD_KINDS and (name in GUARDS or manifest["kind"].startswith("ClusterRole")):
            admission.admin.create(collection(manifest), manifest)
    for name, is_active in _probes(admission).items():
        if name in GUARDS:
            wait_for(is_active, f"policy {name} to be active")
    yield admission
