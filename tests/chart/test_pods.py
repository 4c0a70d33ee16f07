"""What values do to the pods of the chart: to all of them alike, or to those of one component."""

from collections.abc import Iterator
from typing import Any

import pytest

from kits.api_server import chart

Values = dict[str, Any]
COMPONENTS = {"operator": ("Deployment", "operator"), "devicePlugin": ("DaemonSet", "deviceplugin")}


def pods(values: Values | None = None) -> dict[str, dict[str, Any]]:
    """Return the spec of every pod that the chart makes, by the name of its container."""
    specs = {spec["containers"][0]["name"]: spec for spec in map(_spec, chart.render(values).manifests) if spec}
    assert set(specs) == {"operator", "deviceplugin", "cleanup", "test"}
    return specs


def _spec(manifest: dict[str, Any]) -> dict[str, Any]:
    spec = manifest.get("spec", {}) if manifest["kind"] in {"Deployment", "DaemonSet", "Job", "Pod"} else {}
    found: dict[str, Any] = spec.get("template", {"spec": spec})["spec"]
    return found


def pod(component: str, values: Values) -> dict[str, Any]:
    return _spec(chart.render({component: values}).one(*COMPONENTS[component]))


def images(values: Values) -> dict[str, str]:
    return {name: spec["containers"][0]["image"] for name, spec in pods(values).items()}


def test_global_registry_is_put_in_front_of_every_image_and_beats_the_charts_own() -> None:
    values = {"global": {"imageRegistry": "mirror.example/x"}, "image": {"registry": "other.example"}}
    assert images(values) == {
        "operator": "mirror.example/x/neuronspan/operator:0.1.0",
        "cleanup": "mirror.example/x/neuronspan/operator:0.1.0",
        "deviceplugin": "mirror.example/x/neuronspan/deviceplugin:0.1.0",
        "test": "mirror.example/x/neuronspan/runtime:0.1.0",
    }


def test_every_image_can_be_taken_by_its_digest() -> None:
    digest = f"sha256:{'0' * 64}"
    values = {key: {"image": {"digest": digest}} for key in ("operator", "devicePlugin", "runtime")}
    assert {image.partition("@")[2] for image in images(values).values()} == {digest}


def test_pull_secrets_of_all_charts_and_of_this_one_reach_every_pod_once() -> None:
    values = {"global": {"imagePullSecrets": ["a", {"name": "b"}]}, "imagePullSecrets": [{"name": "b"}, {"name": "c"}]}
    assert {str(spec["imagePullSecrets"]) for spec in pods(values).values()} == {
        str([{"name": name} for name in ("a", "b", "c")])
    }


def test_everything_moves_into_another_namespace() -> None:
    rendered = chart.render({"namespaceOverride": "other", "networkPolicy": {"enabled": True}})
    namespaces = {each["metadata"]["namespace"] for each in rendered.manifests if "namespace" in each["metadata"]}
    assert namespaces == {"other"}
    assert f":{chart.NAMESPACE}:" not in str(rendered.of_kind("ValidatingAdmissionPolicy"))
    subjects = [subject for each in rendered.of_kind("ClusterRoleBinding") for subject in each["subjects"]]
    assert {subject["namespace"] for subject in subjects} == {"other"}
    assert "other" in rendered.one("Job", "cleanup")["spec"]["template"]["spec"]["containers"][0]["args"]


def test_common_annotations_reach_every_object_and_beat_none_of_its_own() -> None:
    for manifest in chart.render({"commonAnnotations": {"a": "b", "neuronspan.dev/cores": "9"}}).manifests:
        annotations = manifest["metadata"]["annotations"]
        assert annotations["a"] == "b", manifest["metadata"]["name"]
        assert annotations["neuronspan.dev/cores"] == ("1" if manifest["kind"] == "Pod" else "9")


def test_labels_of_pods_and_of_all_objects_leave_the_selectors_alone() -> None:
    values: Values = {key: {"podLabels": {"a": key, "b": "pod"}} for key in COMPONENTS}
    rendered = chart.render({**values, "commonLabels": {"b": "all", "c": "d"}})
    for key, (kind, name) in COMPONENTS.items():
        spec = rendered.one(kind, name)["spec"]
        labels = spec["template"]["metadata"]["labels"]
        assert {"a": key, "b": "pod", "c": "d"}.items() <= labels.items()
        assert spec["selector"]["matchLabels"].items() <= labels.items()
        assert set(spec["selector"]["matchLabels"]) == {
            f"app.kubernetes.io/{part}" for part in ("name", "instance", "component")
        }


def test_no_pod_has_a_fixed_user_where_it_is_set_to_null() -> None:
    none = {"podSecurityContext": {"runAsUser": None, "runAsGroup": None}}
    for name, spec in pods({"operator": none, "devicePlugin": none, "tests": none}).items():
        assert not {"runAsUser", "runAsGroup"} & set(spec["securityContext"]), name
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name


def test_security_can_be_left_to_the_cluster_altogether() -> None:
    nothing = dict.fromkeys(["runAsNonRoot", "runAsUser", "runAsGroup", "seccompProfile"])
    container = dict.fromkeys(["allowPrivilegeEscalation", "readOnlyRootFilesystem", "capabilities"])
    spec = pod("operator", {"podSecurityContext": nothing, "securityContext": container})
    assert "securityContext" not in spec
    assert "securityContext" not in spec["containers"][0]


def test_plugin_gets_the_type_that_selinux_lets_write_to_the_host() -> None:
    spec = pod("devicePlugin", {"podSecurityContext": {"seLinuxOptions": {"type": "spc_t"}}})
    assert spec["securityContext"] == {
        "runAsUser": 0,
        "runAsGroup": 0,
        "seccompProfile": {"type": "RuntimeDefault"},
        "seLinuxOptions": {"type": "spc_t"},
    }


@pytest.mark.parametrize("component", COMPONENTS)
def test_pods_take_the_usual_fields(component: str) -> None:
    dns = {"searches": ["a.example"], "options": [{"name": "ndots", "value": "2"}]}
    given = {"runtimeClassName": "kata", "dnsPolicy": "Default", "dnsConfig": dns, "nodeSelector": {"a": "b"}}
    tolerations = [{"key": "a", "operator": "Exists"}]
    assert {**given, "tolerations": tolerations}.items() <= pod(
        component, {**given, "tolerations": tolerations}
    ).items()


@pytest.mark.parametrize("component", COMPONENTS)
def test_pods_in_the_network_of_their_node_still_ask_the_clusters_name_service(component: str) -> None:
    spec = pod(component, {"hostNetwork": True})
    assert (spec["hostNetwork"], spec["dnsPolicy"]) == (True, "ClusterFirstWithHostNet")
    assert pod(component, {"hostNetwork": True, "dnsPolicy": "Default"})["dnsPolicy"] == "Default"


@pytest.mark.parametrize("component", COMPONENTS)
def test_empty_priority_class_is_none(component: str) -> None:
    assert "priorityClassName" not in pod(component, {"priorityClassName": ""})


@pytest.mark.parametrize("component", COMPONENTS)
def test_probes_keep_what_is_not_tuned(component: str) -> None:
    tuned = {"livenessProbe": {"failureThreshold": 9}, "readinessProbe": {"periodSeconds": 1, "successThreshold": 2}}
    container = pod(component, tuned)["containers"][0]
    assert container["livenessProbe"] == {
        "httpGet": {"path": "/livez", "port": "http"}, "periodSeconds": 10, "timeoutSeconds": 5, "failureThreshold": 9,
    }  # fmt: skip
    assert container["readinessProbe"] == {
        "httpGet": {"path": "/readyz", "port": "http"}, "periodSeconds": 1, "timeoutSeconds": 5, "successThreshold": 2,
    }  # fmt: skip


@pytest.mark.parametrize("component", COMPONENTS)
def test_volumes_and_sources_of_variables_are_added_to_the_charts_own(component: str) -> None:
    before = pod(component, {})
    values: dict[str, list[Any]] = {
        "extraVolumes": [{"name": "ca", "configMap": {"name": "ca"}}],
        "extraVolumeMounts": [{"name": "ca", "mountPath": "/ca", "readOnly": True}],
        "envFrom": [{"configMapRef": {"name": "proxy"}}],
    }
    spec = pod(component, values)
    assert spec["volumes"] == [*before.get("volumes", []), *values["extraVolumes"]]
    mounts = before["containers"][0].get("volumeMounts", [])
    assert spec["containers"][0]["volumeMounts"] == [*mounts, *values["extraVolumeMounts"]]
    assert spec["containers"][0]["envFrom"] == values["envFrom"]


def test_test_pod_takes_fields_of_its_own() -> None:
    tolerations = [{"key": "aws.amazon.com/neuron", "operator": "Exists", "effect": "NoSchedule"}]
    given = {"tolerations": tolerations, "nodeSelector": {"a": "b"}, "priorityClassName": "high"}
    rendered = chart.render(
        {"tests": {**given, "podLabels": {"c": "d"}, "podAnnotations": {"neuronspan.dev/cores": "9"}}}
    )
    (test,) = rendered.of_kind("Pod")
    assert given.items() <= test["spec"].items()
    assert test["metadata"]["labels"]["c"] == "d"
    assert test["metadata"]["annotations"]["neuronspan.dev/cores"] == "1"


def test_directories_of_the_host_keep_every_character() -> None:
    values = {"kubeletDirectory": "/var/lib/kubelet,x", "cgroupDirectory": "/a:b{c}", "cdi": {"directory": "/d#e,[f]"}}
    paths = {each["name"]: each["hostPath"]["path"] for each in pod("devicePlugin", values)["volumes"]}
    assert paths == {
        "device-plugins": "/var/lib/kubelet,x/device-plugins",
        "pod-resources": "/var/lib/kubelet,x/pod-resources",
        "cdi": "/d#e,[f]",
        "neuronspan": "/run/neuronspan",
        "cgroup": "/a:b{c}",
    }


def test_files_of_real_devices_are_mounted_read_only_where_hardware_is_detected() -> None:
    roots = {"sysfsRoot": "/a", "devRoot": "/b", "dmiRoot": "/c", "logicalCoresDirectory": "/d"}
    spec = pod("devicePlugin", {"hardware": {"detect": True, **roots}})
    paths = {each["name"]: each["hostPath"]["path"] for each in spec["volumes"]}
    assert {name: path for name, path in paths.items() if name.startswith("hardware-")} == {
        "hardware-sys": "/a", "hardware-dev": "/b", "hardware-dmi": "/c", "hardware-neuron": "/d",
    }  # fmt: skip
    mounts = [each for each in spec["containers"][0]["volumeMounts"] if each["name"].startswith("hardware-")]
    assert len(mounts) == 4
    assert all(each["readOnly"] for each in mounts)


@pytest.mark.parametrize(
    ("rolling", "expected"),
    [
        ({}, {"maxUnavailable": 1}),
        ({"maxUnavailable": "10%"}, {"maxUnavailable": "10%"}),
        ({"maxSurge": 1}, {"maxSurge": 1, "maxUnavailable": 0}),
        ({"maxSurge": "5%", "maxUnavailable": 0}, {"maxSurge": "5%", "maxUnavailable": 0}),
        ({"maxSurge": 0}, {"maxUnavailable": 1}),
    ],
    ids=["default", "percentage", "surge alone", "surge", "no surge"],
)
def test_plugins_are_replaced_in_a_way_that_kubernetes_allows(rolling: Values, expected: Values) -> None:
    rendered = chart.render({"devicePlugin": {"updateStrategy": {"rollingUpdate": rolling}}})
    strategy = rendered.one("DaemonSet", "deviceplugin")["spec"]["updateStrategy"]
    assert strategy == {"type": "RollingUpdate", "rollingUpdate": expected}


def test_plugins_that_are_replaced_by_hand_have_no_rolling_update() -> None:
    rendered = chart.render({"devicePlugin": {"updateStrategy": {"type": "OnDelete"}}})
    assert rendered.one("DaemonSet", "deviceplugin")["spec"]["updateStrategy"] == {"type": "OnDelete"}


@pytest.mark.parametrize(
    ("budget", "expected"),
    [
        ({}, {"minAvailable": 1}),
        ({"minAvailable": "50%"}, {"minAvailable": "50%"}),
        ({"maxUnavailable": 1}, {"maxUnavailable": 1}),
        ({"maxUnavailable": "25%"}, {"maxUnavailable": "25%"}),
    ],
    ids=["default", "share", "missing", "missing share"],
)
def test_budget_is_of_one_kind(budget: Values, expected: Values) -> None:
    spec = chart.render({"operator": {"podDisruptionBudget": budget}}).one("PodDisruptionBudget", "operator")["spec"]
    assert {key: value for key, value in spec.items() if key.endswith("vailable")} == expected


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, each in value.items():
            yield from (key, *_texts(each))
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)
    elif isinstance(value, str):
        yield value


def test_no_value_of_a_template_is_left_over() -> None:
    """Go writes this where a value is missing."""
    assert [text for text in _texts(list(chart.render().manifests)) if "<no value>" in text or "%!" in text] == []
