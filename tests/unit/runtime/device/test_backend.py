"""Registering the device: once, whatever imports it, and claiming nothing before the first use."""

import importlib
import sys
import threading
from typing import Any

import pytest
import torch

from kits.device import neuron_processes
from neuronspan_runtime import environment
from neuronspan_runtime.device import backend, device_module

ops: Any = torch.ops.neuron


def register_again() -> tuple[bool, bool]:
    before = torch.ones(1, device="neuron")
    backend.register()
    importlib.reload(backend).register()
    del sys.modules["neuronspan_runtime.device.backend"]
    importlib.import_module("neuronspan_runtime.device.backend").register()
    return bool((before + 1).item() == 2), sys.modules["torch.neuron"] is device_module


def test_backend_is_registered_once(processes: neuron_processes.Parent, machine: dict[str, str]) -> None:
    assert processes.run(machine, register_again) == (True, True)


def look_around() -> bool:
    torch.manual_seed(0)
    torch.device("neuron:3")
    torch.neuron.current_device()  # type: ignore[attr-defined]
    loss: Any = (torch.ones(2, requires_grad=True) * 2).sum()
    loss.backward()
    return bool(ops.is_initialized())


def test_backend_claims_nothing_before_the_first_use(
    processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    assert processes.run(machine, look_around) is False


def start_with_failures() -> list[str]:
    """Two starts fail, the third succeeds; return what each use of the device says."""
    attempts = []

    def start() -> None:
        attempts.append(1)
        if len(attempts) < 3:
            raise RuntimeError(f"no cores today, attempt {len(attempts)}\nsecond line")
        ops.configure(2, 1 << 30, 6)

    backend.set_initializer(start)
    said = []
    for use in (
        lambda: torch.ones(1, device="neuron"),
        device_module.device_count,
        lambda: torch.ones(1, device="neuron:1"),
    ):
        try:
            said.append(str(use()))
        except RuntimeError as error:
            said.append(str(error))
    try:
        torch.ones(1 << 29, device="neuron:1")
    except RuntimeError as error:
        said.append(str(error))
    return said


def test_backend_tells_why_the_start_failed_and_tries_again(
    processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    first, second, third, full = processes.run(machine, start_with_failures)
    assert first == "no cores today, attempt 1\nsecond line"
    assert second == "no cores today, attempt 2\nsecond line"
    assert third == "tensor([1.], device='neuron:1')"
    assert "on neuron:1 (NeuronCore 7): 1.00 GiB in total" in full


def use_without_cores() -> tuple[bool, str]:
    def start() -> None:
        raise SystemExit("not even an Exception")

    backend.set_initializer(start)
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1, device="neuron")
    return device_module.is_initialized(), str(caught.value)


def test_backend_is_not_initialized_when_the_start_fails(
    processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    assert processes.run(machine, use_without_cores) == (False, "not even an Exception")


def start_where_the_text_is_none() -> str:
    def start() -> None:
        raise RuntimeError("no directory /state\udcff")  # how Python shows a byte of a path that is no text

    backend.set_initializer(start)
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1, device="neuron")
    return str(caught.value)


def test_backend_tells_of_bytes_that_are_no_text(processes: neuron_processes.Parent, machine: dict[str, str]) -> None:
    assert processes.run(machine, start_where_the_text_is_none) == r"no directory /state\udcff"


def misuse_the_initializer() -> list[str]:
    said = []
    for start in (lambda: None, lambda: torch.ones(1, device="neuron")):
        backend.set_initializer(start)
        try:
            torch.empty(1, device="neuron")
        except RuntimeError as error:
            said.append(str(error))
    for arguments in ((0, 1 << 30, 0), (128, 1 << 30, 0), (1, 100, 0), (1, 16 << 20, 0, 16 << 20)):
        try:
            ops.configure(*arguments)
        except RuntimeError as error:
            said.append(str(error))
    ops.configure(1, 1 << 30, 0)
    try:
        ops.configure(1, 1 << 30, 0)
    except RuntimeError as error:
        said.append(str(error))
    return said


def test_backend_refuses_what_an_initializer_must_not_do(
    processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    said = processes.run(machine, misuse_the_initializer)
    expected = (
        "returned without configuring any NeuronCore",
        "while it was being initialised by the same thread",
        "can own 1 to 127 NeuronCores",
        "can own 1 to 127 NeuronCores",
        "more than the carve-out of 0 bytes, got 100",
        "more than the carve-out of 16777216 bytes",
        "already initialised with 1 NeuronCores",
    )
    assert len(said) == len(expected)
    for text, part in zip(said, expected, strict=True):
        assert part in text


def race_to_start() -> tuple[int, list[float]]:
    starts, barrier, lock = [], threading.Barrier(4), threading.Lock()

    def start() -> None:
        with lock:
            if not ops.is_initialized():
                starts.append(1)
                ops.configure(2, 1 << 30, 0)

    backend.set_initializer(start)
    sums: list[float] = []

    def work() -> None:
        barrier.wait()
        sums.append(torch.ones(3, device="neuron").sum().item())

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(starts), sums


def test_backend_starts_once_when_threads_race(processes: neuron_processes.Parent, machine: dict[str, str]) -> None:
    assert processes.run(machine, race_to_start) == (1, [3.0] * 4)


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        pytest.param({"NEURONSPAN_GRANT": "4-7", "NEURONSPAN_INSTANCE_TYPE": "inf1.6xlarge"}, 4, id="grant"),
        pytest.param({"NEURONSPAN_INSTANCE_TYPE": "inf1.6xlarge"}, 16, id="machine"),
        pytest.param(
            {"NEURONSPAN_INSTANCE_TYPE": "inf1.6xlarge", "NEURON_RT_NUM_CORES": "1"}, 16, id="may-be-changed-later"
        ),
        pytest.param(
            {"NEURONSPAN_INSTANCE_TYPE": "trn2.48xlarge", "NEURONSPAN_LOGICAL_CORE_SIZE": "1"}, 127, id="most"
        ),
        pytest.param({"NEURONSPAN_INSTANCE_TYPE": "abacus"}, 0, id="unknown"),
    ],
)
def test_backend_expects_at_most_the_cores_it_may_see(
    variables: dict[str, str], expected: int, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    variables = {"NEURONSPAN_STATE_DIR": str(tmp_path), **variables}
    read = environment.read
    monkeypatch.setattr(environment, "read", lambda: read(variables))
    assert backend._expected_cores() == expected
