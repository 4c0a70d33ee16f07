"""Every object, its version and what happened to it: etcd and the watch cache in one, in memory.

Law: no rule of Kubernetes lives here, nothing waits, and what is stored is never changed in place: each write puts a
new object under the next version, of which there is one series for all kinds.
"""

import bisect
import collections
import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from neuronspan_embedded.api_server.rules import refusals

Manifest = dict[str, Any]
Key = tuple[str, str]
"""Namespace ("" when cluster-scoped) and name."""

_HISTORY = 20_000
"""Events that are kept: more than any client is behind, and some tens of MB at most."""


@dataclasses.dataclass(frozen=True, slots=True)
class Change:
    """One write: what the object is now and what it was; None before it was made and after it is gone."""

    version: int
    namespace: str
    before: Manifest | None
    after: Manifest | None
    last: Manifest  # what the object was last, with this version: what watches are told of one that is gone


class Store:
    """Objects by resource ("pods", "neuronnodes.neuronspan.dev") and key. Who writes gives up what is written."""

    def __init__(self, history: int = _HISTORY) -> None:
        self.version = 0
        self.listeners: set[Callable[[], None]] = set()
        self._objects: dict[str, dict[Key, Manifest]] = collections.defaultdict(dict)
        self._changes: dict[str, list[Change]] = collections.defaultdict(list)
        self._order: collections.deque[str] = collections.deque()  # whose change came when, to forget the oldest
        self._oldest = 0
        self._history = history

    # --- reading -------------------------------------------------------------------------------------------------

    def find(self, resource: str, namespace: str, name: str) -> Manifest | None:
        """Return an object as it is stored, None when there is none: not to be changed."""
        return self._objects[resource].get((namespace, name))

    def all(self, resource: str, namespace: str = "") -> list[Manifest]:
        """Return the objects of a namespace or, without one, of all, in the order of their keys: not to be changed."""
        found = self._objects[resource]
        return [found[key] for key in sorted(found) if not namespace or key[0] == namespace]

    def changes(self, resource: str, after: int) -> Iterator[Change]:
        """Yield what happened to a resource after this version; raises Refusal when that is forgotten."""
        if after < self._oldest:
            raise refusals.expired(after, self._oldest)
        changes = self._changes[resource]
        yield from changes[bisect.bisect_right(changes, after, key=lambda each: each.version) :]

    # --- writing -------------------------------------------------------------------------------------------------

    def put(self, resource: str, manifest: Manifest) -> Manifest:
        """Store a new object, or a new state of one."""
        key = _key(manifest)
        before = self._objects[resource].get(key)
        stored = self._versioned(manifest)
        self._objects[resource][key] = stored
        self._note(resource, Change(self.version, key[0], before, stored, stored))
        return stored

    def remove(self, resource: str, namespace: str, name: str) -> Manifest:
        """Take an object away that is there."""
        before = self._objects[resource].pop((namespace, name))
        last = self._versioned(before)
        self._note(resource, Change(self.version, namespace, before, None, last))
        return last

    def forget(self) -> None:
        """Forget what happened: watches from an older version than now are refused."""
        self._oldest = self.version
        self._changes.clear()
        self._order.clear()

    # --- inside --------------------------------------------------------------------------------------------------

    def _versioned(self, manifest: Mapping[str, Any]) -> Manifest:
        self.version += 1
        return {**manifest, "metadata": {**manifest["metadata"], "resourceVersion": str(self.version)}}

    def _note(self, resource: str, change: Change) -> None:
        self._changes[resource].append(change)
        self._order.append(resource)
        if len(self._order) > self._history:
            self._oldest = self._changes[self._order.popleft()].pop(0).version
        for tell in tuple(self.listeners):
            tell()


def _key(manifest: Mapping[str, Any]) -> Key:
    metadata = manifest["metadata"]
    return metadata.get("namespace") or "", metadata["name"]
