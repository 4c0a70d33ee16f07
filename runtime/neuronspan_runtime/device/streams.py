"""Streams and events of the device, in the forms that programs for `torch.cuda` know.

Every operation ends before it returns, so a core has one stream, always idle, and waiting for it waits for nothing. The
times between events are real: an event holds the moment at which it was recorded.

Law: only names torch's own streams and events; what they do is in the C++ library's device guard.
"""

import contextlib
from types import TracebackType
from typing import Any, Self

import torch

from neuronspan_runtime.device import device_index

_ops = torch.ops.neuron


class Stream(torch.Stream):
    """The stream of a core: whatever is made of it, a core has only one."""

    def __new__(cls, device: device_index.DeviceLike = None, priority: int = 0, **kept: Any) -> Self:
        """Return the stream of a device, or the one that `kept` numbers describe, as torch.Stream takes them."""
        if kept:
            return super().__new__(cls, priority=priority, **kept)
        return super().__new__(cls, torch.device("neuron", device_index.index_of(device)), priority=priority)


class _EventType(type(torch.Event)):  # type: ignore[misc]
    """Lets `isinstance(event, torch.neuron.Event)` mean an event of a core."""

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, torch.Event) and instance.device.type == "neuron"


class Event(torch.Event, metaclass=_EventType):
    """A moment on a core, known once it is recorded; `elapsed_time` gives real milliseconds between two.

    What is made is torch's own event: its methods take no others.
    """

    def __new__(cls, enable_timing: bool = False, blocking: bool = False, interprocess: bool = False) -> torch.Event:  # type: ignore[misc]
        """Make one for the current device. Raises ValueError for one that other processes could wait for."""
        if interprocess:
            raise ValueError("interprocess=True: NeuronCores belong to one process, and so do their events")
        device = torch.device("neuron", device_index.current_device())
        return torch.Event(device, enable_timing=enable_timing, blocking=blocking)


class StreamContext(contextlib.ContextDecorator):
    """Make a stream, and so its device, the current one of this thread for a while; None changes nothing."""

    def __init__(self, stream: torch.Stream | None) -> None:
        self._stream = stream
        self._previous = -1

    def __enter__(self) -> None:
        self._previous = device_index.current_device()
        if self._stream is not None:
            set_stream(self._stream)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._stream is not None:
            _ops.set_device(self._previous)


def stream(stream: torch.Stream | None) -> StreamContext:
    """Return the context in which a stream is the current one."""
    return StreamContext(stream)


def current_stream(device: device_index.DeviceLike = None) -> Stream:
    """Return the stream of a device."""
    return Stream(device)


def default_stream(device: device_index.DeviceLike = None) -> Stream:
    """Return the stream of a device: it has no other."""
    return Stream(device)


def set_stream(stream: torch.Stream) -> None:
    """Make the stream's device the current one. Raises ValueError for a stream of something else."""
    _ops.set_device(device_index.index_of(stream.device))


def is_current_stream_capturing() -> bool:
    """Return False: there is nothing that records what a stream does."""
    return False
