"""Asks the operator's admission about every write, as an API server asks its webhooks. Pure.

Guests are let in there, and refused here: nobody else binds pods in this cluster.
"""

from collections.abc import Mapping
from typing import Any, Final

from neuronspan_embedded.api_server import admitting
from neuronspan_embedded.api_server.rules import patches, refusals
from neuronspan_operator.admission import answering, wishes
from neuronspan_operator.admission.settings import Settings

Manifest = dict[str, Any]

_SETTINGS: Final = Settings(guests=True)


class Requests:
    """Admission of what is created and changed."""

    def admitted(self, write: admitting.Write) -> Manifest:
        """Return the object as it is to be stored; raises Refusal with the words for the user."""
        asked = _request(write)
        change = answering.mutate(asked, _SETTINGS)
        made = patches.operated(write.new, change.patch) if change.patch else write.new
        said = answering.validate({**asked, "object": made}, _SETTINGS)
        if not said.allowed:
            raise refusals.Refusal(said.code, f"{_name(write)}: {said.message}")
        if write.kind.name == "Pod" and write.operation == admitting.CREATE:
            _refuse_guest(made, _name(write))
        return made


def _request(write: admitting.Write) -> Manifest:
    """Return the request of an AdmissionReview (admission.k8s.io/v1), as far as it is read."""
    kind = {"group": write.kind.group, "version": write.kind.version, "kind": write.kind.name}
    about = {"operation": write.operation, "kind": kind, "subResource": write.subresource}
    return {**about, "object": write.new, "oldObject": write.old}


def _refuse_guest(pod: Mapping[str, Any], name: str) -> None:
    read = wishes.read(pod["metadata"], pod["spec"], _SETTINGS)
    if not (read.asks and read.is_guest):
        return
    if read.has_claims:
        why = "has resource claims, and nobody allocates them here: leave resourceClaims out"
    else:
        why = f"names the scheduler {read.scheduler}, and there is none here: leave schedulerName out"
    raise refusals.Refusal(422, f"{name} {why}, or try this pod on a cluster")


def _name(write: admitting.Write) -> str:
    return f"{write.kind.name.lower()} {write.new['metadata']['name']}"
