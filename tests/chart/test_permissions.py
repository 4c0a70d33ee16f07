"""Who may do what, to the last verb; and that admission knows the same identities as RBAC."""

import re
from typing import Any

import pytest

from kits.api_server import chart

Rights = dict[str, set[str]]

OPERATOR: Rights = {
    "pods": {"get", "list", "watch"},
    "pods/binding": {"create"},
    "pods/status": {"patch"},
    "pods/eviction": {"create"},
    "policy/poddisruptionbudgets": {"list", "watch"},
    "nodes": {"list", "watch", "patch"},
    "namespaces": {"list", "watch"},
    "persistentvolumeclaims": {"list", "watch", "patch"},
    "persistentvolumes": {"list", "watch", "patch"},
    "storage.k8s.io/storageclasses": {"list", "watch"},
    "storage.k8s.io/csinodes": {"list", "watch"},
    "storage.k8s.io/csidrivers": {"list", "watch"},
    "storage.k8s.io/csistoragecapacities": {"list", "watch"},
    "storage.k8s.io/volumeattachments": {"list", "watch"},
    "events": {"get", "create", "patch"},
    "neuronspan.dev/neuronnodes": {"get", "list", "watch", "create", "patch", "delete"},
    "neuronspan.dev/neuronpools": {"list", "watch", "patch"},
    "neuronspan.dev/neuronpools/status": {"patch"},
}
DEVICE_PLUGIN: Rights = {
    "neuronspan.dev/neuronnodes": {"get", "list", "watch"},
    "neuronspan.dev/neuronnodes/status": {"patch"},
}
CLEANUP: Rights = {"neuronspan.dev/neuronpools": {"list", "patch"}, "pods": {"list"}}
CLEANUP_THAT_DELETES: Rights = {
    **CLEANUP,
    "pods": {"list", "delete"},
    "admissionregistration.k8s.io/mutatingadmissionpolicybindings": {"delete"},
}
GUESTS = {"guests": {"enabled": True}}
VIEW: Rights = {
    "neuronspan.dev/neuronnodes": {"get", "list", "watch"},
    "neuronspan.dev/neuronpools": {"get", "list", "watch"},
}


def rights(role: dict[str, Any]) -> Rights:
    found: Rights = {}
    for rule in role["rules"]:
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                found.setdefault(f"{group}/{resource}".lstrip("/"), set()).update(rule["verbs"])
    return found


@pytest.mark.parametrize(
    ("name", "expected"),
    [("operator", OPERATOR), ("deviceplugin", DEVICE_PLUGIN), ("view", VIEW), ("cleanup", CLEANUP)],
    ids=["operator", "deviceplugin", "view", "cleanup"],
)
def test_cluster_role_grants_exactly(name: str, expected: Rights) -> None:
    assert rights(chart.render().one("ClusterRole", name)) == expected


def test_operator_may_patch_pods_only_where_there_are_guests() -> None:
    expected = {**OPERATOR, "pods": {*OPERATOR["pods"], "patch"}}
    assert rights(chart.render(GUESTS).one("ClusterRole", "operator")) == expected


def test_cleanup_may_delete_pods_only_when_it_is_told_to() -> None:
    role = chart.render({"cleanup": {"waitingPods": "delete"}}).one("ClusterRole", "cleanup")
    assert rights(role) == CLEANUP_THAT_DELETES
    (binding,) = (rule for rule in role["rules"] if rule["resources"] == ["mutatingadmissionpolicybindings"])
    assert binding["resourceNames"] == chart.render().names("MutatingAdmissionPolicyBinding")


def test_page_explains_every_right_of_the_operator() -> None:
    page = (chart.CHART.parents[1] / "docs" / "reference" / "permissions.md").read_text()
    rows = re.findall(r"^\| `([^`]+)` \| `([^`]+)` \|", page.partition("\n## ")[0], re.MULTILINE)
    told = {resource: set(verbs.split(", ")) for resource, verbs in rows}
    rendered = chart.render({**GUESTS, "admission": {"mode": "webhook"}})
    roles = [rendered.one(kind, name) for kind in ("ClusterRole", "Role") for name in ("operator", "webhook")]
    granted = {resource: verbs for role in roles for resource, verbs in rights(role).items()}
    assert told == {re.sub(r"^(policy|[\w.]+\.\w+)/", "", resource): verbs for resource, verbs in granted.items()}


def test_page_names_code_that_exists() -> None:
    checkout = chart.CHART.parents[1]
    page = (checkout / "docs" / "reference" / "permissions.md").read_text()
    named = set(re.findall(r"`((?:operator|deviceplugin|charts)/[\w./-]+)`", page))
    assert named
    assert [path for path in sorted(named) if not (checkout / path).exists()] == []


@pytest.mark.parametrize(
    "values",
    [{}, GUESTS, {"cleanup": {"waitingPods": "delete"}}, {"admission": {"mode": "webhook"}}],
    ids=["default", "guests", "delete", "webhook"],
)
def test_no_role_has_a_wildcard(values: dict[str, Any]) -> None:
    rendered = chart.render(values)
    for role in [*rendered.of_kind("ClusterRole"), *rendered.of_kind("Role")]:
        for rule in role["rules"]:
            assert "*" not in [*rule["apiGroups"], *rule["resources"], *rule["verbs"]], role["metadata"]["name"]


def test_device_plugin_has_no_right_on_pods_and_no_namespaced_one() -> None:
    rendered = chart.render()
    assert not any(resource.startswith("pods") for resource in rights(rendered.one("ClusterRole", "deviceplugin")))
    subjects = {each["subjects"][0]["name"] for each in rendered.of_kind("RoleBinding")}
    assert subjects == {f"{chart.RELEASE}-operator", f"{chart.RELEASE}-cleanup"}


def test_operator_may_write_its_own_lease_only() -> None:
    create, own = chart.render().one("Role", "operator")["rules"]
    assert create == {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["create"]}
    assert own == {
        "apiGroups": ["coordination.k8s.io"],
        "resources": ["leases"],
        "resourceNames": ["neuronspan-operator"],
        "verbs": ["get", "update"],
    }


def test_cleanup_may_stop_the_operator_and_nothing_else() -> None:
    (scale,) = chart.render().one("Role", "cleanup")["rules"]
    assert scale == {
        "apiGroups": ["apps"],
        "resources": ["deployments/scale"],
        "resourceNames": ["neuronspan-operator"],
        "verbs": ["patch"],
    }


def test_everything_of_the_cleanup_exists_during_an_uninstall_only() -> None:
    found = [each for each in chart.render().manifests if each["metadata"]["name"] == "neuronspan-cleanup"]
    assert len(found) == 6
    for manifest in found:
        annotations = manifest["metadata"]["annotations"]
        assert annotations["helm.sh/hook"] == "pre-delete", manifest["kind"]
        assert set(annotations["helm.sh/hook-delete-policy"].split(",")) == {
            "before-hook-creation",
            "hook-succeeded",
            "hook-failed",
        }


def test_lease_has_the_name_the_role_allows() -> None:
    rendered = chart.render({"fullnameOverride": "other"})
    container = rendered.one("Deployment", "other-operator")["spec"]["template"]["spec"]["containers"][0]
    lease = next(each["value"] for each in container["env"] if each["name"] == "NEURONSPAN_LEASE_NAME")
    assert rendered.one("Role", "other-operator")["rules"][1]["resourceNames"] == [lease]


def test_view_role_is_part_of_the_clusters_own_view() -> None:
    labels = chart.render().one("ClusterRole", "view")["metadata"]["labels"]
    assert labels["rbac.authorization.k8s.io/aggregate-to-view"] == "true"
    assert "view" not in [name.removeprefix("neuronspan-") for name in _cluster_roles(aggregate=False)]


def _cluster_roles(*, aggregate: bool) -> list[str]:
    return chart.render({"rbac": {"aggregateToView": aggregate}}).names("ClusterRole")


def test_existing_service_accounts_are_used_everywhere() -> None:
    values = {
        "operator": {"serviceAccount": {"create": False, "name": "op"}},
        "devicePlugin": {"serviceAccount": {"create": False, "name": "dp"}},
    }
    rendered = chart.render({**values, "cleanup": {"enabled": False}})
    assert rendered.of_kind("ServiceAccount") == []
    assert rendered.one("Deployment", "operator")["spec"]["template"]["spec"]["serviceAccountName"] == "op"
    assert rendered.one("DaemonSet", "deviceplugin")["spec"]["template"]["spec"]["serviceAccountName"] == "dp"
    subjects = [each["subjects"] for each in rendered.of_kind("ClusterRoleBinding")]
    assert {subject["name"] for given in subjects for subject in given} == {"op", "dp"}
    policies = str(rendered.of_kind("ValidatingAdmissionPolicy"))
    assert "system:serviceaccount:neuronspan:op" in policies
    assert "system:serviceaccount:neuronspan:dp" in policies
    assert chart.OPERATOR not in policies
    assert chart.DEVICE_PLUGIN not in policies


@pytest.mark.parametrize(
    "name", ["requests", "workloads", "grants", "bindings", "operator", "volumes", "neuronnodes", "nodes"]
)
def test_policy_is_bound_and_denies(name: str) -> None:
    rendered = chart.render()
    policy = rendered.one("ValidatingAdmissionPolicy", name)
    binding = rendered.one("ValidatingAdmissionPolicyBinding", name)
    assert binding["spec"] == {"policyName": policy["metadata"]["name"], "validationActions": ["Deny"]}
    assert policy["spec"]["failurePolicy"] == ("Ignore" if name == "workloads" else "Fail")


def test_mutation_is_bound() -> None:
    rendered = chart.render()
    policy = rendered.one("MutatingAdmissionPolicy", "requests")
    assert policy["spec"]["failurePolicy"] == "Fail"
    assert rendered.one("MutatingAdmissionPolicyBinding", "requests")["spec"] == {
        "policyName": policy["metadata"]["name"]
    }
