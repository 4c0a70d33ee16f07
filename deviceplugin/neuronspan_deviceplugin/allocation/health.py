"""Which cores are unhealthy, and what that means for the devices kubelet knows.

Law: pure; health is what the node's tree says now, so a fault that is taken away heals by itself.
"""

import dataclasses
from collections.abc import Mapping

from neuronspan import device_ids, instance_types


@dataclasses.dataclass(frozen=True, slots=True)
class DeviceHealth:
    """One unit that kubelet counts."""

    device_id: str
    healthy: bool


def devices(resource: str, hardware: instance_types.Hardware, unhealthy: Mapping[int, str]) -> tuple[DeviceHealth, ...]:
    """Return the full list for kubelet: a Neuron device is as healthy as the worst of its cores."""
    return tuple(
        DeviceHealth(each, unhealthy.keys().isdisjoint(device_ids.cores_of(resource, (each,), hardware)))
        for each in device_ids.all_ids(resource, hardware)
    )


def status(hardware: instance_types.Hardware, unhealthy: Mapping[int, str]) -> list[dict[str, object]]:
    """Return NeuronNode.status.cores."""
    return [
        {"index": core, "healthy": core not in unhealthy, "reason": unhealthy.get(core, "")}
        for core in range(hardware.cores)
    ]
