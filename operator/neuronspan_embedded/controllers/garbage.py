"""What goes when something else has gone: objects whose owners are no more, and all that a namespace holds."""

from collections.abc import Iterator
from typing import Any

from neuronspan_embedded.api_server import deleting, subresources, verbs
from neuronspan_embedded.api_server.rules import kinds
from neuronspan_embedded.controllers import view as views

Manifest = dict[str, Any]
_Object = tuple[kinds.Kind, Manifest]

_FOREGROUND = "foregroundDeletion"
_ORPHAN = "orphan"
_BACKGROUND = deleting.Wish(policy="Background")


def run(view: views.View) -> None:
    """Take away what nothing holds any more."""
    everything = list(_everything(view))
    present = {manifest["metadata"]["uid"] for _, manifest in everything}
    for kind, manifest in everything:
        owners = manifest["metadata"].get("ownerReferences") or ()
        if owners and not any(each["uid"] in present for each in owners):
            _delete(view, kind, manifest)
        if views.is_leaving(manifest):
            _let_go(view, kind, manifest, everything)
    for namespace in view.all("namespaces"):
        if views.is_leaving(namespace):
            _empty(view, namespace, everything)


def _everything(view: views.View) -> Iterator[_Object]:
    for kind in view.calls.served().values():
        for manifest in view.calls.store.all(kind.resource):
            yield kind, manifest


def _let_go(view: views.View, kind: kinds.Kind, manifest: Manifest, everything: list[_Object]) -> None:
    """Do what a deletion in the foreground, or one that leaves orphans, waits for."""
    finalizers, uid = manifest["metadata"].get("finalizers") or (), manifest["metadata"]["uid"]
    dependents = [(each, found) for each, found in everything if uid in _owners(found)]
    if _FOREGROUND in finalizers:
        for each, found in dependents:
            _delete(view, each, found)
        if not any(_stored(view, each, found) for each, found in dependents):
            _without(view, kind, manifest, _FOREGROUND)
    elif _ORPHAN in finalizers:
        for each, found in dependents:
            left = [owner for owner in found["metadata"]["ownerReferences"] if owner["uid"] != uid]
            _write(view, each, {**found, "metadata": {**found["metadata"], "ownerReferences": left}})
        _without(view, kind, manifest, _ORPHAN)


def _empty(view: views.View, namespace: Manifest, everything: list[_Object]) -> None:
    name = namespace["metadata"]["name"]
    held = [(kind, each) for kind, each in everything if each["metadata"].get("namespace") == name]
    for kind, each in held:
        _delete(view, kind, each)
    if not any(_stored(view, kind, each) for kind, each in held):
        target = verbs.Target(kinds.BUILT_IN[2], "", name)
        subresources.finalize(view.calls, target, {"spec": {"finalizers": []}})


def _owners(manifest: Manifest) -> set[str]:
    return {each["uid"] for each in manifest["metadata"].get("ownerReferences") or ()}


def _target(kind: kinds.Kind, manifest: Manifest) -> verbs.Target:
    return verbs.Target(kind, manifest["metadata"].get("namespace") or "", manifest["metadata"]["name"])


def _stored(view: views.View, kind: kinds.Kind, manifest: Manifest) -> bool:
    target = _target(kind, manifest)
    found = view.calls.store.find(kind.resource, target.namespace, target.name)
    return found is not None and found["metadata"]["uid"] == manifest["metadata"]["uid"]


def _delete(view: views.View, kind: kinds.Kind, manifest: Manifest) -> None:
    if _stored(view, kind, manifest) and not views.is_leaving(manifest):
        deleting.delete(view.calls, _target(kind, manifest), _BACKGROUND)


def _without(view: views.View, kind: kinds.Kind, manifest: Manifest, finalizer: str) -> None:
    left = [each for each in manifest["metadata"]["finalizers"] if each != finalizer]
    _write(view, kind, {**manifest, "metadata": {**manifest["metadata"], "finalizers": left}})


def _write(view: views.View, kind: kinds.Kind, manifest: Manifest) -> None:
    if _stored(view, kind, manifest):
        view.calls.replace(_target(kind, manifest), manifest)
