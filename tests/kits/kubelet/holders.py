"""Entries of the plugin's record and of kubelet's checkpoint, for tests of who holds which cores."""

import dataclasses
from collections.abc import Mapping

from kits.manifests import domain
from neuronspan import names
from neuronspan_deviceplugin.allocation import holdings

CORES = names.CORE_RESOURCE
NOW = 1000.0


def holding(cores: str = "4-7", uid: str = "uid-web", **fields: object) -> holdings.Holding:
    """A holding that is known for certain when it has a UID."""
    made = holdings.Holding(CORES, domain.span(cores), NOW, uid, container="app" if uid else "", certain=bool(uid))
    return dataclasses.replace(made, **fields)  # type: ignore[arg-type]


def placed(cores: str = "4-7", uid: str = "uid-web", container: str = "app", resource: str = CORES) -> holdings.Placed:
    """An entry of kubelet's checkpoint."""
    return holdings.Placed(uid, container, resource, domain.span(cores))


def alive(**states: bool | None) -> holdings.Alive:
    """Whether the pods with these names have processes, by UID."""
    found: Mapping[str, bool | None] = {f"uid-{name}": state for name, state in states.items()}
    return found.get
