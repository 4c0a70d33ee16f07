"""Which cores are unhealthy, by what the driver counts and lists.

Law: a counter above zero is a fault until it is zero again: drivers count from when they were loaded. What cannot be
read is no fault; ``unreadable`` names it.
"""

import types
from collections.abc import Iterator, Mapping
from typing import Final

from neuronspan import instance_types
from neuronspan_deviceplugin import reasons
from neuronspan_deviceplugin.tree import faults, generating, layout, trees

_REASONS: Final[Mapping[faults.FaultKind, reasons.CoreReason]] = types.MappingProxyType(
    {
        faults.FaultKind.CORE_UNCORRECTABLE: reasons.CoreReason.CORE_UNCORRECTABLE,
        faults.FaultKind.HBM_UNCORRECTABLE: reasons.CoreReason.HBM_UNCORRECTABLE,
        faults.FaultKind.DMA_ABORTED: reasons.CoreReason.DMA_ABORTED,
        faults.FaultKind.SRAM_ECC: reasons.CoreReason.SRAM_ECC,
        faults.FaultKind.MEMORY_ECC: reasons.CoreReason.MEMORY_ECC,
    }
)


def unhealthy(seen: trees.Seen, hardware: instance_types.Hardware) -> dict[int, str]:
    """Return each unhealthy logical NeuronCore with the reason; what is worse speaks for a core."""
    found: dict[int, str] = {}
    for device in range(hardware.devices):
        cores = hardware.cores_of_device(device)
        of_device = _of_device(seen, device)
        for core in cores:
            reason = of_device or _of_core(seen, hardware, device, core - cores.first)
            if reason:
                found[core] = reason
    return found


def unreadable(seen: trees.Seen, hardware: instance_types.Hardware) -> list[str]:
    """Return the counters that are not there, or hold no number; devices that are not there have none."""
    return [
        path
        for path in layout.health_files(hardware.devices, generating.physical_cores(hardware))
        if not path.endswith(layout.UNHEALTHY_COMPONENTS) and _is_there(seen, path) and not seen.text(path).isdecimal()
    ]


def _of_device(seen: trees.Seen, device: int) -> str:
    components = [each.strip() for each in seen.text(layout.components(device)).split(",")]
    if any(components):
        return f"{reasons.CoreReason.COMPONENT_UNHEALTHY}: {', '.join(filter(None, components))}"
    return next(_counted(seen, ((kind, layout.device_counter(device, kind)) for kind in faults.DEVICE_COUNTERS)), "")


def _of_core(seen: trees.Seen, hardware: instance_types.Hardware, device: int, core: int) -> str:
    """Look at the physical cores that are joined in the logical core ``core`` of the device."""
    size = hardware.logical_core_size
    paths = (
        (kind, layout.counter(device, physical, kind))
        for kind in faults.CORE_COUNTERS
        for physical in range(core * size, (core + 1) * size)
    )
    return next(_counted(seen, paths), "")


def _counted(seen: trees.Seen, paths: Iterator[tuple[faults.FaultKind, str]]) -> Iterator[str]:
    for kind, path in paths:
        text = seen.text(path)
        if text.isdecimal() and int(text) > 0:
            yield _REASONS[kind]


def _is_there(seen: trees.Seen, path: str) -> bool:
    """Whether the device that the file would belong to is there."""
    name = path.removeprefix(f"{layout.DEVICES}/").split("/")[0]
    return layout.device_index(name) in seen.devices
