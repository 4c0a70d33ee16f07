"""`torch.neuron.Stream`, `Event` and the functions around them, as programs for `torch.cuda` use them."""

import time
import types
from collections.abc import Callable
from typing import Any

import pytest
import torch

from kits.device import neuron_processes
from neuronspan_runtime.device import device_module

neuron: Any = device_module


def a_core_has_one_stream() -> None:
    mine = neuron.Stream()
    assert isinstance(mine, torch.Stream)
    assert (mine.device, mine.query()) == (torch.device("neuron:0"), True)
    assert mine == neuron.current_stream() == neuron.default_stream("neuron:0") == neuron.Stream(0, priority=-1)
    assert mine == neuron.Stream(stream_id=mine.stream_id, device_index=0, device_type=mine.device_type)
    assert neuron.current_stream(2).device == torch.device("neuron:2")
    assert neuron.Stream(2) != mine
    mine.wait_stream(neuron.Stream(1))
    mine.wait_event(mine.record_event())
    mine.synchronize()
    assert neuron.is_current_stream_capturing() is False


def a_stream_makes_its_device_the_current_one() -> None:
    with neuron.stream(neuron.Stream(3)):
        assert neuron.current_device() == neuron.current_stream().device.index == 3
        with neuron.stream(None):
            assert neuron.current_device() == 3
        with neuron.StreamContext(neuron.Stream(1)):
            assert torch.ones(1, device="neuron").device.index == 1
        assert neuron.current_device() == 3
    assert neuron.current_device() == 0

    @neuron.stream(neuron.Stream(2))  # type: ignore[untyped-decorator]
    def decorated() -> int:
        return int(neuron.current_device())

    assert decorated() == 2
    neuron.set_stream(neuron.Stream(4))
    assert neuron.current_device() == 4
    with pytest.raises(ValueError, match="expected a neuron device, got cpu"):
        neuron.set_stream(types.SimpleNamespace(device=torch.device("cpu")))


def events_measure_real_time() -> None:
    begin, end = neuron.Event(enable_timing=True), neuron.Event(enable_timing=True)
    assert isinstance(begin, torch.Event)
    begin.record()
    began = time.monotonic()
    while time.monotonic() < began + 0.02:
        torch.ones(8, device="neuron").sum()
    end.record(neuron.current_stream())
    end.synchronize()
    end.wait()
    assert end.query()
    assert begin.elapsed_time(end) >= 20
    with pytest.raises(ValueError, match="interprocess=True: NeuronCores belong to one process"):
        neuron.Event(interprocess=True)


def an_event_may_be_recorded_again() -> None:
    early, late = neuron.Event(enable_timing=True), neuron.Event(enable_timing=True)
    late.record()
    early.record()
    torch.ones(64, device="neuron").sum()
    late.record()
    assert early.elapsed_time(late) > 0


@pytest.mark.parametrize(
    "scenario",
    [
        a_core_has_one_stream,
        a_stream_makes_its_device_the_current_one,
        events_measure_real_time,
        an_event_may_be_recorded_again,
    ],
)
def test_streams(scenario: Callable[[], None], processes: neuron_processes.Parent, machine: dict[str, str]) -> None:
    processes.run(machine, scenario)
