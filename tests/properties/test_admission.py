"""Admission: idempotent, additions only, and an answer to everything."""

import copy
import json
from typing import Any

import hypothesis
import jsonpatch
import pytest
from hypothesis import strategies

from kits.requests import answered, drawn, nonsense
from neuronspan import names
from neuronspan_operator.admission import answering
from neuronspan_operator.admission.settings import Settings
from neuronspan_operator.objects import pods

KINDS = [kind for kind in answered.GROUPS if kind != "Pod"]
SETTINGS = strategies.builds(
    Settings, most_cores=strategies.sampled_from([8, 128]), most_devices=strategies.sampled_from([2, 16]), guests=...
)


def _asked_again(pod: Any, settings: Settings) -> answering.Answer:
    return answering.mutate(answered.request(pod), settings)


@hypothesis.given(pod=drawn.pods(), settings=SETTINGS)
@hypothesis.settings(max_examples=200)
def test_second_look_changes_nothing(pod: dict[str, Any], settings: Settings) -> None:
    stored = answered.admitted(pod, settings).stored
    assert _asked_again(stored, settings).patch == ()


@hypothesis.given(pod=drawn.pods(), settings=SETTINGS)
@hypothesis.settings(max_examples=200)
def test_what_the_user_wrote_stays(pod: dict[str, Any], settings: Settings) -> None:
    """But for a scheduler's name that means the cluster's own, and a label of ours."""
    before = copy.deepcopy(pod)
    stored = answered.admitted(pod, settings).stored
    assert pod == before
    after = copy.deepcopy(stored)
    if before["spec"].get("schedulerName") in {None, "", "default-scheduler"}:
        before["spec"].pop("schedulerName", None)
        after["spec"].pop("schedulerName", None)
    before["metadata"]["labels"].pop(names.MANAGED_LABEL, None)
    assert _is_within(before, after)


def _is_within(part: Any, whole: Any) -> bool:
    """Whether everything of the one is in the other, at its place; lists may only have grown at their end."""
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(key in whole and _is_within(part[key], whole[key]) for key in part)
    if isinstance(part, list):
        return len(part) <= len(whole) and all(map(_is_within, part, whole))
    return bool(part == whole)


@hypothesis.given(pod=drawn.pods(), settings=SETTINGS)
@hypothesis.settings(max_examples=200)
def test_operator_grants_what_is_let_in_and_is_limited_to_it(pod: dict[str, Any], settings: Settings) -> None:
    """A pod that was not refused asks for nothing, or has limits for each of its requests, and no problem."""
    outcome = answered.admitted(pod, settings)
    hypothesis.assume(not outcome.refusal and "kubernetes.io/config.mirror" not in pod["metadata"]["annotations"])
    hypothesis.assume(not any(map(_is_overcommitted, _containers(pod))))
    view = pods.read(outcome.stored)
    assert (view.problems, view.unlimited) == ((), ())


def _containers(pod: dict[str, Any]) -> list[dict[str, Any]]:
    return [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]


def _is_overcommitted(container: dict[str, Any]) -> bool:
    """Whether it has requests without limits of a Neuron resource, which the API server itself refuses."""
    parts = container.get("resources", {})
    return any(each in parts.get("requests", {}) and each not in parts.get("limits", {}) for each in names.RESOURCES)


@hypothesis.given(kind=strategies.sampled_from(KINDS), data=strategies.data(), settings=SETTINGS)
@hypothesis.settings(max_examples=100)
def test_workload_is_never_changed_and_stays_usable(kind: str, data: strategies.DataObject, settings: Settings) -> None:
    workload = data.draw(drawn.workloads(kind))
    assert answered.admitted(workload, settings, kind=kind).stored == workload
    labelled = {**workload, "metadata": {**workload["metadata"], "labels": {"a": "b"}}}
    assert answered.admitted(labelled, settings, kind=kind, stored=workload).refusal == ""


@pytest.mark.parametrize("kind", answered.GROUPS)
@hypothesis.given(written=strategies.one_of(nonsense.nonsense(), nonsense.crippled()), stored=nonsense.nonsense())
@hypothesis.settings(max_examples=60)
def test_everything_is_answered(kind: str, written: Any, stored: Any) -> None:
    for old in (None, stored):
        asked = answered.request(written, kind, old)
        change, said = answering.mutate(asked, Settings()), answering.validate(asked, Settings())
        assert change.allowed
        assert said.allowed == (said.message == "")
        assert json.loads(json.dumps(change.patch)) == list(change.patch)


@hypothesis.given(pod=nonsense.crippled())
@hypothesis.settings(max_examples=150)
def test_patch_can_be_applied(pod: Any) -> None:
    patch = answering.mutate(answered.request(pod), Settings()).patch
    hypothesis.assume(patch)
    changed = jsonpatch.apply_patch(pod, list(patch))
    assert _asked_again(changed, Settings()).patch == ()


@hypothesis.given(request=nonsense.nonsense())
def test_request_itself_may_be_anything(request: Any) -> None:
    asked = request if isinstance(request, dict) else {"object": request}
    assert answering.mutate(asked, Settings()).allowed
    assert answering.validate(asked, Settings()).allowed
