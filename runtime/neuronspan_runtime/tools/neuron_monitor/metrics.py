"""neuron-monitor's reports as Prometheus metrics, under the names of AWS's exporter and its Grafana dashboard.

Law: says what reports said, and nothing else; a process that left the reports leaves the metrics.
"""

import threading
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from prometheus_client import core, registry

Labels = tuple[tuple[str, str], ...]
_INSTANCE_LABELS = {
    "instance_name": "instance_name",
    "instance_id": "instance_id",
    "instance_type": "instance_type",
    "availability_zone": "instance_availability_zone",
    "region": "instance_region",
    "subnet_id": "subnet_id",
}
_HELP = {
    "execution_errors": "Execution errors total",
    "execution_status": "Execution status total",
    "execution_latency_seconds": "Execution latency in seconds",
    "neuronspan_execution_seconds": "Seconds that executions were to last, and that the CPU needed for them",
    "neuron_runtime_memory_used_bytes": "Runtime memory used bytes",
    "neuron_runtime_vcpu_usage_ratio": "Runtime vCPU utilization ratio",
    "neuroncore_memory_usage_constants": "NeuronCore memory utilization for constants",
    "neuroncore_memory_usage_model_code": "NeuronCore memory utilization for model_code",
    "neuroncore_memory_usage_model_shared_scratchpad": "NeuronCore memory utilization for model_shared_scratchpad",
    "neuroncore_memory_usage_runtime_memory": "NeuronCore memory utilization for runtime_memory",
    "neuroncore_memory_usage_tensors": "NeuronCore memory utilization for tensors",
    "neuroncore_utilization_ratio": "NeuronCore utilization ratio",
    "system_memory_total_bytes": "System memory total_bytes bytes",
    "system_memory_used_bytes": "System memory used_bytes bytes",
    "system_swap_total_bytes": "System swap total_bytes bytes",
    "system_swap_used_bytes": "System swap used_bytes bytes",
    "hardware_ecc_events": "Hardware ecc events total",
    "system_vcpu_count": "System vCPU count",
    "system_vcpu_usage_ratio": "System CPU utilization ratio",
    "instance_info": "EC2 instance information",
    "neuron_hardware_info": "Neuron Hardware Information",
}
_COUNTERS = frozenset({"execution_errors", "execution_status", "hardware_ecc_events", "neuronspan_execution_seconds"})
"""Reports tell what happened since the one before; these add it up."""


class Collector(registry.Collector):
    """The newest value of everything that was reported, for as long as its process is."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: dict[str, dict[Labels, float]] = {}

    def update(self, report: Mapping[str, Any]) -> None:
        """Take one report of neuron-monitor."""
        instance = {label: str(report["instance_info"].get(key, "")) for label, key in _INSTANCE_LABELS.items()}
        tags = frozenset(process["neuron_runtime_tag"] for process in report["neuron_runtime_data"])
        with self._lock:
            self._forget_all_but(tags)
            for name, labels, value in _values(report):
                key = tuple(sorted({**instance, **labels}.items()))
                series = self._values.setdefault(name, {})
                series[key] = value + (series.get(key, 0.0) if name in _COUNTERS else 0.0)

    def collect(self) -> Iterable[core.Metric]:
        """Yield the metrics; called by the exporter's threads."""
        with self._lock:
            for name, series in self._values.items():
                kind = core.CounterMetricFamily if name in _COUNTERS else core.GaugeMetricFamily
                labels = [label for label, _ in next(iter(series), ())]
                family = kind(name, _HELP[name], labels=labels)
                for key, value in series.items():
                    family.add_metric([text for _, text in key], value)
                yield family

    def _forget_all_but(self, tags: frozenset[str]) -> None:
        for name, series in self._values.items():
            self._values[name] = {
                labels: value for labels, value in series.items() if dict(labels).get("runtime_tag") in {None, *tags}
            }


Value = tuple[str, Mapping[str, str], float]


def _values(report: Mapping[str, Any]) -> Iterator[Value]:
    for process in report["neuron_runtime_data"]:
        for name, labels, value in _of_runtime(process["report"]):
            yield name, {"runtime_tag": process["neuron_runtime_tag"], **labels}, value
    yield from _of_system(report["system_data"])
    yield "instance_info", {}, 1.0
    hardware = report["neuron_hardware_info"]
    yield "neuron_hardware_info", {key: str(value) for key, value in hardware.items() if key != "error"}, 1.0


def _of_runtime(report: Mapping[str, Any]) -> Iterator[Value]:
    if cores := report.get("neuroncore_counters"):
        for index, core_usage in cores["neuroncores_in_use"].items():
            ratio = core_usage["neuroncore_utilization"] / 100.0
            yield "neuroncore_utilization_ratio", {"neuroncore": index}, ratio
    if executions := report.get("execution_stats"):
        yield from _of_executions(executions)
    if memory := report.get("memory_used"):
        yield from _of_memory(memory["neuron_runtime_used_bytes"])
    if usage := report.get("neuron_runtime_vcpu_usage"):
        for use, percent in usage["vcpu_usage"].items():
            yield "neuron_runtime_vcpu_usage_ratio", {"usage_type": use}, percent / 100.0


def _of_executions(executions: Mapping[str, Any]) -> Iterator[Value]:
    for kind, count in executions["error_summary"].items():
        yield "execution_errors", {"error_type": kind}, count
    for status, count in executions["execution_summary"].items():
        yield "execution_status", {"status_type": status}, count
    for percentile, seconds in (executions["latency_stats"]["total_latency"] or {}).items():
        yield "execution_latency_seconds", {"percentile": percentile}, seconds
    for kind, seconds in executions.get("simulated_time", {}).items():
        yield "neuronspan_execution_seconds", {"time": kind}, seconds


def _of_memory(used: Mapping[str, Any]) -> Iterator[Value]:
    for location in ("host", "neuron_device"):
        yield "neuron_runtime_memory_used_bytes", {"memory_location": location}, used[location]
    for index, purposes in used["usage_breakdown"]["neuroncore_memory_usage"].items():
        for purpose, size in purposes.items():
            yield f"neuroncore_memory_usage_{purpose}", {"neuroncore": index, "memory_location": "None"}, size


def _of_system(system: Mapping[str, Any]) -> Iterator[Value]:
    if memory := system.get("memory_info"):
        for kind in ("memory_total_bytes", "memory_used_bytes", "swap_total_bytes", "swap_used_bytes"):
            yield f"system_{kind}", {}, memory[kind]
    for device in system.get("neuron_hw_counters", {}).get("neuron_devices", ()):
        index = str(device["neuron_device_index"])
        for event, count in device.items():
            if event != "neuron_device_index":
                yield "hardware_ecc_events", {"event_type": event, "neuron_device_index": index}, count
    if cpus := system.get("vcpu_usage"):
        yield "system_vcpu_count", {}, len(cpus["usage_data"])
        for use in ("user", "system"):
            yield "system_vcpu_usage_ratio", {"usage_type": use}, cpus["average_usage"][use] / 100.0
