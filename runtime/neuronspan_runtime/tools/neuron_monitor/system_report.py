"""What neuron-monitor tells of the machine in the time between two samples.

Keys are those of AWS's user guide.

Law: pure; samples in, JSON values out.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from neuronspan_runtime.tools import device_facts, machine_view, samples

Json = dict[str, Any]
_CPU_USES = ("user", "nice", "system", "idle", "io_wait", "irq", "soft_irq")
_ECC_EVENTS = ("mem_ecc_corrected", "mem_ecc_uncorrected", "sram_ecc_uncorrected", "sram_ecc_corrected")


def report(metric: str, interval: samples.Interval) -> Json:
    """Return one group of metrics."""
    return {"period": interval.seconds, **_SYSTEM[metric](interval), "error": ""}


def _memory_info(interval: samples.Interval) -> Json:
    memory = interval.after.system.memory
    return {
        "memory_total_bytes": memory.get("MemTotal", 0),
        "memory_used_bytes": memory.get("MemTotal", 0) - memory.get("MemAvailable", 0),
        "swap_total_bytes": memory.get("SwapTotal", 0),
        "swap_used_bytes": memory.get("SwapTotal", 0) - memory.get("SwapFree", 0),
    }


def _hardware_counters(interval: samples.Interval) -> Json:
    """Count no errors: simulated memory has none."""
    view = interval.after.view
    numbers = map(view.shown.device, view.devices)
    return {
        "neuron_devices": [{"neuron_device_index": number, **dict.fromkeys(_ECC_EVENTS, 0)} for number in numbers],
    }


def _cpu_usage(interval: samples.Interval) -> Json:
    before, after = interval.before.system, interval.after.system
    usage = {name: _cpu(before.cpus.get(name, ticks), ticks) for name, ticks in after.cpus.items()}
    return {
        "average_usage": usage.pop("cpu", _cpu((), ())),
        "usage_data": {name.removeprefix("cpu"): percent for name, percent in usage.items()},
        "context_switch_count": after.context_switches - before.context_switches,
    }


def _cpu(before: Sequence[int], after: Sequence[int]) -> dict[str, float]:
    used = [max(new - old, 0) for old, new in zip(before, after, strict=True)] or [0] * len(_CPU_USES)
    whole = sum(used) or 1
    return {name: round(100.0 * ticks / whole, 2) for name, ticks in zip(_CPU_USES, used, strict=True)}


_SYSTEM: Mapping[str, Callable[[samples.Interval], Json]] = {
    "memory_info": _memory_info,
    "neuron_hw_counters": _hardware_counters,
    "vcpu_usage": _cpu_usage,
}


# --- always present ---------------------------------------------------------------------------------------------------


def instance_info(view: machine_view.MachineView) -> Json:
    """Return what a real instance learns from EC2; here only its type and a made-up ID."""
    return {
        "instance_name": "",
        "instance_id": view.instance_id,
        "instance_type": view.hardware.instance_type,
        "instance_availability_zone": "",
        "instance_availability_zone_id": "",
        "instance_region": "",
        "ami_id": "",
        "subnet_id": "",
        "error": "",
    }


def hardware_info(view: machine_view.MachineView) -> Json:
    """Return what the devices are; in a pod, those of which it was granted cores."""
    hardware = view.hardware
    return {
        "neuron_device_type": device_facts.device_type(hardware.instance_type),
        "neuron_device_version": device_facts.device_version(hardware.instance_type),
        "neuroncore_version": device_facts.core_version(hardware),
        "neuron_device_count": len(view.devices),
        "neuron_device_memory_size": device_facts.memory_bytes(hardware),
        "neuroncore_per_device_count": hardware.cores_per_device,
        "logical_neuroncore_config": hardware.logical_core_size,
        "error": "",
    }


def kubernetes_info(view: machine_view.MachineView, seconds: float) -> Json:
    """Return which pods use what, as their processes tell; a container does not know its own name."""
    pods = {
        core: {"pod_name": owner.header.host, "namespace": owner.header.namespace, "container_name": []}
        for owner in view.owners
        if owner.header is not None and owner.header.namespace
        for core in owner.cores
    }
    return {
        "period": seconds,
        "neuroncores_k8s_info": {str(view.shown.core(core)): pod for core, pod in sorted(pods.items())},
        "neurondevices_k8s_info": {
            str(view.shown.device(device)): next(pods[core] for core in cores if core in pods)
            for device, cores in view.devices.items()
            if any(core in pods for core in cores)
        },
        "error": "",
    }
