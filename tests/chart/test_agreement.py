"""The chart and the code: what both must spell alike and no generator writes (tests/unit/generate has the lists)."""

import dataclasses
import re

import pytest

from kits.api_server import chart
from neuronspan import grants, instance_types, names, spans
from neuronspan_deviceplugin import config as plugin_config
from neuronspan_operator import config as operator_config
from neuronspan_operator.objects import pod_conditions, pools
from neuronspan_operator.pools import handlers

GRANT = grants.Grant(
    pod_uid="u",
    namespace="n",
    pod="p",
    container="c",
    span=spans.CoreSpan(0, 1),
    resource=names.CORE_RESOURCE,
    env=grants.EnvMode.VISIBLE,
    state=grants.GrantState.GRANTED,
    since="2026-01-31T09:00:00Z",
)
NOT_OURS = {"POD_NAME", "POD_ID", "MALLOC_ARENA_MAX"}
"""What kopf and the C library read."""


def _variables(kind: str, name: str) -> set[str]:
    container = chart.render().one(kind, name)["spec"]["template"]["spec"]["containers"][0]
    return {each["name"] for each in container["env"]}


@pytest.mark.parametrize(
    ("kind", "name", "settings"),
    [
        ("Deployment", "operator", operator_config.Settings),
        ("DaemonSet", "deviceplugin", plugin_config.Settings),
    ],
    ids=["operator", "deviceplugin"],
)
def test_every_variable_the_chart_sets_is_a_setting(kind: str, name: str, settings: type) -> None:
    known = {f"NEURONSPAN_{field.name.upper()}" for field in dataclasses.fields(settings)}
    assert _variables(kind, name) - known - NOT_OURS == set()


def test_operator_accepts_what_the_chart_sets() -> None:
    container = chart.render().one("Deployment", "operator")["spec"]["template"]["spec"]["containers"][0]
    values = {each["name"]: each.get("value", "from-the-pod") for each in container["env"]}
    settings = operator_config.load([], {**values, "KUBERNETES_SERVICE_HOST": "10.0.0.1"})
    assert settings == operator_config.Settings(
        namespace="from-the-pod", identity="from-the-pod", lease_name="neuronspan-operator"
    )


def test_device_plugin_accepts_what_the_chart_sets() -> None:
    container = chart.render().one("DaemonSet", "deviceplugin")["spec"]["template"]["spec"]["containers"][0]
    settings = plugin_config.load([], {each["name"]: each.get("value", "w1") for each in container["env"]})
    expected = plugin_config.load(["--node-name", "w1", "--cgroup-root", "/host/sys/fs/cgroup"], {})
    assert settings == expected


def test_device_plugin_finds_what_the_chart_mounts() -> None:
    container = chart.render().one("DaemonSet", "deviceplugin")["spec"]["template"]["spec"]["containers"][0]
    mounted = {each["mountPath"] for each in container["volumeMounts"]}
    settings = plugin_config.load([], {each["name"]: each.get("value", "w1") for each in container["env"]})
    needed = {
        settings.kubelet_directory,
        settings.pod_resources_socket.parent,
        settings.cdi_directory,
        settings.run_directory,
        settings.cgroup_root,
    }
    assert {str(path) for path in needed} == mounted
    assert settings.run_directory in settings.checkpoint.parents


@pytest.mark.parametrize("dmi", ["", "/firmware"])
def test_device_plugin_that_detects_finds_what_the_chart_mounts(dmi: str) -> None:
    values = {"devicePlugin": {"hardware": {"detect": True, "dmiRoot": dmi}}}
    container = chart.render(values).one("DaemonSet", "deviceplugin")["spec"]["template"]["spec"]["containers"][0]
    mounted = {each["mountPath"] for each in container["volumeMounts"] if each.get("readOnly")}
    settings = plugin_config.load([], {each["name"]: each.get("value", "w1") for each in container["env"]})
    assert {str(settings.sysfs_root), str(settings.dev_root), str(settings.logical_cores_file.parent)} <= mounted
    assert settings.dmi_root.is_relative_to(settings.sysfs_root) is not bool(dmi)
    assert (str(settings.dmi_root) in mounted) is bool(dmi)


def test_mutation_writes_the_names_of_the_domain() -> None:
    (mutation,) = chart.render().one("MutatingAdmissionPolicy", "requests")["spec"]["mutations"]
    patch = mutation["jsonPatch"]["expression"]
    assert f"'{names.MANAGED_LABEL}': '{names.MANAGED_VALUE}'" in patch
    assert f"'name': '{names.SCHEDULING_GATE}'" in patch
    assert f"path: '/spec/schedulerName', value: '{names.SCHEDULER}'" in patch
    assert f"jsonpatch.escapeKey('{names.CONTAINER_ANNOTATION}'), value: variables.main" in patch


def test_policy_lets_the_operator_write_the_conditions_that_it_writes() -> None:
    validations = str(chart.render().one("ValidatingAdmissionPolicy", "operator")["spec"]["validations"])
    assert f"t in ['{pod_conditions.SCHEDULED}', '{names.TAKEN_BACK_CONDITION}']" in validations


def test_cleanup_knows_the_operators_finalizer_and_pods() -> None:
    script = (chart.CHART / "files" / "before_uninstall.py").read_text()
    assert f'FINALIZER = "{handlers.settings("x").persistence.finalizer}"' in script
    rendered = chart.render()
    arguments = rendered.one("Job", "cleanup")["spec"]["template"]["spec"]["containers"][0]["args"]
    *_, deployment, selector, waiting, mutator = arguments
    operator = rendered.one("Deployment", "operator")
    assert operator["metadata"]["name"] == deployment
    wanted = dict(each.split("=") for each in selector.split(","))
    assert wanted.items() <= operator["spec"]["template"]["metadata"]["labels"].items()
    assert wanted.items() <= operator["spec"]["selector"]["matchLabels"].items()
    assert waiting == "keep"
    assert [mutator] == [
        f"mutatingadmissionpolicybindings/{name}" for name in rendered.names("MutatingAdmissionPolicyBinding")
    ]
    assert f'"labelSelector": "{names.MANAGED_LABEL}={names.MANAGED_VALUE}"' in script


def test_pool_policy_defaults_are_the_operators() -> None:
    spec = chart.custom_resource("neuronpools")["properties"]["spec"]["properties"]
    defaults = {name: each["default"] for name, each in spec["policy"]["properties"].items()}
    assert pools.read({"spec": {"policy": defaults}}).policy == pools.Policy()


def test_ledger_schema_knows_the_fields_of_a_grant() -> None:
    """It declares those that its rules read, and names the others."""
    spec = chart.custom_resource("neuronnodes")["properties"]["spec"]["properties"]
    grant = spec["grants"]["items"]
    full = dataclasses.replace(GRANT, group_sizes="1", init_containers=("i",)).to_dict()
    assert set(grant["properties"]) == set(grant["required"]) < set(full)
    assert set(full) - set(grant["properties"]) <= set(re.split(r"\W+", grant["description"]))


def test_ledger_schema_has_the_fields_of_hardware() -> None:
    spec = chart.custom_resource("neuronnodes")["properties"]["spec"]["properties"]
    hardware = instance_types.hardware_of("trn1.32xlarge")
    assert set(spec["hardware"]["properties"]) == set(hardware.to_dict())


def test_ledger_rule_allows_the_transitions_of_the_domain() -> None:
    """The rule packs how far a grant has come into a number, which may stay or grow."""
    spec = chart.custom_resource("neuronnodes")["properties"]["spec"]
    (rule,) = (each["rule"] for each in spec["x-kubernetes-validations"] if "now[at] >= was" in each["rule"])
    packed = {*re.findall(r"g\.count \* 4 \+ \((.*?)\)", rule)}
    assert packed == {"g.state == 'Confirmed' ? 1 : g.state == 'Granted' ? 0 : 2"}
    steps = {grants.GrantState.CONFIRMED: 1, grants.GrantState.GRANTED: 0, grants.GrantState.RELEASING: 2}
    allowed = {(before, after) for before in steps for after in steps if steps[after] >= steps[before]}
    assert allowed == {(before, after) for before, afters in grants.TRANSITIONS.items() for after in [before, *afters]}
