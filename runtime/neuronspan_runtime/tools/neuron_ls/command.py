"""`neuron-ls`: the Neuron devices, how they are connected, and the processes that use them, as of now.

Law: looks once and prints; nothing of the machine is changed.
"""

import os
import pathlib
import sys

import click

from neuronspan_runtime import environment, errors
from neuronspan_runtime.cores import hardware
from neuronspan_runtime.telemetry import processes
from neuronspan_runtime.tools import machine_view
from neuronspan_runtime.tools.neuron_ls import device_table, node_map

_ONLINE = pathlib.Path("/sys/devices/system/cpu/online")


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("-w", "--wide", is_flag=True, help="Show more of each command.")
@click.option("-a", "--show-all-procs", is_flag=True, help="Show also processes that do not use the Neuron runtime.")
@click.option("-t", "--topology", is_flag=True, help="Draw how the devices are connected.")
@click.option("-j", "--json-output", is_flag=True, help="Print JSON instead of a table.")
@click.option("--svg", type=click.Path(dir_okay=False, path_type=pathlib.Path), help="Write a map of cores and memory.")
def main(*, wide: bool, show_all_procs: bool, topology: bool, json_output: bool, svg: pathlib.Path | None) -> None:
    """List the Neuron devices of this machine and the processes that use them.

    In a pod: those of its cores that this container was granted.
    """
    view = _seen()
    devices = device_table.devices_of(view, _myself() if show_all_procs else None)
    if not devices:
        raise click.ClickException("No neuron device available: nothing is granted to this container")
    if svg is not None:
        svg.write_text(node_map.svg(view), encoding="utf-8")
        return
    if json_output:
        click.echo(device_table.as_json(view, devices, _online_cpus()), nl=False)
        return
    click.echo(device_table.as_text(view, devices, _online_cpus(), wide=wide))
    if topology:
        click.echo(device_table.topology(view.hardware))


def _seen() -> machine_view.MachineView:
    try:
        return machine_view.look(hardware.find(environment.read()))
    except errors.NeuronRuntimeError as error:
        raise click.ClickException(str(error)) from error


def _myself() -> device_table.Row:
    """As the real one, which has the devices open while it looks."""
    own = os.getpid()
    return device_table.Row(own, processes.command(own), machine_view.UNKNOWN_VERSION)


def _online_cpus() -> str:
    try:
        return _ONLINE.read_text(encoding="utf-8").strip()
    except OSError:
        return f"0-{(os.cpu_count() or 1) - 1}"


if __name__ == "__main__":
    sys.exit(main())
