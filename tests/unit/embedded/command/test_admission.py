"""Requests are brought into their common form before they are stored."""

from typing import Any

import pytest

from kits.manifests import builders
from neuronspan_embedded.api_server import admitting
from neuronspan_embedded.api_server.rules import kinds, refusals
from neuronspan_embedded.command import admission

KINDS = {kind.name: kind for kind in kinds.BUILT_IN}


def _admitted(manifest: dict[str, Any], kind: str = "Pod", old: dict[str, Any] | None = None) -> dict[str, Any]:
    operation = admitting.UPDATE if old else admitting.CREATE
    return admission.Requests().admitted(admitting.Write(operation, KINDS[kind], "", manifest, old))


def _pod(annotations: dict[str, str], **spec: Any) -> dict[str, Any]:
    bare = {"containers": [{"name": "app", "image": "x"}, {"name": "other", "image": "x"}], **spec}
    return {"metadata": {"name": "web", "namespace": "default", "annotations": annotations}, "spec": bare}


def test_pod_that_asks_by_annotation_gets_label_scheduler_and_limits() -> None:
    stored = _admitted(_pod({"neuronspan.dev/cores": "4"}, schedulerName="default-scheduler"))
    assert stored["metadata"]["labels"] == {"neuronspan.dev/managed": "true"}
    assert stored["spec"]["schedulerName"] == "neuronspan"
    amounts = {"aws.amazon.com/neuroncore": "4"}
    assert [each.get("resources") for each in stored["spec"]["containers"]] == [
        {"limits": amounts, "requests": amounts},
        None,
    ]


def test_pod_that_asks_for_nothing_is_stored_as_it_is() -> None:
    pod = builders.make_pod("plain", scheduler="default-scheduler")
    assert _admitted(pod) == pod


@pytest.mark.parametrize(
    ("pod", "words"),
    [
        (_pod({"neuronspan.dev/cores": "four"}), 'pod web: annotation neuronspan.dev/cores is "four": write a whole'),
        (_pod({"neuronspan.dev/core": "4"}), "annotation neuronspan.dev/core does not exist"),
        (_pod({"neuronspan.dev/cores": "4"}, schedulerName="mine"), "names the scheduler mine, and there is none here"),
        (
            _pod({"neuronspan.dev/cores": "4"}, resourceClaims=[{"name": "gpu"}]),
            "pod web has resource claims, and nobody allocates them here",
        ),
    ],
    ids=["unreadable", "misspelt", "another scheduler's", "with resource claims"],
)
def test_pod_that_cannot_be_served_is_refused_with_a_sentence(pod: dict[str, Any], words: str) -> None:
    with pytest.raises(refusals.Refusal, match=words):
        _admitted(pod)


def test_container_that_is_meant_is_fixed_and_gets_the_limits() -> None:
    stored = _admitted(_pod({"neuronspan.dev/cores": "4"}))
    assert stored["metadata"]["annotations"]["neuronspan.dev/container"] == "app"
    named = _admitted(_pod({"neuronspan.dev/cores": "4", "neuronspan.dev/container": "other"}))
    assert [each.get("resources", {}).get("limits") for each in named["spec"]["containers"]] == [
        None,
        {"aws.amazon.com/neuroncore": "4"},
    ]


def test_pod_of_another_scheduler_that_asks_for_nothing_is_stored_as_it_is() -> None:
    pod = builders.make_pod("plain", scheduler="mine")
    assert _admitted(pod) == pod


def test_workload_is_refused_with_the_sentence_and_can_be_scaled_once_it_is_there() -> None:
    template = {"metadata": {"annotations": {"neuronspan.dev/cores": "four"}}, "spec": _pod({})["spec"]}
    workload = {"metadata": {"name": "web"}, "spec": {"replicas": 1, "template": template}}
    with pytest.raises(refusals.Refusal, match="deployment web: in the pod template: annotation neuronspan"):
        _admitted(workload, "Deployment")
    scaled = {**workload, "spec": {"replicas": 2, "template": template}}
    assert _admitted(scaled, "Deployment", workload) == scaled
