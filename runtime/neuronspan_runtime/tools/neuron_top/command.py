"""`neuron-top`: what the NeuronCores of this machine do, live in a terminal, or once into a pipe.

Law: the only part of neuron-top that waits, reads keys or prints.
"""

import contextlib
import os
import select
import sys
import termios
import time
import tty
from collections.abc import Iterator

import click
from rich import console, live

from neuronspan_runtime import environment, errors
from neuronspan_runtime.cores import hardware
from neuronspan_runtime.telemetry import processes
from neuronspan_runtime.tools import machine_view, samples
from neuronspan_runtime.tools.neuron_top import frame, screen_state

DEFAULT_PERIOD = 1.0
_PIPE_WIDTH = 120
_ESCAPES = {
    b"\x1b[A": screen_state.UP,
    b"\x1b[B": screen_state.DOWN,
    b"\x1b[C": screen_state.RIGHT,
    b"\x1b[D": screen_state.LEFT,
}
_FIXED_LINES = 20
"""Of a frame, beside devices and tree."""


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--period",
    type=click.FloatRange(min=0.01),
    default=DEFAULT_PERIOD,
    show_default=True,
    help="Seconds between two pictures; into a pipe, seconds that the one picture is about.",
)
def main(*, period: float) -> None:
    """Show utilisation, memory and loaded models of all Neuron processes of this machine.

    In a pod: those that use the cores which this container was granted. Keys: q quits, digits and a/d choose a
    process, arrows and x open and close the tree. Into a pipe one picture is printed.
    """
    try:
        machine = hardware.find(environment.read())
    except errors.NeuronRuntimeError as error:
        raise click.ClickException(str(error)) from error
    if sys.stdin.isatty() and sys.stdout.isatty():
        with contextlib.suppress(KeyboardInterrupt):
            _live(machine, period)
    else:
        _once(machine, period)


def _sample(machine: hardware.Machine) -> samples.Sample:
    return samples.Sample(machine_view.look(machine), processes.system())


def _once(machine: hardware.Machine, period: float) -> None:
    before = _sample(machine)
    time.sleep(period)  # the screen shows use over a period, and this is it
    interval = samples.Interval(before, _sample(machine))
    screen = console.Console(width=_PIPE_WIDTH)
    screen.print(frame.frame(interval, screen_state.State(), width=_PIPE_WIDTH))


def _live(machine: hardware.Machine, period: float) -> None:
    screen = console.Console()
    state = screen_state.State()
    before = _sample(machine)
    interval = samples.Interval(before, before)
    with _keys_at_once(), live.Live(console=screen, screen=True, auto_refresh=False) as picture:
        due = time.monotonic() + min(period, 0.2)  # something to see at once
        while True:
            lines = max(3, screen.height - _FIXED_LINES - len(interval.after.view.devices))
            picture.update(frame.frame(interval, state, width=screen.width, lines=lines), refresh=True)
            key = _key(due - time.monotonic())
            if key == screen_state.QUIT:
                return
            if key:
                state = screen_state.pressed(state, key, interval.after.view.owners)
            if time.monotonic() >= due:
                interval = samples.Interval(interval.after, _sample(machine))
                due = time.monotonic() + period


@contextlib.contextmanager
def _keys_at_once() -> Iterator[None]:
    """Let the terminal hand over each key without waiting for a line, and show none."""
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    try:
        tty.setcbreak(descriptor)
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def _key(timeout: float) -> str:
    """Wait for a key; return nothing when no key came. The end of the input, as of a closed terminal, is a quit."""
    ready, _, _ = select.select([sys.stdin], [], [], max(timeout, 0.0))
    if not ready:
        return ""
    typed = os.read(sys.stdin.fileno(), 8)
    if not typed:
        return screen_state.QUIT
    return _ESCAPES.get(typed[:3], typed[:1].decode(errors="ignore").lower())
