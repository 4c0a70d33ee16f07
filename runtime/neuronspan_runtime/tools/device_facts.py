"""What the tools tell about a simulated device beyond its cores: its generation, addresses, memory, CPUs.

Law: pure; the catalogue of instance types knows the facts, this module says them as AWS's tools do.
"""

from collections.abc import Sequence

from neuronspan import instance_types

_UNKNOWN = "unknown"
_JOINED = 2
_SLOTS = 4
_LAST_SLOT = 0x1F

NO_NUMA_NODE = "-1"
"""Simulated devices are near no CPU in particular; the real tool says so of small instances, too."""


def device_type(instance_type: str) -> str:
    """Return what neuron-monitor calls the device, such as `trainium2`."""
    known = instance_types.INSTANCE_TYPES.get(instance_type)
    return known.device_type if known else _UNKNOWN


def device_version(instance_type: str) -> str:
    """Return the version of the device, such as `v4`."""
    known = instance_types.INSTANCE_TYPES.get(instance_type)
    return known.device_version if known else _UNKNOWN


def core_version(hardware: instance_types.Hardware) -> str:
    """Return the version of the NeuronCores: `v3d` is two `v3` joined into one."""
    known = instance_types.INSTANCE_TYPES.get(hardware.instance_type)
    version = known.architecture if known else _UNKNOWN
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
