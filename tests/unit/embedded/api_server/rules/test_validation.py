"""Names, pods and workloads that no API server stores."""

from typing import Any

import pytest

from kits.embedded import cluster as embedded
from neuronspan_embedded.api_server.rules import refusals

APP = {"name": "app", "image": "x"}


def pod(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "web"}, "spec": {"containers": [APP], **spec}}


def app(**fields: Any) -> dict[str, Any]:
    return pod(containers=[{**APP, **fields}])


BAD_PODS: dict[str, tuple[dict[str, Any], str]] = {
    "a way out of the directory": ({**pod(), "metadata": {"name": "../x"}}, "metadata.name: Invalid value"),
    "a name that is too long": ({**pod(), "metadata": {"name": "x" * 254}}, "no more than 253 bytes"),
    "no containers": (pod(containers=[]), "spec.containers: Required value"),
    "a container's way out": (pod(containers=[{"name": "a/b", "image": "x"}]), r"containers\[0\].name: Invalid value"),
    "a long container name": (pod(containers=[{"name": "a" * 64, "image": "x"}]), "no more than 63 bytes"),
    "no container name": (pod(containers=[{"image": "x"}]), r"containers\[0\].name: Required value"),
    "two of a name": (pod(initContainers=[APP]), r'containers\[0\].name: Duplicate value: "app"'),
    "no image": (pod(containers=[{"name": "app"}]), r"containers\[0\].image: Required value"),
    "another policy": (pod(restartPolicy="Sometimes"), 'Unsupported value: "Sometimes"'),
    "time that went by": (pod(terminationGracePeriodSeconds=-1), "greater than or equal to 0"),
    "a volume's way out": (pod(volumes=[{"name": "..", "emptyDir": {}}]), r"volumes\[0\].name: Invalid value"),
    "a source without a name": (pod(volumes=[{"name": "v", "configMap": {}}]), "configMap.name: Required value"),
    "an item without a path": (
        pod(volumes=[{"name": "v", "secret": {"secretName": "s", "items": [{"key": "k"}]}}]),
        r"secret.items\[0\].path: Required value",
    ),
    "a mount of nothing": (app(volumeMounts=[{"name": "v", "mountPath": "/v"}]), 'name: Not found: "v"'),
    "a mount's way out": (
        app(volumeMounts=[{"name": "v", "mountPath": "/v", "subPath": "../../etc"}]),
        "must not contain '..'",
    ),
    "a variable without a name": (app(env=[{"value": "x"}]), r"env\[0\].name: Required value"),
    "a reference without a key": (
        app(env=[{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "c"}}}]),
        "configMapKeyRef.key: Required value",
    ),
    "variables from nothing": (app(envFrom=[{"prefix": "A"}]), "must specify one of"),
    "an amount that is none": (app(resources={"limits": {"cpu": "many"}}), "quantities must be numbers"),
}


@pytest.mark.parametrize(("manifest", "words"), BAD_PODS.values(), ids=BAD_PODS.keys())
def test_pod_is_refused_that_no_api_server_stores(manifest: dict[str, Any], words: str) -> None:
    cluster = embedded.Embedded()
    with pytest.raises(refusals.Refusal, match=words) as refused:
        cluster.create("pods", manifest)
    assert refused.value.code == 422
    assert cluster.all("pods") == []


@pytest.mark.parametrize("amount", ["1", "0.5", ".5", "500m", "2Gi", "1e3", "4E", "+1", 3])
def test_amounts_are_taken_as_kubernetes_writes_them(amount: Any) -> None:
    cluster = embedded.Embedded()
    cluster.create("pods", app(resources={"limits": {"memory": amount}}))
    assert len(cluster.all("pods")) == 1


def workload(**spec: Any) -> dict[str, Any]:
    template = {"metadata": {"labels": {"app": "x"}}, "spec": {"containers": [APP]}}
    return {
        "metadata": {"name": "w"},
        "spec": {"selector": {"matchLabels": {"app": "x"}}, "template": template, **spec},
    }


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"replicas": -1}, "spec.replicas: Invalid value: -1"),
        ({"selector": {}}, "spec.selector: Required value"),
        ({"selector": {"matchLabels": {"app": "y"}}}, "`selector` does not match template `labels`"),
        ({"template": {"metadata": {"labels": {"app": "x"}}}}, "spec.template.spec.containers: Required value"),
    ],
)
def test_workload_is_refused_that_no_api_server_stores(spec: dict[str, Any], words: str) -> None:
    cluster = embedded.Embedded()
    with pytest.raises(refusals.Refusal, match=words):
        cluster.create("deployments", workload(**spec))


def test_change_of_a_workload_is_looked_at_too() -> None:
    cluster = embedded.Embedded()
    made = cluster.create("deployments", workload())
    with pytest.raises(refusals.Refusal, match=r"spec.replicas: Invalid value"):
        cluster.calls.replace(cluster.target("deployments", "w"), {**made, "spec": {**made["spec"], "replicas": -2}})


def test_names_of_rights_may_have_colons_but_no_slashes() -> None:
    cluster = embedded.Embedded()
    cluster.create("clusterroles", {"metadata": {"name": "system:web"}})
    with pytest.raises(refusals.Refusal, match="may not contain '/'"):
        cluster.create("clusterroles", {"metadata": {"name": "a/b"}})


def test_cron_job_is_looked_into() -> None:
    cluster = embedded.Embedded()
    with pytest.raises(refusals.Refusal, match=r"spec.jobTemplate.spec.template.spec.containers: Required value"):
        cluster.create("cronjobs", {"metadata": {"name": "c"}, "spec": {"schedule": "@daily"}})
