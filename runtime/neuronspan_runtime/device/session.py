"""The state of this process: its NeuronCores are claimed once, at first use, and the torch device is made for them.

A failed start leaves nothing behind and is tried again at the next use. A child forked after the start owns nothing.

Law: the only module that claims cores; all of a start happens, or nothing of it stays.
"""

import contextlib
import dataclasses
import os
import threading

from neuronspan import instance_types, spans
from neuronspan_runtime import environment, errors
from neuronspan_runtime.cores import hardware, hbm, ownership, rates, selection
from neuronspan_runtime.device import nrt_log, operators
from neuronspan_runtime.telemetry import page_memory


@dataclasses.dataclass(frozen=True)
class Started:
    """What the process has, from start to close."""

    span: spans.CoreSpan
    """Its cores, node numbering."""
    hardware: instance_types.Hardware
    """The machine they belong to."""
    time_scale: float | None
    """How many times what a NeuronCore needs things last; None = what the CPU needs."""
    pages: int | None
    """Descriptor of the memory in which the tools see what each core does; without it all works as well."""


class _Process:
    """One per process; the lock is held over every change, and over a fork, so that a child never sees half of one."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.claim: ownership.Claim | None = None
        self.started: Started | None = None
        self.forked_from: int | None = None


_process = _Process()


def start() -> Started:
    """Claim the cores and configure the device, or return what an earlier call did.

    Raises StartRefused, InvalidSettings or HardwareUnknown when that fails, ForkedProcess in a child of a started
    process.
    """
    with _process.lock:
        if _process.forked_from is not None:
            raise errors.ForkedProcess(_process.forked_from)
        if _process.started is None:
            _process.claim, _process.started = _start()
        return _process.started


def could_start() -> bool:
    """Return whether the process has cores or could be given some; none is claimed, and start finds out which are free.

    torch asks this before it forks workers for a DataLoader, so it must leave the process as it was.
    """
    if is_started():
        return _process.started is not None
    try:
        settings = environment.read()
        machine = hardware.find(settings)
        return ownership.within_reach(machine, selection.wish(settings, machine.hardware, machine.scope))
    except errors.NeuronRuntimeError:
        return False


def is_started() -> bool:
    """Return whether this process has cores, or is a child that must not touch those of its parent."""
    with _process.lock:
        return _process.started is not None or _process.forked_from is not None


def family() -> str:
    """Return the family of the machine, such as `trn1`; nothing is claimed. Raises HardwareUnknown."""
    return hardware.find(environment.read()).hardware.instance_type.partition(".")[0]


def close() -> None:
    """Give the cores back; the next use reads the environment again and may get others.

    Without a start nothing happens. Raises RuntimeError, and keeps everything, while tensors or models are on the
    device.
    """
    with _process.lock:
        if _process.claim is None or _process.started is None:
            return
        operators.shutdown()
        page_memory.withdraw(_process.started.pages)
        _process.claim.release()
        _process.claim = _process.started = None


def _start() -> tuple[ownership.Claim, Started]:
    """Claim and configure; whatever goes wrong, also a Ctrl-C, everything until then is undone."""
    settings = environment.read()
    nrt_log.warning(*selection.advice(settings), level=settings.log_level)
    with contextlib.ExitStack() as undo:
        machine, asked, claim = _claimed(settings)
        undo.callback(claim.release)
        pages = _counted(machine, claim.span, settings.process_tag)
        undo.callback(page_memory.withdraw, pages)
        undo.callback(operators.close_telemetry)
        memory = hbm.with_ledgers(hbm.layout_of(machine.hardware, claim.span), machine)
        undo.callback(operators.shutdown)
        log_errors = settings.log_level != "QUIET"
        operators.configure(
            memory, asked.group_sizes, log_errors=log_errors, log_exhaustion=log_errors and settings.oom_log
        )
        operators.set_pace(_pace(settings.time_scale))
        undo.pop_all()
    return claim, Started(claim.span, machine.hardware, settings.time_scale, pages)


def _pace(scale: float | None) -> tuple[float, float] | None:
    """Return the nanoseconds of a copied byte to a core and back."""
    if scale is None:
        return None
    to_device, to_host = rates.copy_nanoseconds_per_byte()
    return scale * to_device, scale * to_host


def _counted(machine: hardware.Machine, span: spans.CoreSpan, tag: str) -> int | None:
    """Let the cores count where the tools see it; return the memory, None when they count in private."""
    pages = page_memory.publish(machine, span, tag)
    if pages is None:
        return None
    with contextlib.ExitStack() as undo:
        undo.callback(page_memory.withdraw, pages)
        if operators.open_telemetry(pages, span.count):
            undo.pop_all()
            return pages
    return None


def _claimed(settings: environment.Environment) -> tuple[hardware.Machine, selection.Wish, ownership.Claim]:
    try:
        machine = hardware.find(settings)
        asked = selection.wish(settings, machine.hardware, machine.scope)
        return machine, asked, ownership.claim(machine, asked)
    except errors.StartRefused as refused:
        nrt_log.error(*refused.lines, level=settings.log_level)
        raise


def _forget_parent() -> None:
    """Run in a forked child: drop the inherited locks, which would otherwise outlive the parent."""
    if _process.claim is not None and _process.started is not None:
        _process.claim.abandon()
        page_memory.withdraw(_process.started.pages)
        _process.forked_from = os.getppid()
        _process.claim = _process.started = None
    _process.lock.release()


os.register_at_fork(before=_process.lock.acquire, after_in_parent=_process.lock.release, after_in_child=_forget_parent)
