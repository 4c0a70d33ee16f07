"""The webhook's objects: which mode brings them, and that they fit together and to what the policies look at."""

from typing import Any

import pytest

from kits.api_server import chart
from neuronspan_operator import config
from neuronspan_operator.webhook import rotation

Values = dict[str, Any]
WEBHOOK: Values = {"admission": {"mode": "webhook"}}
KINDS = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")
CERTIFICATE_API = "cert-manager.io/v1/Certificate"
CERT_MANAGER: Values = {
    "admission": {
        "mode": "webhook",
        "webhook": {"certificates": {"mode": "cert-manager", "issuerRef": {"name": "ours", "kind": "ClusterIssuer"}}},
    }
}
OWN_SECRET: Values = {
    "admission": {
        "mode": "webhook",
        "webhook": {"certificates": {"mode": "secret", "existingSecret": "theirs", "caBundle": "YQ=="}},
    }
}


def with_webhook(values: Values = WEBHOOK, *apis: str) -> chart.Rendered:
    return chart.render(values, apis=apis)


def webhooks(rendered: chart.Rendered) -> list[dict[str, Any]]:
    return [each for kind in KINDS for each in rendered.one(kind, "webhook")["webhooks"]]


def container(rendered: chart.Rendered) -> dict[str, Any]:
    (deployment,) = rendered.of_kind("Deployment")
    return container_of(deployment["spec"]["template"])


def container_of(template: dict[str, Any]) -> dict[str, Any]:
    (found,) = template["spec"]["containers"]
    return dict(found)


def environment(rendered: chart.Rendered) -> dict[str, str]:
    return {each["name"]: each["value"] for each in container(rendered)["env"] if "value" in each}


def of_the_webhook(rendered: chart.Rendered) -> list[str]:
    return [
        each["kind"]
        for each in rendered.manifests
        if each["kind"] in KINDS or each["metadata"]["labels"]["app.kubernetes.io/component"] == "webhook"
    ]


@pytest.mark.parametrize(
    ("mode", "apis", "policies", "has_webhook"),
    [
        ("auto", chart.APIS, True, False),
        ("auto", (), False, True),
        (None, (), False, True),
        ("policy", chart.APIS, True, False),
        ("webhook", chart.APIS, False, True),
        ("webhook", (), False, True),
        ("none", chart.APIS, False, False),
    ],
)
def test_mode_brings_policies_or_the_webhook_and_never_both(
    mode: str | None, apis: tuple[str, ...], policies: bool, has_webhook: bool
) -> None:
    rendered = chart.render({"admission": {"mode": mode}}, apis=apis)
    assert bool(rendered.of_kind("MutatingAdmissionPolicy")) == policies
    assert ("neuronspan-requests" in rendered.names("ValidatingAdmissionPolicy")) == policies
    assert ("neuronspan-workloads" in rendered.names("ValidatingAdmissionPolicy")) == policies
    assert bool(of_the_webhook(rendered)) == has_webhook
    assert ("NEURONSPAN_WEBHOOK" in environment(rendered)) == has_webhook
    assert bool([each for each in container(rendered)["ports"] if each["name"] == "webhook"]) == has_webhook


@pytest.mark.parametrize("values", [{}, {"guests": {"enabled": True}}], ids=["default", "guests"])
def test_guards_are_the_same_in_both_modes(values: Values) -> None:
    guards = {f"neuronspan-{name}" for name in ("bindings", "grants", "neuronnodes", "nodes", "operator", "volumes")}
    by_policy, by_webhook = chart.render(values), with_webhook({**WEBHOOK, **values})
    for kind in ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"):
        assert {*by_webhook.names(kind)} == guards
        ours = [each for each in by_policy.of_kind(kind) if each["metadata"]["name"] in guards]
        assert ours == by_webhook.of_kind(kind)


def test_webhook_looks_at_what_the_policies_look_at() -> None:
    rendered = with_webhook()
    policies = [
        chart.render().one(kind, name)
        for kind, name in (
            ("MutatingAdmissionPolicy", "requests"),
            ("ValidatingAdmissionPolicy", "requests"),
            ("ValidatingAdmissionPolicy", "workloads"),
        )
    ]
    for webhook, policy in zip(webhooks(rendered), policies, strict=True):
        rules = [{key: value for key, value in each.items() if key != "scope"} for each in webhook["rules"]]
        assert rules == policy["spec"]["matchConstraints"]["resourceRules"]
        assert webhook["matchConditions"] == policy["spec"]["matchConditions"]
        assert webhook["failurePolicy"] == policy["spec"]["failurePolicy"]
    assert rendered.one(KINDS[0], "webhook")["webhooks"][0]["reinvocationPolicy"] == "IfNeeded"


def test_every_webhook_has_conditions_and_no_side_effects() -> None:
    found = webhooks(with_webhook())
    assert [each["name"] for each in found] == [
        "requests.neuronspan.dev",
        "requests.neuronspan.dev",
        "workloads.neuronspan.dev",
    ]
    assert [each["failurePolicy"] for each in found] == ["Fail", "Fail", "Ignore"]
    for each in found:
        assert each["matchConditions"]
        assert each["sideEffects"] == "None"
        assert each["timeoutSeconds"] == 10
        assert each["admissionReviewVersions"] == ["v1"]


def test_workloads_are_left_alone_when_told() -> None:
    values = {"admission": {"mode": "webhook", "workloads": False}}
    assert "workloads.neuronspan.dev" not in [each["name"] for each in webhooks(with_webhook(values))]


def test_service_configurations_and_operator_name_each_other() -> None:
    rendered = with_webhook({**WEBHOOK, "fullnameOverride": "other", "limits": {"coresPerNode": 256}})
    (service,) = [each for each in rendered.of_kind("Service") if each["metadata"]["name"] == "other-webhook"]
    settings = config.load([f"--namespace={chart.NAMESPACE}"], environment(rendered))
    assert settings.webhook
    assert settings.webhook_service == service["metadata"]["name"]
    names = rotation.host_names(settings.webhook_service, settings.namespace)
    for kind in KINDS:
        (configuration,) = rendered.of_kind(kind)
        assert configuration["metadata"]["name"] == settings.webhook_configuration
        for each in configuration["webhooks"]:
            where = each["clientConfig"]["service"]
            assert f"{where['name']}.{where['namespace']}.svc" in names
            assert where["port"] == service["spec"]["ports"][0]["port"]
    template = rendered.one("Deployment", "other-operator")["spec"]["template"]
    assert service["spec"]["selector"].items() <= template["metadata"]["labels"].items()
    ports = {each["name"]: each["containerPort"] for each in container_of(template)["ports"]}
    assert ports[service["spec"]["ports"][0]["targetPort"]] == settings.webhook_port
    secrets = [each["metadata"]["name"] for each in rendered.of_kind("Secret")]
    assert secrets == [settings.webhook_secret]
    assert (settings.most_cores, settings.most_devices, settings.guests) == (256, 16, False)


def test_guests_and_limits_reach_the_operator() -> None:
    values = {**WEBHOOK, "guests": {"enabled": True}, "limits": {"devicesPerNode": 32}}
    settings = config.load([], environment(with_webhook(values)))
    assert (settings.guests, settings.most_devices) == (True, 32)


def test_operator_may_write_its_own_certificate_and_nothing_else() -> None:
    rendered = with_webhook()
    (trust,) = rendered.one("ClusterRole", "webhook")["rules"]
    assert trust == {
        "apiGroups": ["admissionregistration.k8s.io"],
        "resources": ["mutatingwebhookconfigurations", "validatingwebhookconfigurations"],
        "resourceNames": [rendered.one(KINDS[0], "webhook")["metadata"]["name"]],
        "verbs": ["get", "patch"],
    }
    create, own = rendered.one("Role", "webhook")["rules"]
    assert create == {"apiGroups": [""], "resources": ["secrets"], "verbs": ["create"]}
    assert own == {
        "apiGroups": [""],
        "resources": ["secrets"],
        "resourceNames": rendered.names("Secret"),
        "verbs": ["get", "update"],
    }


@pytest.mark.parametrize("values", [CERT_MANAGER, OWN_SECRET], ids=["cert-manager", "secret"])
def test_certificate_of_others_is_mounted_and_takes_no_right(values: Values) -> None:
    rendered = with_webhook(values, CERTIFICATE_API)
    assert "neuronspan-webhook" not in rendered.names("ClusterRole") + rendered.names("Role")
    assert rendered.of_kind("Secret") == []
    (mount,) = container(rendered)["volumeMounts"]
    assert environment(rendered)["NEURONSPAN_WEBHOOK_CERTIFICATES"] == mount["mountPath"]
    (volume,) = rendered.one("Deployment", "operator")["spec"]["template"]["spec"]["volumes"]
    assert volume["name"] == mount["name"]
    bundles = {each["clientConfig"].get("caBundle") for each in webhooks(rendered)}
    annotations = [rendered.one(kind, "webhook")["metadata"].get("annotations", {}) for kind in KINDS]
    if values is CERT_MANAGER:
        (certificate,) = rendered.of_kind("Certificate")
        assert certificate["spec"]["secretName"] == volume["secret"]["secretName"]
        assert certificate["spec"]["issuerRef"] == {"name": "ours", "kind": "ClusterIssuer"}
        assert "neuronspan-webhook.neuronspan.svc" in certificate["spec"]["dnsNames"]
        source = f"{chart.NAMESPACE}/{certificate['metadata']['name']}"
        assert annotations == [{"cert-manager.io/inject-ca-from": source}] * 2
        assert bundles == {None}
    else:
        assert volume["secret"]["secretName"] == "theirs"
        assert bundles == {"YQ=="}
        assert annotations == [{}, {}]


def test_network_policy_lets_the_api_server_in() -> None:
    rendered = with_webhook({**WEBHOOK, "networkPolicy": {"enabled": True}})
    ports = [each["ports"] for each in rendered.one("NetworkPolicy", "operator")["spec"]["ingress"]]
    assert [{"protocol": "TCP", "port": "webhook"}] in ports
    plugin = rendered.one("NetworkPolicy", "deviceplugin")["spec"]["ingress"]
    assert len(plugin) == 1


@pytest.mark.parametrize(
    ("certificates", "sentence"),
    [
        ({"mode": "cert-manager"}, "issuerRef.name is empty: name the Issuer"),
        ({"mode": "secret", "caBundle": "YQ=="}, "existingSecret is empty: name the Secret"),
        ({"mode": "secret", "existingSecret": "a"}, "certificates.caBundle is empty"),
    ],
)
def test_half_of_a_certificate_is_refused(certificates: Values, sentence: str) -> None:
    values = {"admission": {"mode": "webhook", "webhook": {"certificates": certificates}}}
    with pytest.raises(chart.RenderError, match=sentence):
        with_webhook(values, CERTIFICATE_API)


def test_cert_manager_that_is_not_there_is_refused() -> None:
    with pytest.raises(chart.RenderError, match="does not serve Certificate"):
        with_webhook(CERT_MANAGER)


def test_port_of_the_pages_is_refused() -> None:
    values = {"admission": {"mode": "webhook", "webhook": {"port": 8080}}}
    with pytest.raises(chart.RenderError, match=r"admission\.webhook\.port and operator\.port are both 8080"):
        with_webhook(values)


def test_cleanup_takes_away_what_makes_pods_ours() -> None:
    rendered = with_webhook({**WEBHOOK, "cleanup": {"waitingPods": "delete"}})
    arguments = rendered.one("Job", "cleanup")["spec"]["template"]["spec"]["containers"][0]["args"]
    assert arguments[-1] == "mutatingwebhookconfigurations/neuronspan-webhook"
    rule = rendered.one("ClusterRole", "cleanup")["rules"][-1]
    assert (rule["resources"], rule["resourceNames"]) == (["mutatingwebhookconfigurations"], ["neuronspan-webhook"])
    without = chart.render({"admission": {"mode": "none"}, "cleanup": {"waitingPods": "delete"}})
    assert without.one("Job", "cleanup")["spec"]["template"]["spec"]["containers"][0]["args"][-1] == ""
    assert len(without.one("ClusterRole", "cleanup")["rules"]) == 2
