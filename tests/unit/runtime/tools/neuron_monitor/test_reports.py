"""The JSON of neuron-monitor: every key of the user guide, and numbers that are what happened between two samples."""

import itertools
import typing

import pytest

from kits.device import machine_samples, pages
from neuronspan_runtime.telemetry import page_layout, processes
from neuronspan_runtime.tools import machine_view, samples
from neuronspan_runtime.tools.neuron_monitor import configuration, runtime_report, scheduling, system_report

SECOND = machine_samples.SECOND
Counters = page_layout.Counters


def interval(*, seconds: float = 2.0) -> samples.Interval:
    """A pipelined model on cores 4 and 5, 10 calls in two seconds."""
    models = [pages.model(10001, size=2**20)]
    before = machine_samples.owner(7, {4: Counters(completed=5, busy_nanoseconds=SECOND), 5: Counters()})
    after = machine_samples.owner(
        7,
        {
            4: Counters(completed=15, completed_with_error=2, incorrect_input=1, busy_nanoseconds=2 * SECOND,
                        model_bytes=2**20, tensor_bytes=4096, running_since=1),
            5: Counters(busy_nanoseconds=SECOND // 2, model_bytes=2**20),
        },
        ticks=(processes_ticks(1.0), processes_ticks(0.5)),
        calls=[10**6] * 10,
        models=models,
    )  # fmt: skip
    return samples.Interval(machine_samples.sample(10, before), machine_samples.sample(10 + seconds, after))


def processes_ticks(seconds: float) -> int:
    return round(seconds * processes.TICKS_PER_SECOND)


def report(metric: str) -> dict[str, typing.Any]:
    found = interval()
    return runtime_report.report(metric, found, found.after.view.owners[0])


def test_utilisation_is_of_the_period_and_by_the_nodes_core_numbers() -> None:
    """Core 4 also runs something at the moment of the second sample."""
    found = report("neuroncore_counters")
    assert found == {
        "period": 2.0,
        "neuroncores_in_use": {"4": {"neuroncore_utilization": 100.0}, "5": {"neuroncore_utilization": 25.0}},
        "error": "",
    }


def test_joined_cores_are_told_with_their_parts() -> None:
    owner = machine_samples.owner(7, {1: Counters(busy_nanoseconds=SECOND)}, ticks=(0, 0))
    idle = machine_samples.owner(7, {1: Counters()})
    found = samples.Interval(
        machine_samples.sample(1, idle, instance_type="trn2.3xlarge"),
        machine_samples.sample(3, owner, instance_type="trn2.3xlarge"),
    )
    half = {"neuroncore_utilization": 50.0}
    assert runtime_report.report("neuroncore_counters", found, owner)["neuroncores_in_use"] == {
        "1": {**half, "v3d": {"nc_v3.2": half, "nc_v3.3": half}}
    }


def test_executions_are_those_of_the_period() -> None:
    found = report("execution_stats")
    assert found["execution_summary"] == {
        "completed": 10, "completed_with_err": 2, "completed_with_num_err": 0, "timed_out": 0, "incorrect_input": 1,
        "failed_to_queue": 0,
    }  # fmt: skip
    assert found["error_summary"] == {
        "generic": 2, "numerical": 0, "transient": 0, "model": 1, "runtime": 0, "hardware": 0,
    }  # fmt: skip
    assert list(found["latency_stats"]) == ["total_latency", "device_latency"]
    assert found["latency_stats"]["device_latency"]["p50"] == pytest.approx(0.001, rel=0.125)


def test_latencies_are_null_when_nothing_ran() -> None:
    owner = machine_samples.owner(7, {4: Counters()})
    idle = samples.Interval(machine_samples.sample(1, owner), machine_samples.sample(2, owner))
    stats = runtime_report.report("execution_stats", idle, owner)["latency_stats"]
    assert stats == {"total_latency": None, "device_latency": None}


def test_memory_adds_up_over_cores_and_models() -> None:
    found = report("memory_used")
    used = found["neuron_runtime_used_bytes"]
    assert used["neuron_device"] == 2 * 2**20 + 4096
    assert used["host"] == used["usage_breakdown"]["host"]["application_memory"] == 50 * 2**20
    assert used["usage_breakdown"]["neuroncore_memory_usage"]["4"] == {
        "constants": 2**20, "model_code": 0, "model_shared_scratchpad": 0, "runtime_memory": 0, "tensors": 4096,
    }  # fmt: skip
    (model,) = found["loaded_models"]
    assert (model["name"], model["uuid"], model["model_id"], model["is_running"]) == ("ResNet", "ab" * 16, 10001, True)
    part = model["subgraphs"]["sg_00"]
    assert (part["neuroncore_index"], part["neuron_device_index"]) == (4, 1)
    assert part["memory_used_bytes"]["neuron_device"] == 2**20
    assert part["memory_used_bytes"]["usage_breakdown"]["neuron_device"]["constants"] == 2**20


def test_subgraphs_of_a_replica_are_gathered_from_its_cores() -> None:
    first = pages.page(pages.header(4), models=[pages.model(10001), pages.model(10002)])
    second = pages.page(pages.header(5), models=[pages.model(10001, subgraph=1)])
    owner = machine_view.CoreOwner(7, (4, 5), "", {4: first, 5: second})
    found = runtime_report.loaded_models(machine_samples.sample(0).view, owner)
    assert [(model["model_id"], list(model["subgraphs"])) for model in found] == [
        (10001, ["sg_00", "sg_01"]),
        (10002, ["sg_00"]),
    ]


def test_process_times_are_shares_of_all_cpus() -> None:
    assert report("neuron_runtime_vcpu_usage")["vcpu_usage"] == {"user": 25.0, "system": 12.5}


def test_process_that_just_began_has_no_share_yet() -> None:
    owner = machine_samples.owner(7, {4: Counters()}, ticks=(500, 500))
    begun = samples.Interval(machine_samples.sample(1), machine_samples.sample(2, owner))
    assert runtime_report.report("neuron_runtime_vcpu_usage", begun, owner)["vcpu_usage"] == {"user": 0, "system": 0}


# --- the machine ------------------------------------------------------------------------------------------------------


def test_cpus_are_told_in_sum_and_one_by_one() -> None:
    found = system_report.report("vcpu_usage", interval())
    idle = {"nice": 0, "system": 0, "idle": 50.0, "io_wait": 0, "irq": 0, "soft_irq": 0}
    assert found["average_usage"] == {"user": 50.0, **idle}
    assert list(found["usage_data"]) == ["0", "1"]
    assert found["context_switch_count"] == 200


def test_memory_of_the_host_is_told() -> None:
    assert system_report.report("memory_info", interval()) == {
        "period": 2.0, "memory_total_bytes": 16 * 2**30, "memory_used_bytes": 4 * 2**30, "swap_total_bytes": 4096,
        "swap_used_bytes": 3072, "error": "",
    }  # fmt: skip


def test_hardware_counters_are_of_the_devices_that_can_be_seen() -> None:
    pod = machine_samples.sample(1, cores=[4, 5])
    found = system_report.report("neuron_hw_counters", samples.Interval(pod, pod))
    assert [device["neuron_device_index"] for device in found["neuron_devices"]] == [1]
    assert set(found["neuron_devices"][0].values()) == {0, 1}


def test_hardware_is_described_as_in_the_guide() -> None:
    """The guide's own example, of a trn2."""
    view = machine_samples.sample(0, instance_type="trn2.48xlarge").view
    assert system_report.hardware_info(view) == {
        "neuron_device_type": "trainium2", "neuron_device_version": "v4", "neuroncore_version": "v3d",
        "neuron_device_count": 16, "neuron_device_memory_size": 103079215104, "neuroncore_per_device_count": 4,
        "logical_neuroncore_config": 2, "error": "",
    }  # fmt: skip


def test_pods_are_told_by_their_cores() -> None:
    found = system_report.kubernetes_info(interval().after.view, 2.0)
    pod = {"pod_name": "serve-1", "namespace": "shop", "container_name": []}
    assert found["neuroncores_k8s_info"] == {"4": pod, "5": pod}
    assert found["neurondevices_k8s_info"] == {"1": pod}


# --- when -----------------------------------------------------------------------------------------------------------


def schedule(*, tag: str = ".*") -> scheduling.Schedule:
    config = configuration.parse(
        {
            "neuron_runtimes": [{"tag_filter": tag, "period": "2s", "metrics": [{"type": "neuroncore_counters"}]}],
            "system_metrics": [{"type": "memory_info", "period": "3s"}],
        }
    )
    return scheduling.Schedule.begin(config, machine_samples.sample(0))


def owner() -> machine_view.CoreOwner:
    return machine_samples.owner(7, {4: Counters()})


def test_groups_are_reported_each_at_its_own_time() -> None:
    running, seen = schedule(), []
    moments = itertools.chain([0.0], itertools.count(2.0))
    for moment in itertools.islice(moments, 6):
        due = running.due(round(moment * SECOND)) if moment else running.config.metrics
        told, running = running.report(machine_samples.sample(moment, owner()), due)
        seen.append((moment, list(told["neuron_runtime_data"][0]["report"]), list(told["system_data"])))
    counters, memory = ["neuroncore_counters"], ["memory_info"]
    assert seen == [
        (0.0, counters, memory), (2.0, counters, []), (3.0, [], memory), (4.0, counters, []), (5.0, [], []),
        (6.0, counters, memory),
    ]  # fmt: skip
    assert running.wait(6 * SECOND) == 2.0
    assert running.wait(100 * SECOND) == 0.0


def test_report_has_the_keys_of_the_guide() -> None:
    told, _ = schedule().report(machine_samples.sample(2, owner()), schedule().config.metrics)
    assert list(told) == [
        "neuron_runtime_data", "system_data", "instance_info", "neuron_hardware_info", "neuron_k8s_info",
    ]  # fmt: skip
    (process,) = told["neuron_runtime_data"]
    assert {key: process[key] for key in list(process)[:4]} == {
        "pid": 7, "address": "", "neuron_runtime_tag": "shop", "error": "",
    }  # fmt: skip
    assert told["instance_info"]["instance_type"] == "inf1.6xlarge"


def test_process_whose_tag_does_not_pass_is_not_reported() -> None:
    told, _ = schedule(tag="^bank").report(machine_samples.sample(2, owner()), ())
    assert told["neuron_runtime_data"] == []
