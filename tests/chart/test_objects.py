"""What the chart renders: the security of the pods, how they are placed, and what stands in front of them."""

from typing import Any

import pytest
import yaml

from kits.api_server import chart
from neuronspan import names

UNPRIVILEGED = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
HOST_PATHS = {
    "device-plugins": ("/var/lib/kubelet/device-plugins", "/var/lib/kubelet/device-plugins", False),
    "pod-resources": ("/var/lib/kubelet/pod-resources", "/var/lib/kubelet/pod-resources", True),
    "cdi": ("/var/run/cdi", "/var/run/cdi", False),
    "neuronspan": ("/run/neuronspan", "/run/neuronspan", False),
    "cgroup": ("/sys/fs/cgroup", "/host/sys/fs/cgroup", True),
}


def pod_spec(kind: str, name: str, values: dict[str, Any] | None = None) -> dict[str, Any]:
    spec: dict[str, Any] = chart.render(values).one(kind, name)["spec"]["template"]["spec"]
    return spec


def environment(spec: dict[str, Any]) -> dict[str, Any]:
    return {each["name"]: each.get("value", each.get("valueFrom")) for each in spec["containers"][0]["env"]}


def test_chart_passes_helm_lint() -> None:
    assert "0 chart(s) failed" in chart.helm("lint", "--strict", str(chart.CHART))


@pytest.mark.parametrize(
    ("kind", "name"), [("Deployment", "operator"), ("Job", "cleanup")], ids=["operator", "cleanup"]
)
def test_operator_and_cleanup_run_without_any_privilege(kind: str, name: str) -> None:
    spec = pod_spec(kind, name)
    assert spec["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 65532,
        "runAsGroup": 65532,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert spec["containers"][0]["securityContext"] == UNPRIVILEGED
    assert "volumes" not in spec


def test_device_plugin_is_root_without_capabilities() -> None:
    spec = pod_spec("DaemonSet", "deviceplugin")
    assert spec["securityContext"] == {
        "runAsUser": 0,
        "runAsGroup": 0,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert spec["containers"][0]["securityContext"] == {"privileged": False, **UNPRIVILEGED}
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec)


def test_device_plugin_sees_five_directories_of_the_host() -> None:
    spec = pod_spec("DaemonSet", "deviceplugin")
    mounts = {each["name"]: each for each in spec["containers"][0]["volumeMounts"]}
    paths = {each["name"]: each["hostPath"]["path"] for each in spec["volumes"]}
    assert {
        name: (paths[name], mounts[name]["mountPath"], mounts[name].get("readOnly", False)) for name in paths
    } == HOST_PATHS


def test_device_plugin_makes_the_directories_that_may_be_missing() -> None:
    kinds = {each["name"]: each["hostPath"]["type"] for each in pod_spec("DaemonSet", "deviceplugin")["volumes"]}
    assert {name for name, kind in kinds.items() if kind == "DirectoryOrCreate"} == {"cdi", "neuronspan"}


def test_device_plugin_finds_a_kubelet_elsewhere_at_the_usual_place_in_its_container() -> None:
    spec = pod_spec("DaemonSet", "deviceplugin", {"devicePlugin": {"kubeletDirectory": "/data/kubelet/"}})
    paths = {each["name"]: each["hostPath"]["path"] for each in spec["volumes"]}
    assert paths["device-plugins"] == "/data/kubelet/device-plugins"
    assert paths["pod-resources"] == "/data/kubelet/pod-resources"
    mounts = {each["name"]: each["mountPath"] for each in spec["containers"][0]["volumeMounts"]}
    assert mounts["device-plugins"] == "/var/lib/kubelet/device-plugins"


def test_device_plugin_runs_exactly_on_the_nodes_of_the_pools_and_those_with_a_ledger() -> None:
    pools = [
        {"name": "a", "nodeSelector": {"x": "1", "y": "2"}, "instanceType": "trn1.2xlarge"},
        {"name": "b", "nodeSelector": {"x": "3"}, "instanceType": "inf2.xlarge"},
    ]
    affinity = pod_spec("DaemonSet", "deviceplugin", {"pools": pools})["affinity"]["nodeAffinity"]
    assert affinity["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"] == [
        {
            "matchExpressions": [
                {"key": "x", "operator": "In", "values": ["1"]},
                {"key": "y", "operator": "In", "values": ["2"]},
            ]
        },
        {"matchExpressions": [{"key": "x", "operator": "In", "values": ["3"]}]},
        {"matchExpressions": [{"key": names.LEDGER_LABEL, "operator": "In", "values": [names.LEDGER_VALUE]}]},
    ]


def test_device_plugin_runs_everywhere_without_pools_and_where_affinity_says() -> None:
    assert "affinity" not in pod_spec("DaemonSet", "deviceplugin", {"pools": []})
    terms = {"nodeSelectorTerms": [{"matchExpressions": [{"key": "x", "operator": "Exists"}]}]}
    own = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}
    assert pod_spec("DaemonSet", "deviceplugin", {"devicePlugin": {"affinity": own}})["affinity"] == own


@pytest.mark.parametrize(
    ("kind", "name", "priority"),
    [("Deployment", "operator", "system-cluster-critical"), ("DaemonSet", "deviceplugin", "system-node-critical")],
    ids=["operator", "deviceplugin"],
)
def test_component_is_probed_and_critical(kind: str, name: str, priority: str) -> None:
    spec = pod_spec(kind, name)
    container = spec["containers"][0]
    assert spec["priorityClassName"] == priority
    assert container["ports"] == [{"name": "http", "containerPort": 8080}]
    assert container["livenessProbe"]["httpGet"] == {"path": "/livez", "port": "http"}
    assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "http"}


def test_component_listens_where_it_is_probed() -> None:
    values = {"operator": {"port": 9001}, "devicePlugin": {"port": 9002}}
    operator, plugin = pod_spec("Deployment", "operator", values), pod_spec("DaemonSet", "deviceplugin", values)
    assert environment(operator)["NEURONSPAN_PORT"] == "9001"
    assert operator["containers"][0]["ports"][0]["containerPort"] == 9001
    assert environment(plugin)["NEURONSPAN_PROBE_PORT"] == "9002"
    assert plugin["containers"][0]["ports"][0]["containerPort"] == 9002


def test_device_plugin_learns_its_node_and_where_the_control_groups_are() -> None:
    variables = environment(pod_spec("DaemonSet", "deviceplugin"))
    assert variables["NEURONSPAN_NODE_NAME"] == {"fieldRef": {"fieldPath": "spec.nodeName"}}
    assert variables["NEURONSPAN_CGROUP_ROOT"] == HOST_PATHS["cgroup"][1]


def test_operator_learns_who_it_is() -> None:
    variables = environment(pod_spec("Deployment", "operator"))
    assert variables["POD_NAME"] == variables["NEURONSPAN_IDENTITY"] == {"fieldRef": {"fieldPath": "metadata.name"}}
    assert variables["POD_ID"] == {"fieldRef": {"fieldPath": "metadata.uid"}}
    assert variables["NEURONSPAN_NAMESPACE"] == {"fieldRef": {"fieldPath": "metadata.namespace"}}


def test_two_operators_survive_a_drain() -> None:
    rendered = chart.render()
    assert rendered.one("Deployment", "operator")["spec"]["replicas"] == 2
    assert rendered.one("PodDisruptionBudget", "operator")["spec"]["minAvailable"] == 1


def test_single_operator_has_no_disruption_budget() -> None:
    assert chart.render({"operator": {"replicas": 1}}).of_kind("PodDisruptionBudget") == []


@pytest.mark.parametrize(
    ("values", "image"),
    [
        ({}, "neuronspan/operator:0.1.0"),
        ({"operator": {"image": {"tag": "dev"}}}, "neuronspan/operator:dev"),
        (
            {"operator": {"image": {"tag": "dev", "digest": "sha256:" + "0" * 64}}},
            "neuronspan/operator@sha256:" + "0" * 64,
        ),
        ({"image": {"registry": "mirror.example/x/"}}, "mirror.example/x/neuronspan/operator:0.1.0"),
    ],
    ids=["default", "tag", "digest", "registry"],
)
def test_image_reference_is_put_together(values: dict[str, Any], image: str) -> None:
    assert pod_spec("Deployment", "operator", values)["containers"][0]["image"] == image


def test_pools_become_neuron_pools() -> None:
    pool = {
        "name": "p",
        "nodeSelector": {"a": "b"},
        "instanceType": "trn2.3xlarge",
        "logicalCoreSize": 1,
        "policy": {"packing": "first-fit", "quarantineSeconds": 0},
    }
    assert chart.render({"pools": [pool]}).of_kind("NeuronPool")[0]["spec"] == {
        "nodeSelector": {"a": "b"},
        "hardware": {"instanceType": "trn2.3xlarge", "logicalCoreSize": 1},
        "policy": {"packing": "first-fit", "quarantineSeconds": 0},
    }


def test_metrics_are_found_through_services_of_single_pods() -> None:
    rendered = chart.render({"metrics": {"serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}}}})
    for component in ("operator", "deviceplugin"):
        service = rendered.one("Service", f"{component}-metrics")
        assert service["spec"]["clusterIP"] == "None"
        assert service["spec"]["selector"]["app.kubernetes.io/component"] == component
        monitor = rendered.one("ServiceMonitor", component)
        assert monitor["metadata"]["labels"]["release"] == "prometheus"
        assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()


def test_network_policies_let_metrics_in_and_the_api_server_out() -> None:
    peers = [{"podSelector": {"matchLabels": {"app": "prometheus"}}}]
    rendered = chart.render({"networkPolicy": {"enabled": True, "metricsFrom": peers, "apiServerPorts": [6443]}})
    assert len(rendered.of_kind("NetworkPolicy")) == 2
    for policy in rendered.of_kind("NetworkPolicy"):
        spec = policy["spec"]
        assert spec["policyTypes"] == ["Ingress", "Egress"]
        assert spec["ingress"] == [{"ports": [{"protocol": "TCP", "port": "http"}], "from": peers}]
        assert [port["port"] for rule in spec["egress"] for port in rule["ports"]] == [53, 53, 6443]


def test_quota_admits_critical_pods_where_clusters_want_one() -> None:
    quota = chart.render({"resourceQuota": {"enabled": True, "pods": 7}}).of_kind("ResourceQuota")[0]
    assert quota["spec"]["hard"] == {"pods": "7"}
    assert quota["spec"]["scopeSelector"]["matchExpressions"][0]["values"] == [
        "system-cluster-critical",
        "system-node-critical",
    ]


@pytest.mark.parametrize(
    ("values", "kinds"),
    [
        ({"networkPolicy": {"enabled": False}}, {"NetworkPolicy"}),
        ({"resourceQuota": {"enabled": False}}, {"ResourceQuota"}),
        ({"metrics": {"serviceMonitor": {"enabled": False}}}, {"ServiceMonitor"}),
        ({"metrics": {"service": {"enabled": False}}}, {"Service"}),
        ({"devicePlugin": {"enabled": False}}, {"DaemonSet"}),
        ({"cleanup": {"enabled": False}}, {"Job"}),
        ({"rbac": {"create": False}}, {"ClusterRole", "Role", "RoleBinding", "Job"}),
        (
            {"admission": {"mode": "none"}},
            {"MutatingAdmissionPolicy", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"},
        ),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else None,
)
def test_switched_off_parts_are_absent(values: dict[str, Any], kinds: set[str]) -> None:
    assert not kinds & {manifest["kind"] for manifest in chart.render(values).manifests}


def test_every_object_carries_the_labels_and_its_namespace() -> None:
    rendered = chart.render({"commonLabels": {"team": "x"}, "networkPolicy": {"enabled": True}})
    for manifest in rendered.manifests:
        labels = manifest["metadata"]["labels"]
        assert labels["app.kubernetes.io/instance"] == chart.RELEASE, manifest["metadata"]["name"]
        assert labels["team"] == "x", manifest["metadata"]["name"]
        assert manifest["metadata"].get("namespace", chart.NAMESPACE) == chart.NAMESPACE


def test_full_name_override_renames_everything_but_the_pools_and_the_marker() -> None:
    rendered = chart.render({"fullnameOverride": "other"})
    marker = chart.render().one("ClusterRoleBinding", chart.INSTALLATION)
    kept = {each["metadata"]["name"] for each in (*rendered.of_kind("NeuronPool"), marker)}
    named = [each["metadata"]["name"] for each in rendered.manifests if each["metadata"]["name"] not in kept]
    assert [name for name in named if not name.startswith("other-")] == []


def test_what_the_cleanup_says_reaches_whoever_uninstalls() -> None:
    annotations = chart.render().one("Job", "cleanup")["metadata"]["annotations"]
    assert annotations["helm.sh/hook-output-log-policy"] == "hook-succeeded,hook-failed"


def test_shown_custom_resources_are_documents_of_their_own() -> None:
    """What `helm show crds | kubectl apply` applies: helm joins the files as they are."""
    shown = yaml.safe_load_all(chart.helm("show", "crds", str(chart.CHART)))
    names = [manifest["metadata"]["name"] for manifest in shown if manifest]
    assert names == ["neuronnodes.neuronspan.dev", "neuronpools.neuronspan.dev"]
