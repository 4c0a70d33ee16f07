"""How objects end: at once, after a grace period, or when the last of their finalizers is gone."""

import dataclasses
import datetime as dt
from collections.abc import Mapping
from typing import Any

from neuronspan_embedded.api_server import admitting, verbs
from neuronspan_embedded.api_server.rules import refusals, selectors

Manifest = dict[str, Any]

_FOREGROUND = "foregroundDeletion"
_ORPHAN = "orphan"
_BY_POLICY = {"Foreground": _FOREGROUND, "Orphan": _ORPHAN}
_OVER = ("Succeeded", "Failed")


@dataclasses.dataclass(frozen=True, slots=True)
class Wish:
    """How an object is to be deleted; None where the client leaves it open."""

    grace_seconds: int | None = None
    policy: str | None = None
    uid: str = ""
    version: str = ""
    dry_run: bool = False


def read(body: Mapping[str, Any], query: Mapping[str, str]) -> Wish:
    """Read DeleteOptions, and what a query says in their place."""
    preconditions = body.get("preconditions") or {}
    seconds = body.get("gracePeriodSeconds", query.get("gracePeriodSeconds"))
    orphans = {True: "Orphan", False: "Background", None: None}[body.get("orphanDependents")]
    return Wish(
        None if seconds is None else int(seconds),
        body.get("propagationPolicy") or query.get("propagationPolicy") or orphans,
        preconditions.get("uid") or "",
        preconditions.get("resourceVersion") or "",
        bool(body.get("dryRun") or query.get("dryRun")),
    )


def delete(calls: verbs.Verbs, target: verbs.Target, wish: Wish) -> Manifest:
    """Delete an object, or begin to; return it as it is left or was last, or a Status that it is gone."""
    kind, found = target.kind, calls.get(target)
    _refuse_other(target, found, wish)
    admitting.refuse_deletion(kind, target.name)
    grace = _grace(found, wish) if kind.name == "Pod" else 0
    leaving = _leaving(calls, target, found, grace, wish)
    is_over = not grace and not leaving["metadata"].get("finalizers") and kind.name != "Namespace"
    if wish.dry_run:
        return leaving
    if not is_over:
        return found if leaving == found else calls.store_as_is(kind, leaving)
    if leaving != found and kind.name == "Pod":
        found = calls.store_as_is(kind, leaving)  # whoever watches sees a pod leave before it is gone
    last = calls.store.remove(kind.resource, target.namespace, target.name)
    if kind.name == "Pod":
        return {**found, "metadata": {**found["metadata"], "resourceVersion": last["metadata"]["resourceVersion"]}}
    return refusals.success(kind.plural, kind.group, target.name, found["metadata"]["uid"])


def delete_all(calls: verbs.Verbs, target: verbs.Target, selected: selectors.Test, wish: Wish) -> Manifest:
    """Delete every selected object of a collection; return them as they were."""
    found = calls.list(target, selected)
    for each in found["items"]:
        metadata = each["metadata"]
        one = dataclasses.replace(target, namespace=metadata.get("namespace") or "", name=metadata["name"])
        delete(calls, one, wish)
    return found


def _refuse_other(target: verbs.Target, found: Manifest, wish: Wish) -> None:
    metadata = found["metadata"]
    for name, wanted, there in (
        ("UID", wish.uid, metadata["uid"]),
        ("ResourceVersion", wish.version, metadata["resourceVersion"]),
    ):
        if wanted and wanted != there:
            why = f"Precondition failed: {name} in precondition: {wanted}, {name} in object meta: {there}"
            raise refusals.conflict(target.kind.resource, target.name, why)


def _grace(pod: Manifest, wish: Wish) -> int:
    """Return how long a pod has to end: not at all when it never began, or has ended."""
    if not pod["spec"].get("nodeName") or pod["status"].get("phase") in _OVER:
        return 0
    asked = pod["spec"]["terminationGracePeriodSeconds"] if wish.grace_seconds is None else wish.grace_seconds
    given = pod["metadata"].get("deletionGracePeriodSeconds")
    return max(0, asked if given is None else min(asked, given))


def _leaving(calls: verbs.Verbs, target: verbs.Target, found: Manifest, grace: int, wish: Wish) -> Manifest:
    """Return the object as one that is being deleted; one that is already leaves no later than it was to."""
    metadata = dict(found["metadata"])
    wanted = _BY_POLICY.get(wish.policy or "")
    if wanted and wanted not in metadata.get("finalizers", ()) and "deletionTimestamp" not in metadata:
        metadata["finalizers"] = [*metadata.get("finalizers", ()), wanted]
    given = metadata.get("deletionGracePeriodSeconds")
    if given is None or grace < given:
        end = calls.sources.now() + dt.timedelta(seconds=grace)
        metadata |= {"deletionTimestamp": verbs.timestamp(end), "deletionGracePeriodSeconds": grace}
        if target.kind.generations:
            metadata["generation"] = metadata.get("generation", 0) + 1
    if target.kind.name == "Namespace":
        return {**found, "metadata": metadata, "status": {**found.get("status", {}), "phase": "Terminating"}}
    return {**found, "metadata": metadata}
