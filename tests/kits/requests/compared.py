"""The same object through the chart in a real API server and through the operator's functions."""

import dataclasses
import http
import json
from collections.abc import Mapping
from typing import Any

from kits.api_server import admission as admission_kit
from kits.api_server import api_client
from kits.requests import answered
from neuronspan_embedded.api_server.rules import patches
from neuronspan_operator.admission.settings import Settings

Manifest = dict[str, Any]
_NOTED = ("uid", "creationTimestamp", "managedFields", "resourceVersion", "generation")
"""What the API server writes anew each time."""
_DRY = "?dryRun=All"


@dataclasses.dataclass(frozen=True)
class Comparison:
    """What the two say of one object; equal when they agree."""

    theirs: Any
    ours: Any


def created(
    admission: admission_kit.Admission, plain: api_client.Client, written: Manifest, settings: Settings
) -> Comparison:
    """Create it in both, for show; ``plain`` is a client of an API server without the chart.

    What that one answers is what the operator's functions are asked about: the object with its defaults. What it does
    not take at all, the API server refuses before it asks who only refuses.
    """
    named = {**written, "metadata": {**written["metadata"], "namespace": "default"}}
    path = admission_kit.collection(named) + _DRY
    defaulted = plain.request("POST", path, named)
    answer = admission.admin.request("POST", path, named)
    if defaulted.status != http.HTTPStatus.CREATED:
        return Comparison(answer.status, defaulted.status)
    ours = answered.admitted(defaulted.body, settings, kind=written["kind"])
    if answer.message or ours.refusal:
        return Comparison((answer.status, _words(answer)), (http.HTTPStatus.UNPROCESSABLE_ENTITY, ours.refusal))
    return Comparison(_lasting(answer.body), _lasting(ours.stored))


def updated(admission: admission_kit.Admission, stored: Manifest, change: Manifest, settings: Settings) -> Comparison:
    """Change a workload that is stored by a merge patch, for show; the words are compared.

    What is no workload at all, the API server refuses before it asks who only refuses.
    """
    path = f"{admission_kit.collection(stored)}/{stored['metadata']['name']}{_DRY}"
    answer = admission.admin.request("PATCH", path, change, api_client.MERGE_PATCH)
    written = patches.merged(stored, change)
    ours = answered.admitted(written, settings, kind=stored["kind"], stored=stored)
    if " is invalid: " in answer.message:
        return Comparison(answer.status, http.HTTPStatus.UNPROCESSABLE_ENTITY)
    return Comparison(_words(answer), ours.refusal)


def _words(answer: api_client.Response) -> str:
    return admission_kit.words(answer) or answer.message


def _lasting(stored: Mapping[str, Any]) -> Manifest:
    """Return an object without what is new each time; a Job's pods are found by its UID, which is in many places."""
    told = json.dumps(stored).replace(stored["metadata"]["uid"], "UID")
    made: Manifest = json.loads(told)
    metadata = {each: value for each, value in made["metadata"].items() if each not in _NOTED}
    return {**made, "metadata": metadata}
