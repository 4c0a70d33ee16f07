"""`neuron-monitor`: one line of JSON for each period, until it is stopped or its reader is gone.

Law: the only part of neuron-monitor that waits or prints.
"""

import contextlib
import json
import os
import pathlib
import sys
import time

import click

from neuronspan_runtime import environment, errors
from neuronspan_runtime.cores import hardware
from neuronspan_runtime.telemetry import processes
from neuronspan_runtime.tools import machine_view, samples
from neuronspan_runtime.tools.neuron_monitor import configuration, scheduling

_MOST_VERBOSE = 4


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "-c",
    "--config-file",
    type=click.Path(exists=True, dir_okay=False, path_type=pathlib.Path),
    help="What to report and how often, as JSON; without it everything every 5 seconds.",
)
@click.option("--verbose", type=click.IntRange(0, _MOST_VERBOSE), default=0, help="Tell on stderr what is done.")
def main(*, config_file: pathlib.Path | None, verbose: int) -> None:
    """Report what the Neuron processes of this machine do, as lines of JSON.

    In a pod: those that use the cores which this container was granted.
    """
    try:
        config = _config(config_file)
        machine = hardware.find(environment.read())
        if verbose:
            click.echo(f"neuron-monitor: {machine.hardware.instance_type} in {machine.directory}", err=True)
        with contextlib.suppress(KeyboardInterrupt):
            _run(machine, config)
    except errors.NeuronRuntimeError as error:
        raise click.ClickException(str(error)) from error


def _config(path: pathlib.Path | None) -> configuration.Config:
    if path is None:
        return configuration.Config()
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise errors.InvalidSettings([f"{path} is not JSON: {error}"]) from error
    return configuration.parse(raw)


def _run(machine: hardware.Machine, config: configuration.Config) -> None:
    schedule = scheduling.Schedule.begin(config, _sample(machine))
    due = config.metrics  # the first report comes at once
    while True:
        report, schedule = schedule.report(_sample(machine), due)
        if not _told(report):
            return
        time.sleep(schedule.wait(time.monotonic_ns()))  # reports come in the periods that the configuration asks for
        due = schedule.due(time.monotonic_ns())


def _sample(machine: hardware.Machine) -> samples.Sample:
    return samples.Sample(machine_view.look(machine), processes.system())


def _told(report: dict[str, object]) -> bool:
    """Print a report; false when the reader is gone."""
    try:
        sys.stdout.write(json.dumps(report, separators=(",", ":")) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        # what is still to be flushed when Python ends must go somewhere
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return False
    return True
