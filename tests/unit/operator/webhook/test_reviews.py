"""AdmissionReview in and out."""

import base64
import json
from typing import Any

import pytest

from neuronspan_operator import errors
from neuronspan_operator.admission import answering
from neuronspan_operator.webhook import reviews

REQUEST = {"uid": "u-1", "operation": "CREATE"}


def review(**parts: Any) -> bytes:
    whole = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": REQUEST}
    return json.dumps({**whole, **parts}).encode()


def test_read_gives_the_request() -> None:
    assert reviews.read(review()) == REQUEST


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"", "the body is not JSON"),
        (b"\xff\xfe", "the body is not JSON"),
        (b"[" * 100_000, "the body is not JSON"),
        (b"[]", "not a AdmissionReview of admission.k8s.io/v1"),
        (review(apiVersion="admission.k8s.io/v1beta1"), "not a AdmissionReview of admission.k8s.io/v1"),
        (review(kind="Pod"), "not a AdmissionReview of admission.k8s.io/v1"),
        (review(request=None), "has no request with a uid"),
        (review(request={"uid": 7}), "has no request with a uid"),
        (review(request={"uid": ""}), "has no request with a uid"),
    ],
)
def test_read_refuses_in_a_sentence(body: bytes, sentence: str) -> None:
    with pytest.raises(errors.BrokenReview, match=sentence):
        reviews.read(body)


def written(answer: answering.Answer) -> dict[str, Any]:
    text = json.loads(reviews.written(REQUEST, answer))
    assert (text["apiVersion"], text["kind"]) == ("admission.k8s.io/v1", "AdmissionReview")
    response: dict[str, Any] = text["response"]
    return response


def test_written_allows() -> None:
    assert written(answering.Answer()) == {"uid": "u-1", "allowed": True}


def test_written_carries_the_patch() -> None:
    patch = ({"op": "add", "path": "/metadata/labels", "value": {"a": "ü"}},)
    response = written(answering.Answer(patch=patch))
    assert response["patchType"] == "JSONPatch"
    assert json.loads(base64.b64decode(response["patch"])) == [*patch]


def test_written_refuses_with_reason_and_code() -> None:
    response = written(answering.Answer(allowed=False, message="no", reason="Invalid", code=422))
    assert response == {"uid": "u-1", "allowed": False, "status": {"message": "no", "reason": "Invalid", "code": 422}}
