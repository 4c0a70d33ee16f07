"""Workloads: the sentences about their pod template, and what is stored stays usable."""

from typing import Any

import pytest

from kits.api_server import admission as admission_kit
from kits.requests import answered
from neuronspan_operator.admission import answering
from neuronspan_operator.admission.settings import Settings

BAD = {"neuronspan.dev/cores": "four"}
GOOD = {"neuronspan.dev/cores": "4"}
SENTENCE = (
    'in the pod template: annotation neuronspan.dev/cores is "four": write a whole number of NeuronCores from 1 to 128'
)
KINDS = [kind for kind in answered.GROUPS if kind != "Pod"]


def _workload(
    kind: str, annotations: dict[str, str], beside: dict[str, str] | None = None, **spec: Any
) -> dict[str, Any]:
    template = {"metadata": {"annotations": annotations}, "spec": admission_kit.pod()["spec"]}
    inside = {"jobTemplate": {"spec": {"template": template}}} if kind == "CronJob" else {"template": template}
    return {"metadata": {"name": "w", "annotations": beside or {}}, "spec": {**inside, **spec}}


def _said(kind: str, written: Any, stored: Any = None) -> str:
    return answered.admitted(written, kind=kind, stored=stored).refusal


def _misplaced(annotations: str, template: str = "spec.template") -> str:
    return (
        f"annotation {annotations} means nothing here, because it is not copied to the pods: "
        f"write it into the annotations of the pod template, {template}.metadata.annotations"
    )


@pytest.mark.parametrize("kind", KINDS)
def test_bad_template_is_refused_and_a_good_one_stays_as_it_is(kind: str) -> None:
    assert _said(kind, _workload(kind, BAD)) == SENTENCE
    good = _workload(kind, GOOD)
    assert answered.admitted(good, kind=kind) == answered.Outcome(good)


@pytest.mark.parametrize("kind", KINDS)
def test_annotation_beside_the_template_is_refused(kind: str) -> None:
    where = "spec.jobTemplate.spec.template" if kind == "CronJob" else "spec.template"
    beside = {"neuronspan.dev/env": "count", **GOOD, "example.com/x": "y"}
    expected = _misplaced("neuronspan.dev/cores, neuronspan.dev/env", where)
    assert _said(kind, _workload(kind, {}, beside)) == expected
    assert _said(kind, _workload(kind, BAD, {"neuronspan.dev/x": "y"})) == _misplaced("neuronspan.dev/x", where)


def test_annotation_beside_the_template_of_a_cron_job_is_refused() -> None:
    written = _workload("CronJob", {}, {"neuronspan.dev/env": "count"})
    written["spec"]["jobTemplate"]["metadata"] = {"annotations": GOOD}
    expected = _misplaced("neuronspan.dev/cores, neuronspan.dev/env", "spec.jobTemplate.spec.template")
    assert _said("CronJob", written) == expected


def test_annotation_in_both_places_is_accepted() -> None:
    assert _said("Deployment", _workload("Deployment", GOOD, GOOD)) == ""


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_stored_can_be_scaled_and_labelled_however_bad_it_is(kind: str) -> None:
    stored = _workload(kind, BAD, GOOD)
    scaled = _workload(kind, BAD, {**GOOD, "example.com/x": "y"}, replicas=0)
    assert _said(kind, scaled, stored) == ""


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_stored_cannot_become_bad(kind: str) -> None:
    assert _said(kind, _workload(kind, BAD), _workload(kind, GOOD)) == SENTENCE
    assert "means nothing here" in _said(kind, _workload(kind, {}, GOOD), _workload(kind, {}))


def test_annotation_cannot_be_put_beside_the_template_of_a_cron_job_later() -> None:
    written = _workload("CronJob", {})
    written["spec"]["jobTemplate"]["metadata"] = {"annotations": GOOD}
    assert "means nothing here" in _said("CronJob", written, _workload("CronJob", {}))


def test_template_of_a_guest_is_refused_unless_guests_are_let_in() -> None:
    written = _workload("Deployment", GOOD)
    written["spec"]["template"]["spec"] = {**written["spec"]["template"]["spec"], "schedulerName": "volcano"}
    assert _said("Deployment", written).startswith('in the pod template: spec.schedulerName is "volcano", but pods')
    assert answered.admitted(written, Settings(guests=True), kind="Deployment").refusal == ""


@pytest.mark.parametrize("operation", ["DELETE", "CONNECT"])
def test_only_writes_are_looked_at(operation: str) -> None:
    asked = {**answered.request(_workload("Job", BAD), "Job"), "operation": operation}
    assert answering.validate(asked, Settings()) == answering.Answer()


def test_scale_of_a_workload_is_not_looked_at() -> None:
    asked = {**answered.request(_workload("Deployment", BAD), "Deployment"), "subResource": "scale"}
    assert answering.validate(asked, Settings()) == answering.Answer()
