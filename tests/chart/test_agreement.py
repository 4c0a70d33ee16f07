"""The chart and the code: every string, list and field that both must spell alike."""

import dataclasses
import re

import pytest
import yaml

from kits import chart
from neuronspan import grants, instance_types, names, placement, spans
from neuronspan_deviceplugin import config as plugin_config
from neuronspan_operator import config as operator_config
from neuronspan_operator import handlers, pods, pools

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
NOT_OURS = {"POD_NAME", "POD_ID"}
"""What kopf reads."""


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


def _template(name: str) -> str:
    return (chart.CHART / "templates" / name).read_text()


def test_admission_knows_the_annotations_of_the_domain() -> None:
    of_domain = {
        getattr(names, name)
        for name in dir(names)
        if name.endswith("_ANNOTATION") and getattr(names, name) != names.GRANT_ANNOTATION
    }
    lists = re.findall(r'define "neuronspan.requests.(\w+)" -}}\n(\'.*)\n', _template("_requests.tpl"))
    listed = {name: set(re.findall(r"'([^']+)'", text)) for name, text in lists}
    assert listed["annotations"] == of_domain
    assert listed["operatorAnnotations"] == {names.GRANT_ANNOTATION, pods.REVOKED_ANNOTATION}


@pytest.mark.parametrize(
    "name",
    [names.CONTAINER_CORES_PREFIX, names.CONTAINER_DEVICES_PREFIX, names.CORE_RESOURCE, names.DEVICE_RESOURCE],
)
def test_admission_knows_the_names_of_the_domain(name: str) -> None:
    assert f"'{name}'" in _template("_requests.tpl")


def test_mutation_puts_the_gate_and_the_label_of_the_domain() -> None:
    expression = chart.render().one("MutatingAdmissionPolicy", "requests")["spec"]["mutations"][0]
    text = expression["applyConfiguration"]["expression"]
    assert f"'{names.MANAGED_LABEL}': '{names.MANAGED_VALUE}'" in text
    assert f"name: '{names.SCHEDULING_GATE}'" in text


def test_substrings_in_cel_cut_off_the_whole_prefix() -> None:
    cuts = dict(re.findall(r"startsWith\('([^']+)'\) \? k\.substring\((\d+)\)", _template("_requests.tpl")))
    assert {prefix: int(length) for prefix, length in cuts.items()} == {
        prefix: len(prefix) for prefix in (names.CONTAINER_CORES_PREFIX, names.CONTAINER_DEVICES_PREFIX)
    }


def test_cleanup_knows_the_operators_finalizer_and_pods() -> None:
    script = (chart.CHART / "files" / "before_uninstall.py").read_text()
    assert f'FINALIZER = "{handlers.settings("x").persistence.finalizer}"' in script
    rendered = chart.render()
    *_, deployment, selector = rendered.one("Job", "cleanup")["spec"]["template"]["spec"]["containers"][0]["args"]
    operator = rendered.one("Deployment", "operator")
    assert operator["metadata"]["name"] == deployment
    wanted = dict(each.split("=") for each in selector.split(","))
    assert wanted.items() <= operator["spec"]["template"]["metadata"]["labels"].items()
    assert wanted.items() <= operator["spec"]["selector"]["matchLabels"].items()


def test_pools_know_the_instance_types_of_the_domain() -> None:
    spec = chart.custom_resource("neuronpools")["properties"]["spec"]["properties"]
    assert spec["hardware"]["properties"]["instanceType"]["enum"] == list(instance_types.INSTANCE_TYPES)


def test_values_know_the_instance_types_of_the_domain() -> None:
    schema = yaml.safe_load((chart.CHART / "values.schema.json").read_text())
    assert schema["definitions"]["pool"]["properties"]["instanceType"]["enum"] == list(instance_types.INSTANCE_TYPES)


def test_validation_knows_the_hardware_of_the_domain() -> None:
    text = _template("_hardware.tpl").split("-}}\n", 1)[1].split("\n{{-", 1)[0]
    assert yaml.safe_load(text) == {
        name: {
            "cores": each.devices * each.cores_per_device,
            "devices": each.devices,
            "joins": 2 in each.logical_core_sizes,
        }
        for name, each in instance_types.INSTANCE_TYPES.items()
    }


def test_pool_rule_knows_which_cores_can_be_joined() -> None:
    rule = chart.custom_resource("neuronpools")["properties"]["spec"]["properties"]["hardware"]
    prefixes = re.findall(r"startsWith\('(\w+)'\)", rule["x-kubernetes-validations"][0]["rule"])
    for name, each in instance_types.INSTANCE_TYPES.items():
        assert name.startswith(tuple(prefixes)) == (2 in each.logical_core_sizes), name


def test_default_limits_fit_every_instance_type() -> None:
    limits = chart.default_values()["limits"]
    assert limits["coresPerNode"] == max(
        each.devices * each.cores_per_device for each in instance_types.INSTANCE_TYPES.values()
    )
    assert limits["devicesPerNode"] == max(each.devices for each in instance_types.INSTANCE_TYPES.values())


def test_pool_policies_are_the_domains() -> None:
    spec = chart.custom_resource("neuronpools")["properties"]["spec"]["properties"]
    policy = spec["policy"]["properties"]
    assert policy["packing"]["enum"] == list(placement.Packing)
    assert policy["alignment"]["enum"] == list(placement.Alignment)


def test_pool_policy_defaults_are_the_operators() -> None:
    spec = chart.custom_resource("neuronpools")["properties"]["spec"]["properties"]
    defaults = {name: each["default"] for name, each in spec["policy"]["properties"].items()}
    assert pools.read({"spec": {"policy": defaults}}).policy == pools.Policy()


def test_ledger_schema_has_the_fields_of_a_grant() -> None:
    spec = chart.custom_resource("neuronnodes")["properties"]["spec"]["properties"]
    grant = spec["grants"]["items"]["properties"]
    assert set(grant) == set(GRANT.to_dict())
    assert grant["state"]["enum"] == list(grants.GrantState)
    assert grant["env"]["enum"] == list(grants.EnvMode)
    assert grant["resource"]["enum"] == list(names.RESOURCES)


def test_ledger_schema_has_the_fields_of_hardware() -> None:
    spec = chart.custom_resource("neuronnodes")["properties"]["spec"]["properties"]
    hardware = instance_types.hardware_of("trn1.32xlarge")
    assert set(spec["hardware"]["properties"]) == set(hardware.to_dict())
    assert spec["hardware"]["properties"]["topology"]["enum"] == list(instance_types.Topology)
    assert spec["coreNumbering"]["enum"] == list(names.CORE_NUMBERINGS)


def test_ledger_rule_allows_the_transitions_of_the_domain() -> None:
    spec = chart.custom_resource("neuronnodes")["properties"]["spec"]["properties"]
    rule = spec["grants"]["items"]["x-kubernetes-validations"][1]["rule"]
    allowed = {
        (before, after)
        for before in grants.GrantState
        for after in grants.GrantState
        if _holds(rule, before=str(before), after=str(after))
    }
    assert allowed == {(before, after) for before, afters in grants.TRANSITIONS.items() for after in [before, *afters]}


def _holds(rule: str, *, before: str, after: str) -> bool:
    """Evaluate the rule: this subset of CEL is Python but for the operators."""
    text = rule.replace("oldSelf.state", repr(before)).replace("self.state", repr(after))
    return bool(eval(text.replace("||", " or ").replace("&&", " and ")))  # noqa: S307  our own text, constants only


def test_readme_lists_the_instance_types_of_the_domain() -> None:
    text = (chart.CHART / "README.md").read_text()
    listed = re.search(r"Instance types: ([^.]+(?:\.[^.]+)*?)\.\n\n", text)
    assert listed is not None
    assert [name.strip() for name in listed[1].split(",")] == list(instance_types.INSTANCE_TYPES)
