"""AdmissionReview, version 1: from bytes to the request in it, and from an answer back to bytes. Pure.

The form: https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/#webhook-request-and-response
"""

import base64
import json
from collections.abc import Mapping
from typing import Any

from neuronspan_operator import errors
from neuronspan_operator.admission import answering

_VERSION = "admission.k8s.io/v1"
_KIND = "AdmissionReview"


def read(body: bytes) -> Mapping[str, Any]:
    """Return the ``request`` of a review; raises BrokenReview with a sentence."""
    try:
        review = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise errors.BrokenReview(f"the body is not JSON: {error}") from error
    if not isinstance(review, dict) or review.get("apiVersion") != _VERSION or review.get("kind") != _KIND:
        raise errors.BrokenReview(f"the body is not a {_KIND} of {_VERSION}: send what an API server sends")
    request = review.get("request")
    if not isinstance(request, dict) or not isinstance(request.get("uid"), str) or not request["uid"]:
        raise errors.BrokenReview(f"the {_KIND} has no request with a uid, which the answer has to name")
    return request


def written(request: Mapping[str, Any], answer: answering.Answer) -> bytes:
    """Return the review that answers this request."""
    response: dict[str, Any] = {"uid": request["uid"], "allowed": answer.allowed}
    if not answer.allowed:
        response["status"] = {"message": answer.message, "reason": answer.reason, "code": answer.code}
    if answer.patch:
        operations = json.dumps([*answer.patch]).encode()
        response |= {"patchType": "JSONPatch", "patch": base64.b64encode(operations).decode()}
    return json.dumps({"apiVersion": _VERSION, "kind": _KIND, "response": response}).encode()
