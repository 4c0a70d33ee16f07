"""What the webhook answers to what is posted, and what it counts and logs."""

import json
import logging
from collections.abc import Mapping
from typing import Any

import pytest

from neuronspan_agent.serving import posts
from neuronspan_operator import metrics
from neuronspan_operator.admission import answering
from neuronspan_operator.webhook import answers

REVIEWS = "neuronspan_webhook_reviews_total"


class Rig:
    def __init__(self) -> None:
        self.meters = metrics.Metrics()
        self.paths = answers.Answers(answering.Settings(), self.meters).paths()

    def post(self, path: str, body: bytes) -> posts.Answer:
        return self.paths[path](body)

    def count(self, webhook: str, outcome: str) -> float:
        return self.meters.registry.get_sample_value(REVIEWS, {"webhook": webhook, "outcome": outcome}) or 0.0


def review(annotations: Mapping[str, str]) -> bytes:
    pod = {
        "metadata": {"name": "web", "namespace": "default", "annotations": dict(annotations)},
        "spec": {"containers": [{"name": "app", "image": "x"}], "schedulerName": "default-scheduler"},
    }
    request = {"uid": "u", "operation": "CREATE", "kind": {"group": "", "version": "v1", "kind": "Pod"}, "object": pod}
    return json.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}).encode()


@pytest.mark.parametrize(
    ("path", "annotations", "outcome"),
    [
        ("/mutate", {"neuronspan.dev/cores": "4"}, "changed"),
        ("/mutate", {}, "allowed"),
        ("/validate", {"neuronspan.dev/cores": "x"}, "refused"),
        ("/validate", {}, "allowed"),
    ],
)
def test_review_is_answered_and_counted(path: str, annotations: Mapping[str, str], outcome: str) -> None:
    rig = Rig()
    answer = rig.post(path, review(annotations))
    assert answer.status == 200
    assert json.loads(answer.body)["response"]["allowed"] == (outcome != "refused")
    assert rig.count(path.removeprefix("/"), outcome) == 1
    seconds = "neuronspan_webhook_review_seconds_count"
    assert rig.meters.registry.get_sample_value(seconds, {"webhook": path.removeprefix("/")}) == 1


def test_broken_review_is_refused_with_a_sentence() -> None:
    rig = Rig()
    answer = rig.post("/mutate", b"{}")
    assert answer.status == 400
    assert "send what an API server sends" in json.loads(answer.body)["message"]
    assert rig.count("mutate", "broken") == 1


def test_error_of_ours_is_answered_as_one_and_logged_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*_: Any) -> answering.Answer:
        raise KeyError("oops")

    monkeypatch.setattr(answering, "mutate", fails)
    rig = Rig()
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            answer = rig.post("/mutate", review({}))
    assert answer.status == 500  # the API server then does as the failurePolicy says
    assert "KeyError('oops')" in json.loads(answer.body)["message"]
    assert rig.count("mutate", "failed") == 3
    assert [each.getMessage() for each in caplog.records] == ["a review was not answered"]
