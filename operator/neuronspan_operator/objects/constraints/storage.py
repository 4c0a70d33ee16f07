"""Volumes, claims and their classes, as far as they decide where a pod may be."""

import dataclasses
from collections.abc import Mapping
from typing import Any


@dataclasses.dataclass(frozen=True, slots=True)
class Storage:
    """What is known of volumes; each part is keyed by name, claims by namespace and name."""

    claims: Mapping[tuple[str, str], Any] = dataclasses.field(default_factory=dict)
    volumes: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    classes: Mapping[str, Any] = dataclasses.field(default_factory=dict)


EMPTY = Storage()
