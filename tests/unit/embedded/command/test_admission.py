"""Requests are brought into their common form before they are stored."""

from typing import Any

import pytest

from kits.manifests import builders
from neuronspan_embedded.api_server import admitting
from neuronspan_embedded.api_server.rules import kinds, refusals
from neuronspan_embedded.command import admission

PODS = next(kind for kind in kinds.BUILT_IN if kind.name == "Pod")


def _admitted(pod: dict[str, Any]) -> dict[str, Any]:
    return admission.Requests().admitted(admitting.Write(admitting.CREATE, PODS, "", pod))


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
        (_pod({"neuronspan.dev/cores": "four"}), "neuronspan.dev/cores"),
        (_pod({"neuronspan.dev/cores": "4"}, schedulerName="mine"), "names the scheduler mine, and there is none here"),
    ],
    ids=["unreadable", "another scheduler's"],
)
def test_pod_that_cannot_be_served_is_refused_with_a_sentence(pod: dict[str, Any], words: str) -> None:
    with pytest.raises(refusals.Refusal, match=words):
        _admitted(pod)
