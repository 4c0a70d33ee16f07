"""Names and labels of the exporter, against those of AWS's, as its dashboard and others' scrapers know them."""

import prometheus_client

from kits.device import machine_samples
from neuronspan_runtime.telemetry import page_layout
from neuronspan_runtime.tools import samples
from neuronspan_runtime.tools.neuron_monitor import configuration, metrics, scheduling

INSTANCE = {
    "availability_zone": "", "instance_id": "i-0123456789abcdef0", "instance_name": "", "instance_type": "inf1.6xlarge",
    "region": "", "subnet_id": "",
}  # fmt: skip


def exported(*pairs: tuple[samples.Sample, samples.Sample]) -> prometheus_client.CollectorRegistry:
    """What is served after these reports."""
    collector = metrics.Collector()
    registry = prometheus_client.CollectorRegistry()
    registry.register(collector)
    for before, after in pairs:
        schedule = scheduling.Schedule.begin(configuration.Config(), before)
        collector.update(schedule.report(after, schedule.config.metrics)[0])
    return registry


def busy(calls: int) -> samples.Sample:
    counters = page_layout.Counters(completed=calls, busy_nanoseconds=calls * 10**8, tensor_bytes=4096)
    return machine_samples.sample(calls, machine_samples.owner(7, {4: counters}, calls=[10**6] * calls))


def value(registry: prometheus_client.CollectorRegistry, name: str, **labels: str) -> float | None:
    return registry.get_sample_value(name, {**INSTANCE, **labels})


def test_values_of_a_process_have_its_tag() -> None:
    registry = exported((busy(0), busy(4)))
    tag = {"runtime_tag": "shop"}
    assert value(registry, "neuroncore_utilization_ratio", neuroncore="4", **tag) == 0.1
    assert value(registry, "neuron_runtime_memory_used_bytes", memory_location="neuron_device", **tag) == 4096
    assert value(registry, "neuroncore_memory_usage_tensors", neuroncore="4", memory_location="None", **tag) == 4096
    assert value(registry, "execution_status_total", status_type="completed", **tag) == 4
    assert value(registry, "execution_errors_total", error_type="generic", **tag) == 0
    assert value(registry, "neuron_runtime_vcpu_usage_ratio", usage_type="user", **tag) == 0
    latency = value(registry, "execution_latency_seconds", percentile="p99", **tag)
    assert latency is not None
    assert 0.0008 < latency < 0.0012


def test_values_of_the_machine_have_the_instance_only() -> None:
    registry = exported((busy(0), busy(4)))
    assert value(registry, "system_memory_total_bytes") == 16 * 2**30
    assert value(registry, "system_vcpu_count") == 2
    assert value(registry, "system_vcpu_usage_ratio", usage_type="user") == 0.5
    assert value(registry, "instance_info") == 1
    assert value(registry, "hardware_ecc_events_total", event_type="mem_ecc_corrected", neuron_device_index="0") == 0


def test_simulated_time_is_told_of_those_who_have_it_only() -> None:
    def lasting(seconds: int) -> samples.Sample:
        counters = page_layout.Counters(simulated_nanoseconds=seconds * 10**9, computing_nanoseconds=seconds * 10**8)
        return machine_samples.sample(seconds, machine_samples.owner(7, {4: counters, 5: page_layout.Counters()}))

    def told(registry: prometheus_client.CollectorRegistry, kind: str) -> float | None:
        return value(registry, "neuronspan_execution_seconds_total", time=kind, runtime_tag="shop")

    timed = exported((lasting(0), lasting(2)), (lasting(2), lasting(5)))
    assert (told(timed, "simulated"), told(timed, "computing")) == (5.0, 0.5)
    assert told(exported((busy(0), busy(4))), "simulated") is None


def test_executions_add_up_over_reports() -> None:
    registry = exported((busy(0), busy(4)), (busy(4), busy(6)))
    assert value(registry, "execution_status_total", status_type="completed", runtime_tag="shop") == 6


def test_process_that_ended_is_no_longer_served() -> None:
    registry = exported((busy(0), busy(4)), (busy(4), machine_samples.sample(9)))
    assert value(registry, "execution_status_total", status_type="completed", runtime_tag="shop") is None
    assert value(registry, "instance_info") == 1
    assert b"neuroncore_utilization_ratio{" not in prometheus_client.generate_latest(registry)
