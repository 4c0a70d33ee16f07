"""`torch.neuron` and `torch.accelerator`: the functions that programs for any device call."""

import os
from collections.abc import Callable
from typing import Any

import pytest
import torch

from kits.device import neuron_processes
from neuronspan_runtime.device import device_module

neuron: Any = device_module
GIB = 1 << 30


def devices_are_counted_and_chosen() -> None:
    assert torch.neuron is device_module  # type: ignore[attr-defined]
    assert not neuron.is_initialized()
    assert (neuron.device_count(), neuron.is_available(), neuron.is_initialized()) == (8, True, True)
    assert neuron.current_device() == 0
    for chosen in (3, "neuron:3", torch.device("neuron", 3)):
        neuron.set_device(0)
        neuron.set_device(chosen)
        assert torch.empty(1, device="neuron").device.index == 3
    with neuron.device(5):
        assert neuron.current_device() == 5
        with neuron.device("neuron:1"):
            assert torch.empty(1, device="neuron").device.index == 1
        assert neuron.current_device() == 5
    assert neuron.current_device() == 3
    for index in (-1, 8):
        with pytest.raises(ValueError, match=f"Invalid device id: {index}. Valid range is 0 to 7"):
            neuron.set_device(index)
    with pytest.raises(ValueError, match="expected a neuron device, got cpu"):
        neuron.set_device("cpu")
    neuron.synchronize()
    neuron.init()


def devices_are_described() -> None:
    assert neuron.is_bf16_supported()
    assert neuron.get_platform_target() == "inf1"
    assert not neuron.is_initialized()
    assert neuron.get_device_properties(2) == device_module.DeviceProperties("inf1", 2 * GIB)
    assert neuron.get_device_name() == "inf1"


def another_platform_is_compiled_for() -> None:
    assert neuron.get_platform_target() == "trn2"


def memory_is_reported() -> None:
    tensor = torch.ones(1000, device="neuron:1")
    assert (neuron.memory_allocated(1), neuron.memory_allocated("neuron:0"), neuron.memory_reserved(1)) == (4096, 0, 0)
    assert neuron.mem_get_info(1) == (2 * GIB - 4096, 2 * GIB)
    with neuron.device(1):
        assert neuron.memory_allocated() == 4096
    del tensor
    assert (neuron.memory_allocated(1), neuron.max_memory_allocated(1)) == (0, 4096)
    stats = neuron.memory_stats(1)
    assert (stats["allocation_requests"], stats["num_tensor_frees"], stats["limit_bytes"]) == (1, 1, 2 * GIB)
    neuron.reset_peak_memory_stats(1)
    neuron.reset_accumulated_memory_stats(1)
    neuron.reset_max_memory_allocated(1)
    neuron.reset_max_memory_reserved(1)
    assert (neuron.max_memory_allocated(1), neuron.max_memory_reserved(1)) == (0, 0)
    assert neuron.memory_stats(1)["allocation_requests"] == 0
    assert neuron.memory_summary(1).splitlines()[0] == "neuron:1"
    assert "limit                2,048.0 MiB" in neuron.memory_summary(1)
    neuron.empty_cache()


def seeds_are_the_cpus() -> None:
    neuron.manual_seed_all(7)
    assert neuron.initial_seed() == torch.initial_seed() == 7
    state = neuron.get_rng_state()
    first = torch.rand(3, device="neuron")
    neuron.set_rng_state(state, "neuron:0")
    assert torch.equal(first.cpu(), torch.rand(3))
    neuron.manual_seed(7)
    assert torch.equal(first.cpu(), torch.rand(3))
    states = neuron.get_rng_state_all()
    assert [type(states), len(states), states[0].device.type] == [list, 8, "cpu"]
    second = torch.rand(3, device="neuron:5")
    neuron.set_rng_state_all(states)
    assert torch.equal(second.cpu(), torch.rand(3, device="neuron").cpu())
    neuron.random.set_rng_state_all(states)  # as transformers' Trainer calls it
    assert torch.equal(second.cpu(), torch.rand(3))
    assert neuron.seed() == torch.initial_seed() != neuron.seed_all()
    with torch.random.fork_rng(devices=[0], device_type="neuron"):
        torch.rand(1, device="neuron")
    assert neuron.get_amp_supported_dtype() == [torch.bfloat16, torch.float16]


def accelerator_functions_work() -> None:
    accelerator: Any = torch.accelerator
    assert accelerator.is_available()
    assert accelerator.current_accelerator().type == "neuron"
    assert accelerator.device_count() == 8
    accelerator.set_device_index(2)
    assert accelerator.current_device_index() == 2
    accelerator.synchronize()
    assert accelerator.current_stream().device.index == 2
    if hasattr(accelerator, "memory_allocated"):  # torch 2.9 and newer
        tensor = torch.ones(1000, device="neuron")
        assert accelerator.memory_allocated(2) == neuron.memory_allocated(2) == tensor.nbytes + 96
        assert accelerator.max_memory_allocated(2) == 4096
        accelerator.reset_peak_memory_stats(2)
        accelerator.empty_cache()
    if hasattr(accelerator, "get_memory_info"):  # torch 2.10 and newer
        assert accelerator.get_memory_info(3) == (2 * GIB, 2 * GIB)


def an_accelerators_index_is_current_for_a_scope() -> None:
    accelerator: Any = torch.accelerator
    if not hasattr(accelerator, "device_index"):  # before torch 2.8
        return
    neuron.set_device(2)
    with accelerator.device_index(4):
        assert neuron.current_device() == 4
        with accelerator.device_index(None):
            assert torch.ones(1, device="neuron").device.index == 4
    assert neuron.current_device() == 2


def asking_whether_there_are_devices_claims_none() -> None:
    assert neuron.is_available()
    if not torch.__version__.startswith("2.6."):  # there it counts the devices
        assert torch.accelerator.is_available()
    assert not neuron.is_initialized()
    assert torch.ones(1, device="neuron").item() == 1
    assert neuron.is_available()
    if (child := os.fork()) == 0:
        os._exit(int(neuron.is_available()))
    assert os.waitpid(child, 0)[1] == 0  # not there: the cores are the parent's


def generators_belong_to_a_device() -> None:
    generator = torch.Generator("neuron:2")
    assert (generator.device, generator.manual_seed(5).initial_seed()) == (torch.device("neuron:2"), 5)
    first = torch.rand(4, device="neuron:2", generator=generator)
    again = torch.rand(4, device="neuron:2", generator=generator.clone_state())
    assert not torch.equal(first, again)
    assert torch.equal(again, torch.rand(4, device="neuron:2", generator=generator))
    assert torch.Generator("neuron").seed() != torch.Generator("neuron").seed()
    assert torch.randperm(4, device="neuron", generator=torch.Generator("neuron")).sort()[0].tolist() == [0, 1, 2, 3]
    for fill in ("uniform_", "normal_", "random_", "bernoulli_", "exponential_"):
        drawn, host = torch.empty(9, device="neuron"), torch.empty(9)
        getattr(drawn, fill)(generator=generator.manual_seed(1))
        getattr(host, fill)(generator=torch.Generator().manual_seed(1))
        assert torch.equal(drawn.cpu(), host)
    with pytest.raises(RuntimeError, match="Expected a 'neuron' device type for generator but found 'cpu'"):
        torch.rand(4, device="neuron", generator=torch.Generator())
    with pytest.raises(RuntimeError, match="Expected a 'cpu' device type for generator but found 'neuron'"):
        torch.rand(4, generator=generator)


def too_many_cores_are_wished() -> None:
    assert not neuron.is_available()
    if not torch.__version__.startswith("2.6."):  # there it lets through what counting the devices raises
        assert not torch.accelerator.is_available()
    with pytest.raises(RuntimeError, match="PyTorch Neuron Runtime could not be initialized"):
        neuron.device_count()


@pytest.mark.parametrize(
    ("scenario", "settings"),
    [
        (devices_are_counted_and_chosen, {}),
        (devices_are_described, {}),
        (another_platform_is_compiled_for, {"NEURON_PLATFORM_TARGET_OVERRIDE": "trn2"}),
        (memory_is_reported, {}),
        (seeds_are_the_cpus, {}),
        (accelerator_functions_work, {}),
        (an_accelerators_index_is_current_for_a_scope, {}),
        (asking_whether_there_are_devices_claims_none, {}),
        (generators_belong_to_a_device, {}),
        (too_many_cores_are_wished, {"NEURON_RT_NUM_CORES": "9"}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_device_module(
    scenario: Callable[[], None],
    settings: dict[str, str],
    processes: neuron_processes.Parent,
    machine: dict[str, str],
) -> None:
    processes.run(machine | settings, scenario)
