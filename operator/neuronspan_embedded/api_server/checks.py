"""What makes a write one that is refused, before or after the rules have completed it."""

from collections.abc import Mapping
from typing import Any

from neuronspan_embedded.api_server.rules import kinds, ledgers, patches, refusals, schemas, validation

Manifest = dict[str, Any]


def refuse_form(kind: kinds.Kind, form: str) -> None:
    """Refuse a patch of a kind that is not patched in this form."""
    if form in {patches.JSON, patches.MERGE} or (form == patches.STRATEGIC and not kind.is_custom):
        return
    supported = ", ".join(
        (patches.JSON, patches.MERGE, *(() if kind.is_custom else (patches.STRATEGIC,)), patches.APPLY)
    )
    raise refusals.Refusal(
        415, f"the body of the request was in an unknown format - accepted media types include: {supported}"
    )


def refuse_other_kind(kind: kinds.Kind, manifest: Mapping[str, Any]) -> None:
    """Refuse a manifest that says to be of another kind than its URL."""
    told = manifest.get("kind") or kind.name, manifest.get("apiVersion") or kind.api_version
    if told != (kind.name, kind.api_version):
        message = f"{told[0]} in version {told[1]!r} cannot be handled as a {kind.name} of {kind.api_version}"
        raise refusals.bad_request(message)


def refuse_invalid(kind: kinds.Kind, made: Manifest) -> None:
    """Refuse an object that no API server stores: its names, its containers, what they mount."""
    problems = list(validation.problems(kind, made))
    if problems:
        raise refusals.invalid(kind.full_name, made["metadata"]["name"], *problems)


def refuse_stale(kind: kinds.Kind, name: str, before: Manifest, manifest: Mapping[str, Any]) -> None:
    """Refuse a write that is about another object, or an older state of it, than is stored."""
    metadata = manifest.get("metadata") or {}
    if metadata.get("name") not in {None, "", name}:
        raise refusals.bad_request(
            f"the name of the object ({metadata['name']}) does not match the name on the URL ({name})"
        )
    uid, version = metadata.get("uid"), metadata.get("resourceVersion")
    if uid and uid != before["metadata"]["uid"]:
        why = f"Precondition failed: UID in precondition: {before['metadata']['uid']}, UID in object meta: {uid}"
        raise refusals.conflict(kind.resource, name, why)
    if version and version != before["metadata"]["resourceVersion"]:
        why = "the object has been modified; please apply your changes to the latest version and try again"
        raise refusals.conflict(kind.resource, name, why)
    if not version and kind.is_custom:
        raise refusals.invalid(
            kind.full_name, name, "metadata.resourceVersion: Invalid value: 0: must be specified for an update"
        )


def refuse_nonconforming(kind: kinds.Kind, made: Manifest, before: Manifest | None) -> None:
    """Refuse a custom resource that its schema or its laws forbid; what was wrong before and is unchanged may stay.

    kube-apiserver calls the latter ratcheting: else nobody could write the status of what an older schema let in.
    """
    schema: Mapping[str, Any] = kind.schema or {}
    old = None if before is None else schemas.completed(schema, before)
    known = set() if old is None else set(schemas.problems(schema, old))
    problems = [each for each in schemas.problems(schema, made) if each not in known]
    if not problems and (old is None or made.get("spec") != old.get("spec")):
        problems = list(ledgers.problems(kind.plural, made, before))
    if problems:
        raise refusals.invalid(kind.full_name, made["metadata"]["name"], *problems)
