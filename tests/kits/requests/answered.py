"""What the operator's admission makes of an object, as an API server would ask it."""

import copy
import dataclasses
from collections.abc import Mapping
from typing import Any

import jsonpatch

from neuronspan_operator.admission import answering
from neuronspan_operator.admission.settings import Settings

Manifest = dict[str, Any]
GROUPS = {
    "Pod": "",
    "Deployment": "apps",
    "StatefulSet": "apps",
    "DaemonSet": "apps",
    "Job": "batch",
    "CronJob": "batch",
}


@dataclasses.dataclass(frozen=True)
class Outcome:
    """The object as it would be stored, and the words of a refusal, "" when there is none."""

    stored: Manifest
    refusal: str = ""


def request(written: Any, kind: str = "Pod", stored: Any = None) -> Manifest:
    """Return the request of an AdmissionReview: an update where something is stored."""
    group = GROUPS.get(kind, "")
    return {
        "operation": "CREATE" if stored is None else "UPDATE",
        "kind": {"group": group, "version": "v1", "kind": kind},
        "object": written,
        "oldObject": stored,
    }


def admitted(
    written: Mapping[str, Any], settings: Settings | None = None, *, kind: str = "Pod", stored: Any = None
) -> Outcome:
    """Ask both webhooks, one after the other."""
    settings = settings or Settings()
    asked = request(copy.deepcopy(written), kind, stored)
    patch = answering.mutate(asked, settings).patch
    made = jsonpatch.apply_patch(written, list(patch))
    said = answering.validate({**asked, "object": made}, settings)
    assert said.allowed == (said.message == "") == (said.code != 422) == (said.reason == "")
    return Outcome(made, said.message)
