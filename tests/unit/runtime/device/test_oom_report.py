"""What stands on standard error when HBM is exhausted: libnrt's lines and its table."""

import re
import threading

import pytest
import torch

from kits.device import neuron_models, neuron_processes

GIB = 1 << 30
TRN2 = {"NEURONSPAN_INSTANCE_TYPE": "trn2.3xlarge"}
SINGLE = TRN2 | {"NEURON_LOGICAL_NC_CONFIG": "1", "NEURON_RT_VISIBLE_CORES": "4-5"}
LINE = re.compile(r"(\d{4}-[A-Z][a-z]{2}-\d\d \d\d:\d\d:\d\d\.\d{4} \d+:\d+ ERROR   )(\S+) +(.*)")


def run_out() -> None:
    kept = [torch.empty(20 * GIB, dtype=torch.uint8, device="neuron:0")]
    held = neuron_models.unloaded(torch.nn.Linear(1024, 1024, bias=False), torch.ones(1, 1024))
    held.set_neuron_devices(1, 1)
    with pytest.raises(torch.OutOfMemoryError):
        kept.append(torch.empty(4 * GIB, dtype=torch.uint8, device="neuron:0"))


def log_of(processes: neuron_processes.Parent, environment: dict[str, str]) -> list[str]:
    with processes.start(environment, run_out) as process:
        return process.outcome().log.splitlines()


def cells(row: str) -> list[str]:
    return [cell.strip() for cell in row.split("|")[:-1]]


def test_exhaustion_is_logged_with_the_lines_and_the_table_of_the_runtime(
    processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    first, second, third, *table = log_of(processes, machine | SINGLE)
    matches = [LINE.fullmatch(line) for line in (first, second, third)]
    assert [match.groups()[1:] for match in matches if match] == [
        ("TDRV:print_lnc_hbm_details", "LNC size is 1. Neuron Cores using this HBM: NC 4 and NC 5"),
        ("TDRV:log_dev_mem", "Failed to allocate 4.000GB (alignment: none, usage: tensors) on ND 0:NC 4"),
        ("TDRV:log_dev_mem_usage_table", "Displaying Current Memory Utilization:"),
    ]
    assert len({len(row) for row in table}) == 1
    upper, lower, overall, *cores = map(cells, table)
    assert list(zip(upper, lower, strict=True))[:5] == [
        ("", ""),
        ("", "TOTAL"),
        ("Model", "Code"),
        ("Model", "Constants"),
        ("", "Tensors"),
    ]
    assert overall[:5] == ["ND 0 Overall", "20.098GB", "96.000MB", "4.000MB", "20.000GB"]
    assert [row[:5] for row in cores] == [
        ["\\_NC 4", "20.000GB", "0.000B", "0.000B", "20.000GB"],
        ["\\_NC 5", "100.000MB", "96.000MB", "4.000MB", "0.000B"],
    ]
    assert {cell for row in (overall, *cores) for cell in row[5:]} == {"0.000B"}


def test_exhaustion_names_device_and_core_as_the_node_numbers_them(
    processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    settings = {"NEURONSPAN_INSTANCE_TYPE": "trn2.48xlarge", "NEURON_RT_VISIBLE_CORES": "6-7"}
    log = "\n".join(log_of(processes, machine | settings))
    assert "LNC size is 2. Neuron Cores using this HBM: NC 2\n" in log
    assert "on ND 1:NC 2\n" in log
    assert "\\_NC 3" not in log  # another stack


@pytest.mark.parametrize(
    "settings", [{"NEURON_RT_ENABLE_DEVICE_MEMORY_OOM_LOG": "0"}, {"NEURON_RT_LOG_LEVEL": "QUIET"}]
)
def test_exhaustion_is_not_logged_when_told_so(
    settings: dict[str, str], processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    assert log_of(processes, machine | SINGLE | settings) == []


def run_out_of_room_for_models() -> None:
    kept = torch.empty(2 * GIB - 4096, dtype=torch.uint8, device="neuron:3")
    held = neuron_models.unloaded(torch.nn.Linear(1024, 1024, bias=False), torch.ones(1, 1024))
    with pytest.raises(torch.OutOfMemoryError):
        held.set_neuron_devices(3, 1)
    assert kept.nbytes


def test_exhaustion_by_a_model_is_logged_as_constants(
    processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    with processes.start(machine, run_out_of_room_for_models) as process:
        log = process.outcome().log
    assert "Failed to allocate 4.000MB (alignment: none, usage: model constants) on ND 0:NC 3\n" in log


def run_out_in_threads() -> None:
    kept = torch.empty(2 * GIB, dtype=torch.uint8, device="neuron:0")
    failures = []

    def work() -> None:
        try:
            torch.empty(1, device="neuron:0")
        except torch.OutOfMemoryError:
            failures.append(1)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(failures) == 8
    assert kept.nbytes


def test_reports_of_several_threads_are_not_mixed(processes: neuron_processes.Parent, machine: dict[str, str]) -> None:
    with processes.start(machine, run_out_in_threads) as process:
        lines = process.outcome().log.splitlines()
    kinds = [match[2] if (match := LINE.fullmatch(line)) else "row" for line in lines]
    report = ["TDRV:print_lnc_hbm_details", "TDRV:log_dev_mem", "TDRV:log_dev_mem_usage_table", *["row"] * 4]
    assert kinds == report * 8
