"""The embedded API server's store, which can go back to what it was: etcd, restored from a backup."""

import dataclasses
from collections.abc import Mapping

from neuronspan_embedded.api_server import store


@dataclasses.dataclass(frozen=True)
class Backup:
    """What a store had once; no object is ever changed in place, so that none is copied."""

    version: int
    objects: Mapping[str, Mapping[store.Key, store.Manifest]]


class RewindingStore(store.Store):
    """The store itself, and a way back."""

    def backup(self) -> Backup:
        """Return what is there now."""
        return Backup(self.version, {resource: dict(found) for resource, found in self._objects.items()})

    def restore(self, saved: Backup) -> None:
        """Go back: the next writes get versions that were there before, and nobody is told."""
        self.version = saved.version
        self._objects.clear()
        self._objects.update({resource: dict(found) for resource, found in saved.objects.items()})
        for changes in self._changes.values():
            changes[:] = [each for each in changes if each.version <= saved.version]
        self._order.clear()
        self._order.extend(resource for resource, changes in self._changes.items() for _ in changes)
