"""What the tools tell about a simulated device beyond its cores: names of generations, addresses, CPUs. Pure.

Names as in AWS's own output: the Neuron monitor's user guide (trainium2, v4, v3d), its output on a trn1.2xlarge
(trainium, v2, v2), and the driver's architecture strings.
"""

import types
from collections.abc import Mapping, Sequence

from neuronspan import instance_types

_GENERATIONS: Mapping[str, tuple[str, str]] = types.MappingProxyType(
    {
        "inf1": ("inferentia", "v1"),
        "inf2": ("inferentia2", "v3"),
        "trn1": ("trainium", "v2"),
        "trn2": ("trainium2", "v4"),
        "trn3": ("trainium3", "v5"),
    }
)
_UNKNOWN = ("unknown", "unknown")
_JOINED = 2
_SLOTS = 4
_LAST_SLOT = 0x1F

NO_NUMA_NODE = "-1"
"""Simulated devices are near no CPU in particular; the real tool says so of small instances, too."""


def device_type(instance_type: str) -> str:
    """Return what neuron-monitor calls the device, such as `trainium2`."""
    return _generation(instance_type)[0]


def device_version(instance_type: str) -> str:
    """Return the version of the device, such as `v4`."""
    return _generation(instance_type)[1]


def core_version(hardware: instance_types.Hardware) -> str:
    """Return the version of the NeuronCores: `v3d` is two `v3` joined into one."""
    known = instance_types.INSTANCE_TYPES.get(hardware.instance_type)
    version = known.architecture if known else "unknown"
    return f"{version}d" if hardware.logical_core_size == _JOINED else version


def pci_address(device: int, devices: int) -> str:
    """Return a PCI address in the pattern of the real instances: the last slots of one bus, or four on each bus."""
    if devices <= _SLOTS:
        return f"0000:00:{_LAST_SLOT + 1 - devices + device:02x}.0"
    bus, slot = divmod(device, _SLOTS)
    return f"0000:{(bus + 1) * 0x10:02x}:{_LAST_SLOT + 1 - _SLOTS + slot:02x}.0"


def memory_bytes(hardware: instance_types.Hardware) -> int:
    """Return the HBM of one device."""
    return hardware.hbm_bytes_per_core * hardware.cores_per_device


def ranges(numbers: Sequence[int]) -> str:
    """Print ascending numbers as the tools do: `0-3`, or `0,2-3` with gaps."""
    texts: list[str] = []
    first = previous = -2
    for number in (*numbers, -2):
        if number == previous + 1:
            previous = number
            continue
        if first >= 0:
            texts.append(str(first) if first == previous else f"{first}-{previous}")
        first = previous = number
    return ",".join(texts)


def _generation(instance_type: str) -> tuple[str, str]:
    return next((facts for prefix, facts in _GENERATIONS.items() if instance_type.startswith(prefix)), _UNKNOWN)
