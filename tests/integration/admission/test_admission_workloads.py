"""Who applies a workload reads the same sentences, and what is stored already stays usable."""

import contextlib
import http
from collections.abc import Iterator
from typing import Any

import pytest

from kits.api_server import admission as admission_kit
from kits.api_server import api_client

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]  # the first test starts the API server

BAD = {"neuronspan.dev/cores": "four"}
GOOD = {"neuronspan.dev/cores": "4"}
SENTENCE = (
    'in the pod template: annotation neuronspan.dev/cores is "four": write a whole number of NeuronCores from 1 to 128'
)
REGISTRATION = "/apis/admissionregistration.k8s.io/v1"
APPS = "/apis/apps/v1/namespaces/default"
BATCH = "/apis/batch/v1/namespaces/default"
SELECTOR = {"matchLabels": {"app": "x"}}


def template(annotations: dict[str, str], **spec: Any) -> dict[str, Any]:
    containers = [admission_kit.container("app")]
    return {
        "metadata": {"labels": {"app": "x"}, "annotations": annotations},
        "spec": {"containers": containers, **spec},
    }


def workload(kind: str, annotations: dict[str, str]) -> tuple[str, dict[str, Any]]:
    """Return the path of a kind of workload, and its spec."""
    plain: dict[str, Any] = {"selector": SELECTOR, "template": template(annotations)}
    job = {"template": template(annotations, restartPolicy="Never")}
    kinds: dict[str, tuple[str, dict[str, Any]]] = {
        "Deployment": (f"{APPS}/deployments", plain),
        "StatefulSet": (f"{APPS}/statefulsets", {**plain, "serviceName": "x"}),
        "DaemonSet": (f"{APPS}/daemonsets", plain),
        "Job": (f"{BATCH}/jobs", job),
        "CronJob": (f"{BATCH}/cronjobs", {"schedule": "0 0 * * *", "jobTemplate": {"spec": job}}),
    }
    return kinds[kind]


KINDS = ["Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob"]


@pytest.mark.parametrize("kind", KINDS)
def test_bad_template_is_refused_with_its_sentence(admission: admission_kit.Admission, kind: str) -> None:
    path, spec = workload(kind, BAD)
    answer = admission.admin.request("POST", path, {"metadata": {"name": "bad"}, "spec": spec})
    assert answer.status == http.HTTPStatus.UNPROCESSABLE_ENTITY
    assert admission_kit.words(answer) == SENTENCE
    assert admission.admin.request("GET", f"{path}/bad").status == http.HTTPStatus.NOT_FOUND


@pytest.mark.parametrize("kind", KINDS)
def test_good_template_is_stored_as_it_is(admission: admission_kit.Admission, kind: str) -> None:
    """The form of a request is made in the pods: a template stays what its owner wrote."""
    path, spec = workload(kind, GOOD)
    created = admission.admin.create(path, {"metadata": {"name": admission.unique("good")}, "spec": spec})
    stored = created["spec"].get("jobTemplate", created)["spec"]["template"]
    assert stored["metadata"]["annotations"] == GOOD
    assert "schedulingGates" not in stored["spec"]
    assert stored["spec"]["containers"][0]["resources"] == {}


def test_smaller_container_after_an_init_container_is_refused_in_a_template(
    admission: admission_kit.Admission,
) -> None:
    spec = {
        "selector": SELECTOR,
        "template": template(
            {"neuronspan.dev/cores": "2", "cores.neuronspan.dev/i": "4"},
            initContainers=[admission_kit.container("i")],
        ),
    }
    answer = admission.admin.request("POST", f"{APPS}/deployments", {"metadata": {"name": "bad"}, "spec": spec})
    assert 'container "app" asks for 2 after init container "i" with 4' in answer.message


def test_template_cannot_become_bad(admission: admission_kit.Admission) -> None:
    path, spec = workload("Deployment", GOOD)
    name = admission.unique("deployment")
    admission.admin.create(path, {"metadata": {"name": name}, "spec": spec})
    patch = {"spec": {"template": {"metadata": {"annotations": BAD}}}}
    answer = admission.admin.request("PATCH", f"{path}/{name}", patch, api_client.MERGE_PATCH)
    assert admission_kit.words(answer) == SENTENCE
    assert admission.admin.patch(f"{path}/{name}", {"spec": {"replicas": 3}})["spec"]["replicas"] == 3


@contextlib.contextmanager
def unchecked(admission: admission_kit.Admission, mode: str) -> Iterator[None]:
    """Take away what looks at workloads, as before the chart came."""
    where = {
        "policy": f"{REGISTRATION}/validatingadmissionpolicybindings/neuronspan-workloads",
        "webhook": f"{REGISTRATION}/validatingwebhookconfigurations/neuronspan-webhook",
    }[mode]
    found = admission.admin.get(where)
    again = {**found, "metadata": {"name": found["metadata"]["name"], "labels": found["metadata"].get("labels", {})}}
    admission.admin.delete(where)
    if mode == "webhook":
        others = [each for each in found["webhooks"] if each["name"] != "workloads.neuronspan.dev"]
        admission.admin.create(where.rpartition("/")[0], {**again, "webhooks": others})
    try:
        yield
    finally:
        admission.admin.delete(where)
        admission.admin.create(where.rpartition("/")[0], again)


def test_bad_template_from_before_can_still_be_scaled(admission: admission_kit.Admission, mode: str) -> None:
    path, spec = workload("Deployment", BAD)
    body = {"metadata": {"name": "from-before"}, "spec": spec}
    with unchecked(admission, mode):
        admission_kit.wait_for(lambda: admission.admin.request("POST", path, body).status == http.HTTPStatus.CREATED)
    again = {"metadata": {"name": "canary"}, "spec": spec}
    admission_kit.wait_for(lambda: "denied" in admission.admin.request("POST", f"{path}?dryRun=All", again).message)
    patched = admission.admin.patch(
        f"{path}/from-before", {"spec": {"replicas": 0}, "metadata": {"labels": {"a": "b"}}}
    )
    assert patched["spec"]["replicas"] == 0


def test_annotation_cannot_be_put_beside_the_template_of_a_cron_job_later(admission: admission_kit.Admission) -> None:
    path, spec = workload("CronJob", {})
    name = admission.unique("cron-job")
    admission.admin.create(path, {"metadata": {"name": name}, "spec": spec})
    patch = {"spec": {"jobTemplate": {"metadata": {"annotations": GOOD}}}}
    answer = admission.admin.request("PATCH", f"{path}/{name}", patch, api_client.MERGE_PATCH)
    assert admission_kit.words(answer) == misplaced("neuronspan.dev/cores", template="spec.jobTemplate.spec.template")


def misplaced(*annotations: str, template: str = "spec.template") -> str:
    return (
        f"annotation {', '.join(annotations)} means nothing here, because it is not copied to the pods: "
        f"write it into the annotations of the pod template, {template}.metadata.annotations"
    )


@pytest.mark.parametrize("kind", KINDS)
def test_annotation_beside_the_template_is_refused(admission: admission_kit.Admission, kind: str) -> None:
    path, spec = workload(kind, {})
    answer = admission.admin.request("POST", path, {"metadata": {"name": "bad", "annotations": GOOD}, "spec": spec})
    assert answer.status == http.HTTPStatus.UNPROCESSABLE_ENTITY
    template = "spec.jobTemplate.spec.template" if kind == "CronJob" else "spec.template"
    assert admission_kit.words(answer) == misplaced("neuronspan.dev/cores", template=template)


def test_annotation_beside_the_template_of_a_cron_job_is_refused(admission: admission_kit.Admission) -> None:
    path, spec = workload("CronJob", {})
    spec["jobTemplate"]["metadata"] = {"annotations": {"neuronspan.dev/env": "count", **GOOD}}
    answer = admission.admin.request("POST", path, {"metadata": {"name": "bad"}, "spec": spec})
    expected = misplaced("neuronspan.dev/cores", "neuronspan.dev/env", template="spec.jobTemplate.spec.template")
    assert admission_kit.words(answer) == expected


def test_annotation_in_both_places_is_accepted(admission: admission_kit.Admission) -> None:
    """Tools that write annotations everywhere do that."""
    path, spec = workload("Deployment", GOOD)
    metadata = {"name": admission.unique("both"), "annotations": GOOD}
    assert admission.admin.create(path, {"metadata": metadata, "spec": spec})


def test_annotation_cannot_be_put_beside_the_template_later(admission: admission_kit.Admission) -> None:
    path, spec = workload("Deployment", {})
    name = admission.unique("deployment")
    admission.admin.create(path, {"metadata": {"name": name}, "spec": spec})
    patch = {"metadata": {"annotations": GOOD}}
    answer = admission.admin.request("PATCH", f"{path}/{name}", patch, api_client.MERGE_PATCH)
    assert admission_kit.words(answer) == misplaced("neuronspan.dev/cores")
    assert admission.admin.patch(f"{path}/{name}", {"metadata": {"annotations": {"example.com/x": "y"}}})


def test_template_of_a_guest_is_refused(admission: admission_kit.Admission) -> None:
    spec = {"selector": SELECTOR, "template": template(GOOD, schedulerName="volcano")}
    answer = admission.admin.request("POST", f"{APPS}/deployments", {"metadata": {"name": "bad"}, "spec": spec})
    assert admission_kit.words(answer).startswith(
        'in the pod template: spec.schedulerName is "volcano", but pods that ask'
    )
