"""Chance that can be repeated, and the few words that all random objects are made of: they have to meet each other."""

import random
from collections.abc import Sequence
from typing import Any, Final, TypeVar

Manifest = dict[str, Any]
_Item = TypeVar("_Item")

HOSTNAME: Final = "kubernetes.io/hostname"
ZONE: Final = "topology.kubernetes.io/zone"
DRIVER_ZONE: Final = "topology.ebs.csi.aws.com/zone"
RACK: Final = "example.com/rack"
DISK: Final = "disk"
GENERATION: Final = "generation"
TOPOLOGY_KEYS: Final = (HOSTNAME, ZONE, RACK)
NOWHERE: Final = "example.com/nowhere"  # a topology key that no node has
ZONES: Final = ("a", "b", "c")
APPS: Final = ("web", "db", "job")
TIERS: Final = ("front", "back")
NAMESPACES: Final = ("oracle-a", "oracle-b", "oracle-c")
TAINTS: Final = (("dedicated", "ml"), ("dedicated", "web"), ("maintenance", ""))
EXTENDED: Final = ("example.com/gpu", "vpc.amazonaws.com/efa")
RUNTIME_CLASS: Final = "oracle-heavy"
OVERHEAD: Final = {"cpu": "250m", "memory": "256Mi"}


class Draw(random.Random):
    """Random choices."""

    def maybe(self, chance: float) -> bool:
        """Decide: yes with this chance."""
        return self.random() < chance

    def mostly(self, items: Sequence[_Item]) -> _Item:
        """Choose one, the first ones more often: so that some become many."""
        return self.choices(items, [2.0**-index for index in range(len(items))])[0]

    def some(self, items: Sequence[_Item], least: int = 0, most: int | None = None) -> list[_Item]:
        """Choose a few different ones."""
        most = len(items) if most is None else min(most, len(items))
        return self.sample(items, self.randint(min(least, most), most))
