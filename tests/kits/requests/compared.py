"""The same object through the chart in a real API server and through the operator's functions."""

import dataclasses
import http
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
_OWN_WORDS = "the API server itself refuses it"


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
    not take at all is asked about as it is written, as admission sees it before the API server checks it.
    """
    named = {**written, "metadata": {**written["metadata"], "namespace": "default"}}
    path = admission_kit.collection(named) + _DRY
    defaulted = plain.request("POST", path, named)
    is_valid = defaulted.status == http.HTTPStatus.CREATED
    seen = defaulted.body if is_valid else named
    ours = answered.admitted(seen, settings, kind=written["kind"])
    return _compared(admission.admin.request("POST", path, named), ours, is_valid=is_valid)


def updated(admission: admission_kit.Admission, stored: Manifest, change: Manifest, settings: Settings) -> Comparison:
    """Change a workload that is stored by a merge patch, for show; the words are compared."""
    path = f"{admission_kit.collection(stored)}/{stored['metadata']['name']}{_DRY}"
    answer = admission.admin.request("PATCH", path, change, api_client.MERGE_PATCH)
    written = patches.merged(stored, change)
    ours = answered.admitted(written, settings, kind=stored["kind"], stored=stored)
    assert answer.status in {http.HTTPStatus.OK, http.HTTPStatus.UNPROCESSABLE_ENTITY}, answer.body
    return Comparison(admission_kit.words(answer) or answer.message, ours.refusal)


def _compared(answer: api_client.Response, ours: answered.Outcome, *, is_valid: bool) -> Comparison:
    words = admission_kit.words(answer)
    if words or ours.refusal:
        return Comparison((words, answer.status), (ours.refusal, int(http.HTTPStatus.UNPROCESSABLE_ENTITY)))
    if not is_valid:
        return Comparison(_OWN_WORDS if answer.message else answer.body, _OWN_WORDS)
    return Comparison(_lasting(answer.body), _lasting(ours.stored))


def _lasting(stored: Mapping[str, Any]) -> Manifest:
    metadata = {each: value for each, value in stored["metadata"].items() if each not in _NOTED}
    return {**stored, "metadata": metadata}
