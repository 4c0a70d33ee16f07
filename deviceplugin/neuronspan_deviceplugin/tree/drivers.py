"""Generations of the Neuron driver, as far as they show a node in different ways.

Sources: release notes of aws-neuronx-dkms, and the capture of a trn1.2xlarge with 2.26.5.0 in lablup/all-smi.
"""

import dataclasses
from typing import Final

from neuronspan import instance_types

_SHARED: Final = 0o444
_OWNERS: Final = 0o400


@dataclasses.dataclass(frozen=True, slots=True)
class Driver:
    """What one generation shows, and how."""

    version: str
    core_count_mode: int
    counts_corrected: bool = False  # ECC events that were corrected are counted, too
    lists_components: bool = False  # health_status is there, on Trn2 and later


LAST_FOR_INF1: Final = Driver("2.21.37.0", _OWNERS)
OLDER: Final = Driver("2.26.5.0", _OWNERS)
READABLE: Final = Driver("2.27.4.0", _SHARED, counts_corrected=True)
NEWEST: Final = Driver("2.30.2.0", _SHARED, counts_corrected=True, lists_components=True)
DRIVERS: Final = (LAST_FOR_INF1, OLDER, READABLE, NEWEST)
"""Ascending. From 2.31 on files lie elsewhere: the reader then says which it does not find."""

_COMPONENTS_FROM: Final = ("trn2", "trn3")


def newest_for(instance_type: str) -> Driver:
    """Return the driver that a simulated node of this type has: those after 2.21 do not know Inf1 any more."""
    known = instance_types.INSTANCE_TYPES.get(instance_type)
    return LAST_FOR_INF1 if known is not None and known.family == "inf1" else NEWEST


def lists_components(driver: Driver, instance_type: str) -> bool:
    """Whether this driver lists the unhealthy components of such a device."""
    return driver.lists_components and instance_type.startswith(_COMPONENTS_FROM)
