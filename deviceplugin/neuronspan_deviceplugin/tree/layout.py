"""Where the Neuron driver shows what, below the root of a file system.

Sources: neuron_cdev.c (core_count, connected_devices, reset), neuron_sysfs_metrics.c (info, stats, neuron_core) and
neuron_dhal_v*.c (what a generation calls itself) of aws-neuron-driver 2.27; health_status from the Neuron sysfs guide.
"""

import dataclasses
import re
import types
from collections.abc import Iterator, Mapping
from typing import Final

from neuronspan_deviceplugin.tree import faults

SYSFS: Final = "sys"
DEVICES: Final = f"{SYSFS}/devices/virtual/neuron_device"
CLASS: Final = f"{SYSFS}/class/neuron_device"
DMI: Final = f"{SYSFS}/devices/virtual/dmi/id"
DRIVER_VERSION: Final = f"{SYSFS}/module/neuron/version"
DEVICE_NODES: Final = "dev"
LOGICAL_CORES: Final = "opt/aws/neuron/logical_nc_config"
"""Not of the driver: where AWS has an instance's logical NeuronCore size configured; see ``LOGICAL_CORES_VARIABLE``."""

PRODUCT_NAME: Final = "product_name"
LOGICAL_CORES_VARIABLE: Final = "NEURON_LOGICAL_NC_CONFIG"
CORE_COUNT: Final = "core_count"
CONNECTED_DEVICES: Final = "connected_devices"
ARCHITECTURE: Final = "info/architecture"
ARCHITECTURE_TYPE: Final = f"{ARCHITECTURE}/arch_type"
INSTANCE_TYPE: Final = f"{ARCHITECTURE}/instance_type"
DEVICE_NAME: Final = f"{ARCHITECTURE}/device_name"
SERIAL_NUMBER: Final = "info/serial_number"
HARDWARE: Final = "stats/hardware"
UNHEALTHY_COMPONENTS: Final = f"{HARDWARE}/health_status/unhealthy_components"
HEARTBEAT: Final = f"{HARDWARE}/health_status/healthcheck_heartbeat"
POWER: Final = "stats/power/utilization"
HOST_MEMORY: Final = "stats/memory_usage/host_mem"
STATUS: Final = "stats/status"
CORE_MEMORY: Final = "stats/memory_usage"
OTHER: Final = "stats/other_info"
TOTAL: Final = "total"

_DEVICE = re.compile(r"neuron(?P<index>[0-9]{1,3})")
_CORE = re.compile(r"neuron_core(?P<index>[0-9]{1,3})")


@dataclasses.dataclass(frozen=True, slots=True)
class Names:
    """What the driver calls a generation of devices."""

    device_architecture: str
    core_architecture: str
    family: str
    device: str


FAMILIES: Mapping[str, Names] = types.MappingProxyType(
    {
        "inf1": Names("NDv1", "NCv1", "Inf1", "Inferentia"),
        "inf2": Names("NDv3", "NCv2", "Inf2", "Inferentia2"),
        "trn1": Names("NDv2", "NCv2", "Trn1", "Trainium1"),
        "trn2": Names("NDv3", "NCv3", "Trn2", "Trainium2"),
        "trn3": Names("NDv4", "NCv4", "Trn3", "Trainium3"),
    }
)


def names_of(instance_type: str) -> Names | None:
    """Return what the driver calls the devices of an instance type: trn1n has those of trn1, trn2u those of trn2.

    None when no generation is called like that.
    """
    return FAMILIES.get(instance_type[:4])


def device(index: int) -> str:
    """Return the folder of a device."""
    return f"{DEVICES}/neuron{index}"


def core(device_index: int, core_index: int) -> str:
    """Return the folder of a physical NeuronCore; both count from 0."""
    return f"{device(device_index)}/neuron_core{core_index}"


def device_index(name: str) -> int | None:
    """Return the index of the device whose folder or node has this name; None for everything else that is there."""
    found = _DEVICE.fullmatch(name)
    return int(found["index"]) if found else None


def core_index(name: str) -> int | None:
    """Return the index of the physical NeuronCore, on its device, whose folder has this name."""
    found = _CORE.fullmatch(name)
    return int(found["index"]) if found else None


def counter(device_index: int, core_index: int, kind: faults.FaultKind) -> str:
    """Return the file in which a fault of a physical NeuronCore is counted."""
    return f"{core(device_index, core_index)}/{STATUS}/{kind}/{TOTAL}"


def device_counter(device_index: int, kind: faults.FaultKind) -> str:
    """Return the file in which a fault of a device is counted."""
    return f"{device(device_index)}/{HARDWARE}/{kind}"


def components(device_index: int) -> str:
    """Return the file that lists what of a device is unhealthy."""
    return f"{device(device_index)}/{UNHEALTHY_COMPONENTS}"


def health_files(devices: int, physical_cores: int) -> Iterator[str]:
    """Yield every file that says whether something is healthy; ``physical_cores`` of each device."""
    for index in range(devices):
        yield components(index)
        for kind in faults.DEVICE_COUNTERS:
            yield device_counter(index, kind)
        for core_index in range(physical_cores):
            for kind in faults.CORE_COUNTERS:
                yield counter(index, core_index, kind)
