"""Volumes, claims and their classes, as far as they decide where a pod may be."""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Final

from neuronspan_operator.objects.constraints.volumes import claims, classes, csi, persistent_volumes


@dataclasses.dataclass(frozen=True, slots=True)
class Selection:
    """A node that this operator selected for a claim, and for which grant: that of ``since`` there."""

    node: str
    since: str


@dataclasses.dataclass(frozen=True, slots=True)
class Storage:
    """What is known of volumes; each part is keyed by name, of namespaced kinds by "namespace/name"."""

    claims: "Mapping[str, claims.Claim]" = dataclasses.field(default_factory=dict)
    volumes: Mapping[str, persistent_volumes.Volume] = dataclasses.field(default_factory=dict)
    classes: "Mapping[str, classes.StorageClass]" = dataclasses.field(default_factory=dict)
    driver_nodes: Mapping[str, csi.DriverNode] = dataclasses.field(default_factory=dict)
    drivers: Mapping[str, csi.Driver] = dataclasses.field(default_factory=dict)
    capacities: Mapping[str, csi.Capacity] = dataclasses.field(default_factory=dict)
    attachments: Mapping[str, csi.Attachment] = dataclasses.field(default_factory=dict)
    selections: Mapping[str, Selection] = dataclasses.field(default_factory=dict)  # by the claim's UID
    unread: tuple[str, ...] = ()  # kinds that the API server does not, or not yet, let us read

    def migrated(self, node: str) -> frozenset[str]:
        """Return the built-in plugins that drivers have taken over from on a node."""
        found = self.driver_nodes.get(node)
        return frozenset() if found is None else found.migrated


EMPTY: Final = Storage()


def with_changed(
    stored: Storage,
    changed_claims: Iterable[claims.Claim],
    changed_volumes: Iterable[persistent_volumes.Volume],
) -> Storage:
    """Return what will be known once these are stored too."""
    return dataclasses.replace(
        stored,
        claims={**stored.claims, **{each.key: each for each in changed_claims}},
        volumes={**stored.volumes, **{each.name: each for each in changed_volumes}},
    )
