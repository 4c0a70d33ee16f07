"""The writes that change a pod land on the pod that they were made for, or not at all."""

import json
from typing import Any

import jsonpatch
import pytest

from kits.manifests import builders
from neuronspan import names, spans
from neuronspan_operator.objects import pod_changes, pod_conditions, pods

SPANS = {"b": spans.CoreSpan(8, 1), "a": spans.CoreSpan(4, 4)}


def _applied(manifest: dict[str, Any], patch: list[dict[str, Any]]) -> dict[str, Any]:
    changed: dict[str, Any] = jsonpatch.apply_patch(manifest, patch)
    return changed


@pytest.mark.parametrize("annotations", [None, {"a": "b"}], ids=["no annotations", "annotations"])
@pytest.mark.parametrize("selector", [None, {"zone": "a"}], ids=["no selector", "selector"])
def test_ungate_patch_does_all_in_one(annotations: dict[str, str] | None, selector: dict[str, str] | None) -> None:
    manifest = builders.make_pod(
        cores=4, annotations=annotations, selector=selector, scheduler="volcano", gates=("x", names.SCHEDULING_GATE)
    )
    after = pods.read(_applied(manifest, pod_changes.ungate_patch(pods.read(manifest), "w1", SPANS, "host-1")))
    assert not after.gated
    assert after.other_gates == ("x",)
    assert after.constraints.node_selector == {**(selector or {}), names.HOSTNAME_LABEL: "host-1"}
    assert json.loads(after.grant_annotation or "") == {"node": "w1", "containers": {"a": "4-7", "b": "8"}}


def test_ungate_patch_pins_to_the_name_when_the_hostname_is_the_same() -> None:
    manifest = builders.make_pod(cores=4, **builders.GUEST)
    after = pods.read(_applied(manifest, pod_changes.ungate_patch(pods.read(manifest), "w1", SPANS)))
    assert after.constraints.node_selector == {names.HOSTNAME_LABEL: "w1"}


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"uid": "another"}, id="another pod of that name"),
        pytest.param({"version": "2"}, id="the pod changed"),
        pytest.param({"gates": ()}, id="somebody else was faster"),
    ],
)
def test_ungate_patch_lands_on_no_other_pod_than_the_one_it_was_made_for(changed: dict[str, Any]) -> None:
    patch = pod_changes.ungate_patch(pods.read(builders.make_pod(cores=4, **builders.GUEST)), "w1", SPANS)
    with pytest.raises((jsonpatch.JsonPatchException, jsonpatch.JsonPointerException)):
        _applied(builders.make_pod(cores=4, **{**builders.GUEST, **changed}), patch)


def test_fence_is_read_as_it_was_written_and_other_conditions_stay() -> None:
    manifest = builders.make_pod(cores=4, unscheduled="0/1 nodes are available", fence="2026-01-31T08:00:00.000000Z")
    patch = pod_changes.fence_patch(pods.read(manifest), "2026-01-31T09:00:00.000001Z", "2026-01-31T09:00:05Z")
    after = pods.read(builders.patched(manifest, patch))
    assert after.fenced_until == "2026-01-31T09:00:00.000001Z"
    assert after.unscheduled == pod_conditions.Unscheduled("Unschedulable", "0/1 nodes are available")
    assert patch["metadata"] == {"uid": "uid-web", "resourceVersion": "1"}


def test_bound_pod_is_as_its_binding_leaves_it() -> None:
    pod = pods.read(builders.make_pod(cores=4))
    after = pod_changes.bound(pod, "w1", SPANS)
    assert (after.node_name, after.unplaced, after.waits) == ("w1", False, False)
    assert after.annotated_grant() == pod_changes.grant_content("w1", SPANS)


def test_grant_patch_changes_the_annotation_only() -> None:
    manifest = builders.make_pod(cores=4, node="w1", grant={"node": "w9"})
    after = builders.patched(manifest, pod_changes.grant_patch(pods.read(manifest), "w1", SPANS))
    assert pods.read(after).annotated_grant() == pod_changes.grant_content("w1", SPANS)
    assert after["spec"] == manifest["spec"]
