"""Makes the tree of a node that has no devices: what the driver would show of this hardware, with these faults.

Source of forms and orders: see ``layout``. Serial numbers have the form of a captured one (9ff5434815c8bd80).
"""

import dataclasses
import hashlib
import heapq
import operator
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from neuronspan import instance_types, names, spans
from neuronspan_deviceplugin.tree import drivers, faults, layout, trees

_ZERO: Final = "0\n"
_WRITABLE: Final = 0o644  # of everything below info and stats: what its owner writes sets a counter to zero
_STATUS: Final = (
    "success", "failure", "timeout", "exec_bad_input", "hw_error", "execute_completed_with_error",
    "execute_completed_with_num_error", "generic_error", "resource_error", "resource_nc_error",
    "execute_failed_to_queue", "invalid_error", "unsupported_neff_version", "oob_error", "hw_collectives_error",
    "hw_hbm_ue_error", "hw_nc_ue_error", "hw_dma_abort_error", "execute_sw_nq_overflow", "execute_sw_semaphore_error",
    "execute_sw_event_error", "execute_sw_psum_collision", "execute_sw_sequencer_fatal", "hw_repairable_hbm_ue_error",
)  # fmt: skip
_DEVICE_MEMORY: Final = (
    "model_code", "tensors", "constants", "model_shared_scratchpad", "runtime_memory", "driver_memory", "collectives",
    "nonshared_scratchpad", "notifications", "dma_rings", "uncategorized",
)  # fmt: skip
_HOST_MEMORY: Final = (
    "dma_buffers", "tensors", "constants", "application_memory", "driver_memory", "notifications", "dma_rings",
    "uncategorized",
)  # fmt: skip
_OTHER: Final = (
    "model_load_count", "reset_req_count", "reset_fail_count", "inference_count", "flop_count", "nc_time_in_use",
)  # fmt: skip
_COUNTED: Final = ("total", "present")
_USED: Final = (*_COUNTED, "peak")
_NO_SAMPLE: Final = "POWER_STATUS_VALID,0,0.00,0.00,0.00\n"
_NULL: Final = "1:3\n"  # what the node is a link to
_READY: Final = "1\n"  # NEURON_DEVICE_STATE_READY


@dataclasses.dataclass(frozen=True, slots=True)
class Fault:
    """A fault of a run of logical NeuronCores; one that is a device's befalls each device that the run touches."""

    span: spans.CoreSpan
    kind: faults.FaultKind


def generate(hardware: instance_types.Hardware, driver: drivers.Driver, broken: Iterable[Fault] = ()) -> trees.Tree:
    """Return the tree of such a node.

    Its device nodes are links to /dev/null: they exist and open, as code that looks for devices expects.
    """
    return trees.Tree(dict(files(hardware, driver, broken)), links(hardware))


def files(
    hardware: instance_types.Hardware, driver: drivers.Driver, broken: Iterable[Fault] = ()
) -> Iterator[tuple[str, trees.File]]:
    """Yield the files in the order of their paths, with those of one device at a time in memory: of thousands."""
    machine = {
        layout.DRIVER_VERSION: trees.File(f"{driver.version}\n"),
        f"{layout.DMI}/{layout.PRODUCT_NAME}": trees.File(f"{hardware.instance_type}\n"),
        layout.LOGICAL_CORES: trees.File(f"{layout.LOGICAL_CORES_VARIABLE}={hardware.logical_core_size}\n"),
    }
    return heapq.merge(sorted(machine.items()), _of_devices(hardware, driver, broken), key=operator.itemgetter(0))


def links(hardware: instance_types.Hardware) -> dict[str, str]:
    """Return the symbolic links: the devices as members of their class, and in place of their nodes."""
    classes = {
        f"{layout.CLASS}/neuron{device}": f"../../devices/virtual/neuron_device/neuron{device}"
        for device in range(hardware.devices)
    }
    return classes | {f"{layout.DEVICE_NODES}/neuron{device}": "/dev/null" for device in range(hardware.devices)}


def health(
    hardware: instance_types.Hardware, driver: drivers.Driver, broken: Iterable[Fault] = ()
) -> Iterator[tuple[str, str]]:
    """Yield the files that say what is healthy, each with its text; cores that do not exist have no faults."""
    counts, unhealthy = _counts(hardware, tuple(broken))
    lists = drivers.lists_components(driver, hardware.instance_type)
    for path in layout.health_files(hardware.devices, physical_cores(hardware)):
        if not path.endswith(layout.UNHEALTHY_COMPONENTS):
            yield path, f"{counts.get(path, 0)}\n"
        elif lists:
            yield path, ",".join(unhealthy.get(path, ())) + "\n"


def physical_cores(hardware: instance_types.Hardware) -> int:
    """Return the physical NeuronCores of one device."""
    return hardware.cores_per_device * hardware.logical_core_size


def _counts(
    hardware: instance_types.Hardware, broken: Iterable[Fault]
) -> tuple[Mapping[str, int], Mapping[str, list[str]]]:
    counts: dict[str, int] = {}
    unhealthy: dict[str, list[str]] = {}
    for fault in broken:
        for core in fault.span:
            if core >= hardware.cores:
                continue
            device = hardware.device_of(core)
            if fault.kind in faults.CORE_COUNTERS:
                first = core % hardware.cores_per_device * hardware.logical_core_size
                for physical in range(first, first + hardware.logical_core_size):
                    counts[layout.counter(device, physical, fault.kind)] = 1
            elif fault.kind in faults.DEVICE_COUNTERS:
                counts[layout.device_counter(device, fault.kind)] = 1
            elif fault.kind not in unhealthy.setdefault(layout.components(device), []):
                unhealthy[layout.components(device)].append(fault.kind)
    return counts, unhealthy


def _of_devices(
    hardware: instance_types.Hardware, driver: drivers.Driver, broken: Iterable[Fault]
) -> Iterator[tuple[str, trees.File]]:
    told = {path: trees.File(text, _WRITABLE, changes=True) for path, text in health(hardware, driver, broken)}
    for device in sorted(range(hardware.devices), key=str):
        folder = f"{layout.device(device)}/"
        made = {f"{folder}{name}": file for name, file in _device(hardware, driver, device)}
        yield from sorted((made | {path: file for path, file in told.items() if path.startswith(folder)}).items())


def _device(hardware: instance_types.Hardware, driver: drivers.Driver, device: int) -> Iterator[tuple[str, trees.File]]:
    called = layout.names_of(hardware.instance_type)
    neighbours = ", ".join(map(str, hardware.connected_to(device)))
    yield layout.CORE_COUNT, trees.File(str(physical_cores(hardware)), driver.core_count_mode)
    yield layout.CONNECTED_DEVICES, trees.File(f"{neighbours}\n")
    yield "reset", trees.File(_READY, 0o600)
    yield "dev", trees.File(_NULL)
    yield "uevent", trees.File(f"DEVNAME=neuron{device}\n")
    yield layout.SERIAL_NUMBER, trees.File(f"{_serial(hardware.instance_type, device)}\n", _WRITABLE)
    yield "info/notify_delay", trees.File("-1\n", _WRITABLE)
    if called is not None:
        yield layout.ARCHITECTURE_TYPE, trees.File(f"{called.device_architecture}\n", _WRITABLE)
        yield layout.INSTANCE_TYPE, trees.File(f"{called.family}\n", _WRITABLE)
        yield layout.DEVICE_NAME, trees.File(f"{called.device}\n", _WRITABLE)
    yield f"{layout.HARDWARE}/mem_ecc_repairable_uncorrected", trees.File(_ZERO, _WRITABLE)
    if driver.counts_corrected:
        yield f"{layout.HARDWARE}/sram_ecc_corrected", trees.File(_ZERO, _WRITABLE)
        yield f"{layout.HARDWARE}/mem_ecc_corrected", trees.File(_ZERO, _WRITABLE)
    if drivers.lists_components(driver, hardware.instance_type):
        yield layout.HEARTBEAT, trees.File(_ZERO, _WRITABLE)
    yield layout.POWER, trees.File(_NO_SAMPLE, _WRITABLE)
    yield from _counters(layout.HOST_MEMORY, _HOST_MEMORY, _USED)
    for core in range(physical_cores(hardware)):
        for name, file in _core(called):
            yield f"neuron_core{core}/{name}", file


def _core(called: layout.Names | None) -> Iterator[tuple[str, trees.File]]:
    if called is not None:
        yield layout.ARCHITECTURE_TYPE, trees.File(f"{called.core_architecture}\n", _WRITABLE)
    yield from _counters(layout.STATUS, _STATUS, _COUNTED)
    yield from _counters(layout.CORE_MEMORY, ("host_mem", "device_mem"), _USED)
    yield from _counters(f"{layout.CORE_MEMORY}/device_mem", _DEVICE_MEMORY, _USED)
    yield from _counters(layout.OTHER, _OTHER, _COUNTED)


def _counters(folder: str, counted: Iterable[str], values: Iterable[str]) -> Iterator[tuple[str, trees.File]]:
    zero = trees.File(_ZERO, _WRITABLE)
    return ((f"{folder}/{name}/{value}", zero) for name in counted for value in values)


def _serial(instance_type: str, device: int) -> str:
    """Return a number that looks like a serial number, the same one for the same device of the same type."""
    return hashlib.sha256(f"{names.GROUP}/{instance_type}/{device}".encode()).hexdigest()[:16]
