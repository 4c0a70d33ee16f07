"""What a piece of Python does, counted: bytecode steps and memory. No other process can change that.

Steps show every walk that Python itself makes, memory every copy that is made in C: a walk over all nodes shows in one
of them, however busy the machine is.
"""

import dataclasses
import gc
import sys
import tracemalloc
import types
from collections.abc import Callable
from typing import Any


@dataclasses.dataclass(frozen=True)
class Counted:
    """What one call took."""

    steps: int
    """Bytecode instructions."""
    peak_bytes: int
    """The most memory that it had at one time beyond what there was before."""


def count(first: Callable[[], object], *others: Callable[[], object]) -> Counted:
    """Count the steps of one call, and the memory of others like it: both at once would count each other.

    Of several others the least counts: a table that grows is copied at one of many calls.
    """
    return Counted(_steps(first), min(map(_peak, others)))


def _steps(work: Callable[[], object]) -> int:
    steps = 0

    def trace(frame: types.FrameType, event: str, _argument: Any) -> Any:
        nonlocal steps
        if event == "call":
            frame.f_trace_opcodes = True
            frame.f_trace_lines = False
        elif event == "opcode":
            steps += 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return steps


def _peak(work: Callable[[], object]) -> int:
    gc.disable()  # what it frees meanwhile was not this work's
    tracemalloc.start()
    try:
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        work()
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
        gc.enable()
