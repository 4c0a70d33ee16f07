"""What the operator knows of volumes: a cache of each kind, with its own writes laid over them.

Law: a kind that the API server does not let us read stops nobody: it is named in ``unread``, and only pods with claims
wait for it. The mirror asks for it again for ever.
"""

import asyncio
import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Final

from neuronspan_agent import mirror, resources
from neuronspan_operator.cluster import expectations
from neuronspan_operator.objects.constraints import storage
from neuronspan_operator.objects.constraints.volumes import claims, classes, csi, persistent_volumes
from neuronspan_operator.scheduling.volumes import claiming

_PATIENCE_SECONDS = 10.0
"""How long the start waits for these lists: a healthy API server answers within milliseconds, a refusal may stay."""


@dataclasses.dataclass(frozen=True, slots=True)
class Kind:
    """One kind of objects, and the field of ``storage.Storage`` that it fills."""

    field: str
    resource: resources.Resource
    read: Callable[[Mapping[str, Any]], Any]
    key_of: Callable[[Mapping[str, Any]], str] = resources.name_of


KINDS: Final = (
    Kind("claims", resources.CLAIMS, claims.read, resources.full_name),
    Kind("volumes", resources.VOLUMES, persistent_volumes.read),
    Kind("classes", resources.STORAGE_CLASSES, classes.read),
    Kind("driver_nodes", resources.CSI_NODES, csi.read_node),
    Kind("drivers", resources.CSI_DRIVERS, csi.read_driver),
    Kind("capacities", resources.CSI_CAPACITIES, csi.read_capacity, resources.full_name),
    Kind("attachments", resources.VOLUME_ATTACHMENTS, csi.read_attachment),
)

Maker = Callable[
    [resources.Resource, Callable[[Mapping[str, Any]], Any], Callable[[Mapping[str, Any]], str]], mirror.Mirror[Any]
]


class StorageCaches:
    """All kinds of objects about volumes; ``make`` makes the cache of one, ``clock`` gives seconds."""

    def __init__(self, make: Maker, clock: Callable[[], float]) -> None:
        self.caches: Mapping[resources.Resource, mirror.Mirror[Any]] = {
            kind.resource: make(kind.resource, kind.read, kind.key_of) for kind in KINDS
        }
        self._own_claims = expectations.Expectations[claims.Claim](lambda claim: claim.resource_version, clock)
        self._own_volumes = expectations.Expectations[persistent_volumes.Volume](
            lambda volume: volume.resource_version, clock
        )
        self._selections: Mapping[str, storage.Selection] = {}
        self._known = storage.EMPTY
        self._told: storage.Storage | None = None
        self._stale = {kind.field for kind in KINDS}

    def touch(self, field: str) -> None:
        """Note that objects of the kind that fills this field of what is known changed, came, went or were listed."""
        self._stale.add(field)

    async def listed(self) -> None:
        """Wait until every kind is listed, but not for long."""
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                for cache in self.caches.values():
                    await cache.synced.wait()
        except TimeoutError:
            pass  # ``unread`` says which, and the mirror has logged why

    def known(self) -> storage.Storage:
        """Return what is known: the same value as before while nothing changes, and what did not change is shared."""
        for field, own in (("claims", self._own_claims), ("volumes", self._own_volumes)):
            if any([*own.expired()]):
                self.touch(field)
        if self._stale:
            parts = {kind.field: self._read(kind) for kind in KINDS if kind.field in self._stale}
            unread = tuple(sorted(str(resource) for resource, cache in self.caches.items() if not cache.is_synced))
            alive = {each.uid for each in self.caches[resources.CLAIMS].items.values()} if self._selections else ()
            self._selections = {uid: each for uid, each in self._selections.items() if uid in alive}
            self._known = dataclasses.replace(self._known, **parts, selections=self._selections, unread=unread)
            self._stale.clear()
        return self._known

    def news(self) -> storage.Storage | None:
        """Return what is known if that is otherwise than when this was asked before, else None."""
        known = self.known()
        found = None if known is self._told else known
        self._told = known
        return found

    def _read(self, kind: Kind) -> Mapping[str, Any]:
        items = self.caches[kind.resource].items
        if kind.resource == resources.CLAIMS:
            return self._own_claims.overlay(items)
        return self._own_volumes.overlay(items) if kind.resource == resources.VOLUMES else dict(items)

    def selected(self, write: claiming.SelectNode, manifest: Mapping[str, Any]) -> None:
        """Take the API server's answer about a claim for which a node was selected."""
        self._own_claims.expect(write.claim.key, write.claim.resource_version, claims.read(manifest))
        self._selections = {**self._selections, write.claim.uid: storage.Selection(write.node, write.since)}
        self.touch("claims")

    def held(self, write: claiming.BindVolume, manifest: Mapping[str, Any]) -> None:
        """Take the API server's answer about a volume that is now held for a claim."""
        volume = persistent_volumes.read(manifest)
        self._own_volumes.expect(volume.name, write.volume.resource_version, volume)
        self.touch("volumes")
