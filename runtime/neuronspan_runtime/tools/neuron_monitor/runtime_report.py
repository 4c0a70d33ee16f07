"""What neuron-monitor tells of one process in the time between two samples.

Keys are those of AWS's user guide. HBM is memory of the host: `application_memory` is all that the process has
resident, device memory included.

Law: pure; samples in, JSON values out.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from neuronspan import instance_types
from neuronspan_runtime.telemetry import page_layout
from neuronspan_runtime.tools import activity, device_facts, machine_view, memory_use, samples

Json = dict[str, Any]


def report(metric: str, interval: samples.Interval, owner: machine_view.CoreOwner) -> Json:
    """Return one group of metrics."""
    return {"period": interval.seconds, **_RUNTIME[metric](interval, owner), "error": ""}


def _core_counters(interval: samples.Interval, owner: machine_view.CoreOwner) -> Json:
    view = interval.after.view
    busy = {view.shown.core(core): percent for core, percent in samples.utilisation(interval, owner).items()}
    in_use = {str(core): _core_usage(view.hardware, core, percent) for core, percent in busy.items()}
    return {"neuroncores_in_use": in_use}


def _core_usage(hardware: instance_types.Hardware, core: int, percent: float) -> Json:
    """Tell joined cores one by one, too; they always work together here."""
    usage: Json = {"neuroncore_utilization": percent}
    joined = hardware.logical_core_size
    if joined > 1:
        version = device_facts.core_version(hardware)
        parts = range(core * joined, (core + 1) * joined)
        usage[version] = {f"nc_{version[:-1]}.{part}": {"neuroncore_utilization": percent} for part in parts}
    return usage


def _execution_stats(interval: samples.Interval, owner: machine_view.CoreOwner) -> Json:
    pairs = [(interval.earlier(owner, core), page) for core, page in owner.pages.items()]
    ended = sum((activity.outcomes(before, after) for before, after in pairs), activity.Outcomes())
    total, device = (
        activity.percentiles(
            activity.added([activity.durations(before, after, on_device=on_device) for before, after in pairs])
        )
        for on_device in (False, True)
    )
    return {
        "error_summary": {
            "generic": ended.completed_with_error,
            "numerical": ended.completed_with_numerical_error,
            "transient": 0,
            "model": ended.incorrect_input,
            "runtime": ended.failed_to_queue + ended.timed_out,
            "hardware": 0,
        },
        "execution_summary": {
            "completed": ended.completed,
            "completed_with_err": ended.completed_with_error,
            "completed_with_num_err": ended.completed_with_numerical_error,
            "timed_out": ended.timed_out,
            "incorrect_input": ended.incorrect_input,
            "failed_to_queue": ended.failed_to_queue,
        },
        "latency_stats": {"total_latency": total, "device_latency": device},
        **_simulated_time(pairs),
    }


def _simulated_time(pairs: Sequence[tuple[page_layout.Page | None, page_layout.Page]]) -> Json:
    """Return a key that AWS's reports do not have, of processes whose executions last what a core needs."""
    simulated, computing = map(sum, zip(*(activity.lasting(*pair) for pair in pairs), strict=True))
    return {"simulated_time": {"simulated": simulated, "computing": computing}} if simulated else {}


def _memory_used(interval: samples.Interval, owner: machine_view.CoreOwner) -> Json:
    shown = interval.after.view.shown
    cores = {str(shown.core(core)): memory_use.by_purpose(page.counters) for core, page in owner.pages.items()}
    resident = owner.process.resident_bytes if owner.process else 0
    return {
        "neuron_runtime_used_bytes": {
            "host": resident,
            "neuron_device": sum(sum(memory.values()) for memory in cores.values()),
            "usage_breakdown": {"host": _host_memory(resident), "neuroncore_memory_usage": cores},
        },
        "loaded_models": loaded_models(interval.after.view, owner),
    }


def _host_memory(application: int = 0) -> dict[str, int]:
    return {"application_memory": application, "constants": 0, "dma_buffers": 0, "tensors": 0}


def loaded_models(view: machine_view.MachineView, owner: machine_view.CoreOwner) -> list[Json]:
    """Return the models on a process's cores; each replica is one, and each core of it a subgraph."""
    models: dict[int, Json] = {}
    for core, page in owner.pages.items():
        for model in page.models:
            entry = models.setdefault(
                model.id,
                {"name": model.name, "uuid": model.uuid, "model_id": model.id, "is_running": False, "subgraphs": {}},
            )
            entry["is_running"] = entry["is_running"] or page.counters.running_since > 0
            entry["subgraphs"][f"sg_{model.subgraph:02}"] = _subgraph(view, core, model)
    return [models[id_] for id_ in sorted(models)]


def _subgraph(view: machine_view.MachineView, core: int, model: page_layout.LoadedModel) -> Json:
    device = {"constants": model.bytes, "model_code": 0, "runtime_memory": 0, "tensors": 0}
    return {
        "memory_used_bytes": {
            "host": 0,
            "neuron_device": model.bytes,
            "usage_breakdown": {"host": _host_memory(), "neuron_device": device},
        },
        "neuroncore_index": view.shown.core(core),
        "neuron_device_index": view.shown.device(view.hardware.device_of(core)),
    }


def _runtime_cpu(interval: samples.Interval, owner: machine_view.CoreOwner) -> Json:
    user, system = samples.cpu_percent(interval, owner)
    return {"vcpu_usage": {"user": round(user, 2), "system": round(system, 2)}}


_RUNTIME: Mapping[str, Callable[[samples.Interval, machine_view.CoreOwner], Json]] = {
    "neuroncore_counters": _core_counters,
    "execution_stats": _execution_stats,
    "memory_used": _memory_used,
    "neuron_runtime_vcpu_usage": _runtime_cpu,
}
