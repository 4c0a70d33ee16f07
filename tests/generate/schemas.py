"""The lists in the chart's schemas: those of the custom resources, and that of the values."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence

from neuronspan import grants, instance_types, names, placement, topologies
from neuronspan_deviceplugin.tree import faults

Contents = Mapping[str, Sequence[str]]

_SERIES = re.compile(r"[a-z]+[0-9]+")  # of trn2u.48xlarge: trn2


def neuron_pools() -> Contents:
    """Return the parts of `crds/neuronpools.yaml`."""
    return {
        "instance-types": ["enum:", *(f"  - {name}" for name in _kinds_of_hardware())],
        "logical-core-sizes": [_enum(map(str, _logical_core_sizes()))],
        "joined-cores": _joined_cores(),
        "packing": [_enum(placement.Packing)],
        "alignment": [_enum(placement.Alignment)],
        "device-counts": [_enum(placement.DeviceCounts)],
        "preferences": [_enum(placement.Preferences)],
    }


def neuron_nodes() -> Contents:
    """Return the parts of `crds/neuronnodes.yaml`."""
    return {
        "topology": [_enum(topologies.Topology)],
        "core-numbering": [_enum(names.CORE_NUMBERINGS)],
        "resource": [_enum(names.RESOURCES)],
        "state": [_enum(grants.GrantState)],
        "fault-kinds": ["enum:", *(f"  - {kind}" for kind in faults.FaultKind)],
    }


def values() -> Contents:
    """Return the parts of `values.yaml`."""
    return {
        "most-cores": [f"coresPerNode: {instance_types.MOST_CORES}"],
        "most-devices": [f"devicesPerNode: {instance_types.MOST_DEVICES}"],
    }


def values_schema() -> Contents:
    """Return the part of `values.schema.json`: definitions that the hand-written schema refers to."""
    lists: Mapping[str, Iterable[str | int]] = {
        "coreNumbering": names.CORE_NUMBERINGS,
        "logicalCoreSize": _logical_core_sizes(),
        "packing": placement.Packing,
        "alignment": placement.Alignment,
        "deviceCounts": placement.DeviceCounts,
        "preferences": placement.Preferences,
    }
    return {
        "lists": [
            '"instanceType": {',
            '  "enum": [',
            *_listed(_kinds_of_hardware()),
            "  ]",
            "},",
            *(f'"{name}": {{"enum": {json.dumps(list(each))}}},' for name, each in lists.items()),
        ]
    }


def _kinds_of_hardware() -> list[str]:
    return [*instance_types.INSTANCE_TYPES, instance_types.DETECT]


def _listed(words: Iterable[str]) -> list[str]:
    *others, last = words
    return [*(f'    "{word}",' for word in others), f'    "{last}"']


def _enum(words: Iterable[str]) -> str:
    return f"enum: [{', '.join(words)}]"


def _logical_core_sizes() -> list[int]:
    return sorted({size for each in instance_types.INSTANCE_TYPES.values() for size in each.logical_core_sizes})


def _joined_cores() -> list[str]:
    """Say where cores can be joined by series of instance types, as users know them, instead of type by type."""
    series = _joining_series()
    joining = " and ".join(filter(None, [", ".join(series[:-1]), series[-1]]))
    conditions = ["self.logicalCoreSize == 1", *(f"self.instanceType.startsWith('{each}')" for each in series)]
    return [
        "- rule: >-",
        "    !has(self.logicalCoreSize)",
        *(f"    || {condition}" for condition in conditions),
        "  messageExpression: >-",
        f"    'logicalCoreSize 2 exists on {joining} only, and the instance type is '",
        "    + self.instanceType + ': leave it out'",
    ]


def _joining_series() -> list[str]:
    catalogue = instance_types.INSTANCE_TYPES.values()
    joins = {each.name: len(each.logical_core_sizes) > 1 for each in catalogue}
    series = list(dict.fromkeys(_series(name) for name, joined in joins.items() if joined))
    mixed = [name for name, joined in joins.items() if not joined and name.startswith(tuple(series))]
    if mixed:
        raise ValueError(f"{mixed[0]} cannot join cores, others of its series can: say so in the rule of NeuronPools")
    return series


def _series(name: str) -> str:
    found = _SERIES.match(name)
    if found is None:
        raise ValueError(f"instance type {name!r} has no series: begin its name with letters and a number, like trn2")
    return found[0]
