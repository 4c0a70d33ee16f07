"""The operator's rights in a real API server: all it needs, and nothing that it does not."""

import http
from typing import Any

import pytest

from kits.api_server import admission as admission_kit
from kits.api_server import api_client, chart

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]  # the first test starts the API server

EVENTS = "/api/v1/namespaces/default/events"
LEASES = f"/apis/coordination.k8s.io/v1/namespaces/{chart.NAMESPACE}/leases"
LEASE = "neuronspan-operator"
POOLS = "/apis/neuronspan.dev/v1alpha1/neuronpools"
NODES = admission_kit.NEURON_NODES
REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
LABELS = {"metadata": {"labels": {"a": "b"}}}


def event(name: str) -> dict[str, Any]:
    involved = {"kind": "Pod", "namespace": "default", "name": "p"}
    return {"metadata": {"name": name}, "involvedObject": involved, "reason": "R", "type": "Normal"}


@pytest.mark.parametrize("verb", ["get", "list", "watch", "patch"])
@pytest.mark.parametrize(
    ("group", "resource", "verbs"),
    [
        ("", "pods", {"get", "list", "watch"}),
        ("", "nodes", {"list", "watch", "patch"}),
        ("", "namespaces", {"list", "watch"}),
        ("", "persistentvolumeclaims", {"list", "watch", "patch"}),
        ("", "persistentvolumes", {"list", "watch", "patch"}),
        ("storage.k8s.io", "storageclasses", {"list", "watch"}),
        ("storage.k8s.io", "csinodes", {"list", "watch"}),
        ("storage.k8s.io", "csidrivers", {"list", "watch"}),
        ("storage.k8s.io", "csistoragecapacities", {"list", "watch"}),
        ("storage.k8s.io", "volumeattachments", {"list", "watch"}),
        ("neuronspan.dev", "neuronnodes", {"get", "list", "watch", "patch"}),
        ("neuronspan.dev", "neuronpools", {"list", "watch", "patch"}),
    ],
    ids=[
        "pods",
        "nodes",
        "namespaces",
        "claims",
        "volumes",
        "storageclasses",
        "csinodes",
        "csidrivers",
        "csistoragecapacities",
        "volumeattachments",
        "neuronnodes",
        "neuronpools",
    ],
)
def test_operator_follows_the_cluster(
    admission: admission_kit.Admission, group: str, resource: str, verbs: set[str], verb: str
) -> None:
    attributes = {"group": group, "resource": resource, "verb": verb}
    asked = admission.operator.create(REVIEWS, {"spec": {"resourceAttributes": attributes}})
    assert asked["status"]["allowed"] == (verb in verbs)


def test_operator_writes_and_corrects_events(admission: admission_kit.Admission) -> None:
    name = admission.unique("event")
    admission.operator.create(EVENTS, event(name))
    assert admission.operator.get(f"{EVENTS}/{name}")["reason"] == "R"
    assert admission.operator.patch(f"{EVENTS}/{name}", {"count": 2})["count"] == 2


def test_operator_keeps_its_own_lease(admission: admission_kit.Admission) -> None:
    admission.operator.create(LEASES, {"metadata": {"name": LEASE}, "spec": {"holderIdentity": "a"}})
    lease = admission.operator.get(f"{LEASES}/{LEASE}")
    lease["spec"]["holderIdentity"] = "b"
    assert admission.operator.replace(f"{LEASES}/{LEASE}", lease)["spec"]["holderIdentity"] == "b"


def test_operator_evicts_a_pod(admission: admission_kit.Admission) -> None:
    name = admission.stored(admission_kit.pod())["metadata"]["name"]
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
    admission.operator.create(f"{admission_kit.PODS}/{name}/eviction", eviction)
    assert name not in admission.pod_names()


def test_operator_settles_a_pool(admission: admission_kit.Admission) -> None:
    assert admission.operator.patch(f"{POOLS}/trn1", {"metadata": {"finalizers": ["neuronspan.dev/finalizer"]}})
    stored = admission.operator.patch(f"{POOLS}/trn1/status", {"status": {"nodes": 3, "cores": 96}})
    assert stored["status"] == {"nodes": 3, "cores": 96}


def test_operator_makes_and_removes_a_ledger(admission: admission_kit.Admission) -> None:
    name = admission.unique("node")
    admission.operator.create(NODES, admission_kit.neuron_node(name))
    admission.operator.delete(f"{NODES}/{name}")
    assert admission.admin.request("GET", f"{NODES}/{name}").status == http.HTTPStatus.NOT_FOUND


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", admission_kit.PODS, admission_kit.pod(name="own")),
        ("DELETE", f"{admission_kit.PODS}/any", None),
        ("PATCH", "/api/v1/nodes/w1/status", LABELS),
        ("DELETE", "/api/v1/nodes/w1", None),
        ("PATCH", f"{NODES}/any/status", LABELS),
        ("POST", POOLS, {}),
        ("DELETE", f"{POOLS}/trn1", None),
        ("GET", "/api/v1/namespaces/neuronspan/secrets", None),
        ("GET", f"{LEASES}/other", None),
        ("GET", "/apis/coordination.k8s.io/v1/namespaces/default/leases/neuronspan-operator", None),
        ("POST", "/api/v1/namespaces/default/bindings", admission_kit.binding("any")),
        ("GET", "/api/v1/namespaces/default", None),
        ("GET", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", None),
    ],
    ids=[
        "create pods",
        "delete pods",
        "write statuses of nodes",
        "delete nodes",
        "write statuses",
        "create pools",
        "delete pools",
        "read secrets",
        "another lease",
        "another namespace",
        "bind by the old door",
        "read a namespace",
        "CRDs",
    ],
)
def test_operator_may_not(
    admission: admission_kit.Admission, method: str, path: str, body: dict[str, Any] | None
) -> None:
    kind = api_client.MERGE_PATCH if method == "PATCH" else "application/json"
    answer = admission.operator.request(method, path, body, kind)
    assert answer.status == http.HTTPStatus.FORBIDDEN
    assert "cannot" in answer.message


def test_viewers_see_ledgers_and_pools(admission: admission_kit.Admission) -> None:
    """The role is part of the cluster's `view`; here, without a controller manager, it is bound itself."""
    roles = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
    subject = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "viewer"}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "neuronspan-view"}
    admission.admin.create(roles, {"metadata": {"name": "viewer"}, "roleRef": role, "subjects": [subject]})
    viewer = admission.plane.client(impersonation=api_client.Impersonation("viewer", ("system:authenticated",)))
    admission_kit.wait_for(lambda: viewer.request("GET", NODES).status == http.HTTPStatus.OK)
    assert viewer.request("GET", POOLS).status == http.HTTPStatus.OK
    assert viewer.request("DELETE", f"{POOLS}/trn1").status == http.HTTPStatus.FORBIDDEN
