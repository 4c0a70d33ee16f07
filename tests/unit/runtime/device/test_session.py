"""The process's state: claimed at first use, tried again after a failure, closed, and never inherited by a child."""

import json
import os
import pathlib
import signal
import threading
from collections.abc import Callable

import pytest
import torch

import neuronspan_runtime
from kits.device import neuron_models, neuron_processes
from neuronspan import instance_types
from neuronspan_runtime import environment, errors
from neuronspan_runtime.cores import hardware, hbm
from neuronspan_runtime.device import device_module, operators, session
from neuronspan_runtime.telemetry import page_memory

NOT_INITIALIZED = "The PyTorch Neuron Runtime could not be initialized. Neuron Driver issues are logged"


def use(core: int = 0) -> torch.Tensor:
    return torch.ones(2, device=f"neuron:{core}")


def owned() -> str:
    use()
    return str(neuronspan_runtime.owned_cores())


@pytest.mark.parametrize(
    ("variables", "text", "line"),
    [
        pytest.param({"NEURON_RT_VISIBLE_CORES": "3,5"}, NOT_INITIALIZED,
                     "Neuron cores are not contiguous", id="not contiguous"),
        pytest.param({"NEURON_RT_NUM_CORES": "9"}, NOT_INITIALIZED,
                     "NeuronCore(s) not available - Requested:9 Available:8", id="more than there are"),
        pytest.param({"NEURON_RT_VISIBLE_CORES": "6-8"}, "outside 0-7, the grant of this container",
                     "outside 0-7, the grant of this container", id="outside the grant"),
        pytest.param({"NEURONSPAN_GRANT": "4-"}, "NEURONSPAN_GRANT='4-' is not a span", "",
                     id="bad setting"),
        pytest.param({"NEURONSPAN_INSTANCE_TYPE": "p4d.24xlarge"}, "instance type 'p4d.24xlarge'", "",
                     id="unknown machine"),
    ],
)  # fmt: skip
def test_first_use_raises_and_logs_why_the_cores_cannot_be_had(
    variables: dict[str, str],
    text: str,
    line: str,
    processes: neuron_processes.Parent,
    machine: dict[str, str],
) -> None:
    with pytest.raises(neuron_processes.ScenarioFailed) as caught:
        processes.run(machine | variables, owned)
    assert caught.value.kind == "RuntimeError"
    assert text in caught.value.text
    assert line in caught.value.log


def failed_then_started() -> tuple[str, str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NEURON_RT_VISIBLE_CORES", "1,3")
        with pytest.raises(RuntimeError, match="could not be initialized"):
            use()
        patch.setenv("NEURON_RT_VISIBLE_CORES", "2-3")
        first = owned()
        patch.setenv("NEURON_RT_VISIBLE_CORES", "5")
        return first, owned()


def test_failed_start_is_tried_again_and_a_started_runtime_reads_no_more_variables(
    processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    assert processes.run(machine, failed_then_started) == ("2-3", "2-3")


def interrupted_start(last_step: bool) -> tuple[bool, bool, list[int], str]:
    """Start with a device that is interrupted while or after it is configured; then start again, undisturbed.

    Returns whether anything of the first start was left: the device, ownership, and pages for the tools.
    """
    configure = operators.configure

    def interrupted(layout: hbm.Layout, group_sizes: tuple[int, ...], **logs: bool) -> None:
        if last_step:
            configure(layout, group_sizes, **logs)
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(operators, "configure", interrupted)
        with pytest.raises(KeyboardInterrupt):
            session.start()
    configured = device_module.is_initialized()
    machine = hardware.find(environment.read())
    pages = list(page_memory.read(machine, os.getpid(), range(8)))
    child = in_child(owned)  # only an owner's child could not own them
    return configured, child == "0-7", pages, owned()


@pytest.mark.parametrize("last_step", [False, True])
def test_interrupted_start_leaves_nothing_and_is_tried_again(
    last_step: bool, processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    assert processes.run(machine, interrupted_start, last_step) == (False, True, [], "0-7")


def closed_and_started_again() -> tuple[str, str, str, int]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NEURON_RT_VISIBLE_CORES", "2-3")
        tensor = use(1)
        with pytest.raises(RuntimeError) as caught:
            neuronspan_runtime.close()
        still = str(neuronspan_runtime.owned_cores())
        del tensor
        neuronspan_runtime.close()
        neuronspan_runtime.close()
        patch.setenv("NEURON_RT_VISIBLE_CORES", "4-7")
        return str(caught.value), still, owned(), device_module.device_count()


def test_close_gives_the_cores_back_unless_something_lives_on_them(
    processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    text, still, again, count = processes.run(machine, closed_and_started_again)
    assert "1 tensor storages and 0 loaded models are alive" in text
    assert (still, again, count) == ("2-3", "4-7", 4)


def closed() -> str:
    use()
    neuronspan_runtime.close()
    return str(device_module.is_initialized())


def test_closed_process_leaves_its_cores_to_others(processes: neuron_processes.Parent, machine: dict[str, str]) -> None:
    with processes.start(machine, closed) as first:
        assert first.outcome().value == "False"
        assert processes.run(machine, owned) == "0-7"


def test_killed_process_leaves_its_cores_to_others(processes: neuron_processes.Parent, machine: dict[str, str]) -> None:
    with processes.start(machine, owned) as first:
        assert first.outcome().value == "0-7"
        first.kill()
        assert processes.run(machine, owned) == "0-7"


def in_child(work: Callable[[], str]) -> str:
    """Do something in a forked child and return what it returned or raised."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            said = work()
        except RuntimeError as error:
            said = f"{type(error).__name__}: {error}"
        os.write(writer, said.encode())
        os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    return os.read(reader, 1 << 16).decode()


def deleted_models_and_a_second_owner(directory: pathlib.Path) -> tuple[str, bool]:
    """Drop everything that lives on the cores; return what is owned then, and whether the device is still started."""
    model, tensor = neuron_models.load(directory, 1), use()
    del model, tensor
    return owned(), device_module.is_initialized()


def test_deleting_models_and_tensors_never_gives_a_core_back(
    processes: neuron_processes.Parent, model_files: pathlib.Path, machine: dict[str, str]
) -> None:
    with processes.start(machine, deleted_models_and_a_second_owner, model_files) as first:
        assert first.outcome().value == ("0-7", True)
        with pytest.raises(neuron_processes.ScenarioFailed, match="could not be initialized"):
            processes.run(machine, owned)


def used_in_a_forked_child(directory: pathlib.Path) -> list[str]:
    model, tensor = neuron_models.load(directory, 1), use()

    def run() -> str:
        return str(model(neuron_models.example()))

    def make() -> str:
        return str(use())

    def compute() -> str:
        return str((tensor + 1).cpu())

    def ask() -> str:
        return str(neuronspan_runtime.owned_cores())

    said = [in_child(work) for work in (run, make, compute, ask)]
    neuron_models.check(model, 1)
    return [*said, str(neuronspan_runtime.owned_cores())]


def test_forked_child_of_a_started_process_is_refused(
    processes: neuron_processes.Parent, model_files: pathlib.Path, machine: dict[str, str]
) -> None:
    *said, parent = processes.run(machine, used_in_a_forked_child, model_files)
    assert ["'spawn'" in text for text in said] == [True] * 4
    assert said[-1].startswith("ForkedProcess: The Neuron runtime was started by process ")
    assert parent == "0-7"


def forked_before_first_use() -> tuple[str, str]:
    return in_child(owned), owned()


def test_process_that_never_used_the_runtime_may_fork(
    processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    assert processes.run(machine | {"NEURON_RT_NUM_CORES": "2"}, forked_before_first_use) == ("0-1", "0-1")


def with_a_lingering_child() -> tuple[str, int]:
    """Own cores and leave a forked child that outlives this process; return both."""
    span, child = owned(), os.fork()
    if child == 0:
        signal.pause()
    return span, child


def test_lingering_child_does_not_keep_the_cores_of_its_dead_parent(
    processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    with processes.start(machine, with_a_lingering_child) as first:
        span, child = first.outcome().value
        first.kill()
    try:
        assert (span, processes.run(machine, owned)) == ("0-7", "0-7")
    finally:
        os.kill(child, signal.SIGKILL)


def used_by_many_threads() -> tuple[set[str], int]:
    ready, spans = threading.Barrier(4), []

    def work() -> None:
        ready.wait()
        spans.append(owned())

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return set(spans), len(spans)


def test_first_use_by_many_threads_claims_once(processes: neuron_processes.Parent, machine: dict[str, str]) -> None:
    assert processes.run(machine, used_by_many_threads) == ({"0-7"}, 4)


def out_of_memory() -> str:
    _, total = device_module.mem_get_info(1)
    try:
        torch.empty(total + 1, dtype=torch.uint8, device="neuron:1")
    except RuntimeError as error:
        return str(error)
    raise AssertionError("a tensor larger than the core's HBM was made")


def test_errors_name_a_core_by_its_number_on_the_node(
    processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    assert "(NeuronCore 6)" in processes.run(machine | {"NEURON_RT_VISIBLE_CORES": "5-7"}, out_of_memory)


def placed(directory: pathlib.Path) -> tuple[list[list[str]], str, str]:
    return neuron_models.spans_of(neuron_models.load(directory, 1)), owned(), session.start().hardware.instance_type


@pytest.mark.parametrize(
    ("variables", "span", "cores"),
    [
        pytest.param({}, "4", "4-7", id="the whole grant"),
        pytest.param({"NEURON_RT_VISIBLE_CORES": "6-7"}, "6", "6-7", id="node numbering"),
        pytest.param({"NEURON_RT_VISIBLE_CORES": "2-3", "NEURONSPAN_CORE_NUMBERING": "container"}, "6", "6-7",
                     id="container numbering"),
        pytest.param({"NEURON_RT_VISIBLE_CORES": "", "NEURON_RT_NUM_CORES": "4"}, "4", "4-7", id="count mode"),
    ],
)  # fmt: skip
def test_process_in_a_pod_owns_what_was_granted(
    variables: dict[str, str],
    span: str,
    cores: str,
    processes: neuron_processes.Parent,
    model_files: pathlib.Path,
    tmp_path: pathlib.Path,
) -> None:
    (tmp_path / "cores").mkdir()
    for core in range(4, 8):
        (tmp_path / "cores" / f"{core}.lock").touch(mode=0o444)
    hardware = instance_types.hardware_of("inf1.6xlarge")
    (tmp_path / "hardware.json").write_text(json.dumps(hardware.to_dict()))
    pod = {"NEURONSPAN_STATE_DIR": str(tmp_path), "NEURONSPAN_GRANT": "4-7"}
    assert processes.run(pod | variables, placed, model_files) == ([[span]], cores, "inf1.6xlarge")


def test_forked_process_error_names_the_parent_and_the_way_out() -> None:
    error = errors.ForkedProcess(7)
    assert "process 7" in str(error)
    assert "'spawn'" in str(error)


@pytest.mark.parametrize(("level", "warned"), [("ERROR", False), ("WARN", True)])
def test_log_warns_of_an_overruled_variable_when_warnings_are_asked_for(
    level: str, warned: bool, processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    variables = {"NEURON_RT_VISIBLE_CORES": "2-3", "NEURON_RT_NUM_CORES": "4", "NEURON_RT_LOG_LEVEL": level}
    with processes.start(machine | variables, owned) as process:
        outcome = process.outcome()
    assert (outcome.value, "WARN    NRT:nrt_init" in outcome.log) == ("2-3", warned)


def test_pod_without_a_device_says_so(processes: neuron_processes.Parent, tmp_path: pathlib.Path) -> None:
    (tmp_path / "cores").mkdir()
    (tmp_path / "hardware.json").write_text(json.dumps(instance_types.hardware_of("inf1.6xlarge").to_dict()))
    with pytest.raises(neuron_processes.ScenarioFailed, match=NOT_INITIALIZED) as caught:
        processes.run({"NEURONSPAN_STATE_DIR": str(tmp_path), "NEURONSPAN_GRANT": "4-7"}, owned)
    assert "TDRV:tdrv_get_dev_info  No neuron device available" in caught.value.log


def counted() -> tuple[str, int]:
    return owned(), device_module.device_count()


@pytest.mark.parametrize(("config", "cores"), [("2", "0-63"), ("", "0-63")])
def test_cores_of_trn2_are_logical_ones(
    config: str, cores: str, processes: neuron_processes.Parent, tmp_path: pathlib.Path
) -> None:
    variables = {
        "NEURONSPAN_STATE_DIR": str(tmp_path),
        "NEURONSPAN_INSTANCE_TYPE": "trn2.48xlarge",
        "NEURON_LOGICAL_NC_CONFIG": config,
    }
    assert processes.run(variables, counted) == (cores, 64)


def test_more_cores_than_torch_can_count_are_refused(
    processes: neuron_processes.Parent, tmp_path: pathlib.Path
) -> None:
    """torch numbers devices in a signed byte; the real package does not start with 128 visible cores either."""
    variables = {
        "NEURONSPAN_STATE_DIR": str(tmp_path),
        "NEURONSPAN_INSTANCE_TYPE": "trn2.48xlarge",
        "NEURON_RT_VIRTUAL_CORE_SIZE": "1",
    }
    with pytest.raises(neuron_processes.ScenarioFailed, match="a process can own 1 to 127"):
        processes.run(variables, counted)
    assert processes.run(variables | {"NEURON_RT_VISIBLE_CORES": "100-107"}, counted) == ("100-107", 8)
