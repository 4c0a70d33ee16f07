"""Requests drawn at random: what the API server makes of them is what the operator's functions make of them.

ADMISSION_REQUESTS says how many pods are drawn, and half as many workloads and changes of workloads;
`make test-admission` draws thousands.
"""

import os
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies

from kits.api_server import admission as admission_kit
from kits.api_server import api_client
from kits.api_server import control_plane as control_plane_kit
from kits.requests import answered, compared, drawn
from neuronspan_operator.admission.settings import Settings

REQUESTS = int(os.environ.get("ADMISSION_REQUESTS", "300"))  # noqa: TID251 - the tests have no settings module
SECONDS_PER_REQUEST = 0.5  # several times what a busy machine needs
KINDS = [kind for kind in answered.GROUPS if kind != "Pod"]
CHANGEABLE = [kind for kind in KINDS if kind != "Job"]
"""A Job's template cannot change: the API server says so before it asks anybody."""
WRITTEN = {"neuronspan.dev/cores": "4", "neuronspan.dev/env": "count"}
SELECTOR = {"matchLabels": {"app": "x"}}
pytestmark = [pytest.mark.integration, pytest.mark.timeout(300 + REQUESTS * SECONDS_PER_REQUEST)]

thorough = hypothesis.settings(
    max_examples=REQUESTS,
    deadline=None,
    database=None,
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture, hypothesis.HealthCheck.too_slow],
)


@pytest.fixture(scope="session")
def plain(control_plane: control_plane_kit.ControlPlane) -> api_client.Client:
    """An API server without the chart: what it answers is what admission is asked about."""
    return control_plane.client()


def test_pods_become_the_same(admission: admission_kit.Admission, plain: api_client.Client, claims: bool) -> None:
    @thorough
    @hypothesis.given(pod=drawn.pods(claims=claims))
    def agree(pod: dict[str, Any]) -> None:
        found = compared.created(admission, plain, pod, Settings())
        assert found.theirs == found.ours

    agree()


def test_workloads_are_told_the_same(admission: admission_kit.Admission, plain: api_client.Client) -> None:
    @hypothesis.settings(thorough, max_examples=max(REQUESTS // 2, 1))
    @hypothesis.given(workload=strategies.sampled_from(KINDS).flatmap(drawn.workloads))
    def agree(workload: dict[str, Any]) -> None:
        found = compared.created(admission, plain, workload, Settings())
        assert found.theirs == found.ours

    agree()


@pytest.fixture
def stored(admission: admission_kit.Admission) -> dict[str, Any]:
    """A workload of each kind, with annotations in all places where they can be."""
    found = {}
    for kind in CHANGEABLE:
        template = {"metadata": {"labels": {"app": "x"}, "annotations": WRITTEN}, "spec": admission_kit.pod()["spec"]}
        of_job = {**template, "spec": {**template["spec"], "restartPolicy": "Never"}}
        spec = {
            "CronJob": {"schedule": "0 0 * * *", "jobTemplate": {"metadata": {}, "spec": {"template": of_job}}},
            "StatefulSet": {"selector": SELECTOR, "template": template, "serviceName": "x"},
        }.get(kind, {"selector": SELECTOR, "template": template})
        version = "batch/v1" if kind == "CronJob" else "apps/v1"
        own = {"name": admission.unique("changed"), "namespace": "default", "annotations": WRITTEN}
        workload = {"apiVersion": version, "kind": kind, "metadata": own, "spec": spec}
        found[kind] = admission.admin.create(admission_kit.collection(workload), workload)
    return found


def test_changes_of_workloads_are_told_the_same(admission: admission_kit.Admission, stored: dict[str, Any]) -> None:
    @hypothesis.settings(thorough, max_examples=max(REQUESTS // 2, 1))
    @hypothesis.given(data=strategies.data(), kind=strategies.sampled_from(CHANGEABLE))
    def agree(data: strategies.DataObject, kind: str) -> None:
        found = compared.updated(admission, stored[kind], data.draw(drawn.changes(kind)), Settings())
        assert found.theirs == found.ours

    agree()
