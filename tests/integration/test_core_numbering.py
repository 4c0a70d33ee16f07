"""By which numbers a container is told of its cores and devices: one table for everything that tells it.

What the plugin sets and mounts, what the runtime makes of it, and what the tools print say the same. Links between
devices and PCI addresses stay the node's, as in a neuron-ls of AWS's in a pod on trn2.48xlarge: device 0 there, the
node's 13, is connected to 12, 1, 9 and 14.
"""

import dataclasses
import io
import json
import pathlib
from collections.abc import Mapping

import pytest
from rich import console

from kits.device import machine_samples, pages
from kits.kubelet import node_parts
from kits.manifests import domain
from neuronspan import grants, instance_types, names
from neuronspan_deviceplugin.allocation import container_edits
from neuronspan_deviceplugin.host import node_directory
from neuronspan_runtime import environment
from neuronspan_runtime.cores import hardware, selection
from neuronspan_runtime.telemetry import page_layout
from neuronspan_runtime.tools import machine_view, samples
from neuronspan_runtime.tools.neuron_ls import device_table, node_map
from neuronspan_runtime.tools.neuron_monitor import runtime_report, system_report
from neuronspan_runtime.tools.neuron_top import frame, screen_state

NODE, CONTAINER = names.CORE_NUMBERINGS
ELSEWHERE = pathlib.Path("/nonexistent")


@dataclasses.dataclass(frozen=True)
class Row:
    """What a container with this grant is told."""

    instance_type: str
    grant: str
    numbering: str
    visible: str
    devices: dict[int, list[int]]
    """Number of each device -> numbers of the cores on it."""
    links: list[list[int]]
    """Of each device."""

    @property
    def cores(self) -> list[int]:
        """The numbers of all cores."""
        return [core for cores in self.devices.values() for core in cores]


ROWS = [
    Row("trn2.48xlarge", "52-55", CONTAINER, "0-3", {0: [0, 1, 2, 3]}, [[9, 12, 1, 14]]),
    Row("trn2.48xlarge", "52-55", NODE, "52-55", {13: [52, 53, 54, 55]}, [[9, 12, 1, 14]]),
    Row("trn1.32xlarge", "5-6", CONTAINER, "0-1", {0: [0], 1: [1]}, [[14, 1, 6, 3], [15, 2, 7, 0]]),
    Row("trn1.32xlarge", "5-6", NODE, "5-6", {2: [5], 3: [6]}, [[14, 1, 6, 3], [15, 2, 7, 0]]),
    Row("inf2.24xlarge", "4-9", CONTAINER, "0-5", {0: [0, 1], 1: [2, 3], 2: [4, 5]}, [[1, 3], [2, 4], [3, 5]]),
    Row("inf2.24xlarge", "0-1", CONTAINER, "0-1", {0: [0, 1]}, [[1]]),
    Row("inf2.24xlarge", "11", CONTAINER, "0", {0: [0]}, [[4]]),
]
table = pytest.mark.parametrize(
    "row", ROWS, ids=[f"{each.instance_type} {each.grant} {each.numbering}" for each in ROWS]
)


@dataclasses.dataclass(frozen=True)
class Container:
    """The container that the plugin makes of a row, with an owner of all its cores."""

    variables: Mapping[str, str]
    device_nodes: frozenset[str]
    machine: hardware.Machine
    interval: samples.Interval

    @property
    def view(self) -> machine_view.MachineView:
        return self.interval.after.view


def container(row: Row, directory: pathlib.Path, mode: grants.EnvMode = grants.EnvMode.VISIBLE) -> Container:
    """Make it: what the plugin answers, the files that it mounts, and what the runtime finds there."""
    node, span = instance_types.hardware_of(row.instance_type), domain.span(row.grant)
    variables = container_edits.environment(span, mode, row.numbering)
    edits = container_edits.plain(span, variables, node, row.numbering, directory, node_parts.nodes())
    node_directory.NodeDirectory(directory).write(node)
    for core in set(range(node.cores)) - set(span):
        (directory / names.CORE_LOCKS_DIRECTORY / f"{core}{names.CORE_LOCK_SUFFIX}").unlink()
    told = variables | {names.STATE_DIRECTORY_ENV: str(directory)}
    machine = hardware.find(environment.read(told), ELSEWHERE)
    view = dataclasses.replace(machine_view.look(machine), owners=(_owner(row),), moment=0)
    later = dataclasses.replace(view, moment=machine_samples.SECOND)
    before, after = (samples.Sample(each, machine_samples.system(0)) for each in (view, later))
    nodes = frozenset(each.container_path for each in edits.mounts if each.device)
    return Container(variables, nodes, machine, samples.Interval(before, after))


def _owner(row: Row) -> machine_view.CoreOwner:
    counted = {core: page_layout.Counters() for core in domain.span(row.grant)}
    return machine_samples.owner(7, counted, models=[pages.model(1)])


@table
def test_plugin_tells_of_cores_and_devices_by_the_same_numbers(row: Row, tmp_path: pathlib.Path) -> None:
    found = container(row, tmp_path)
    assert found.variables[names.VISIBLE_CORES_ENV] == row.visible
    assert found.variables[names.GRANT_ENV] == row.grant
    assert found.device_nodes == {f"/dev/neuron{number}" for number in row.devices}


@table
@pytest.mark.parametrize("mode", grants.EnvMode)
def test_runtime_takes_the_granted_cores_whatever_they_are_called(
    row: Row, mode: grants.EnvMode, tmp_path: pathlib.Path
) -> None:
    found = container(row, tmp_path, mode)
    settings = environment.read({**found.variables, names.STATE_DIRECTORY_ENV: str(tmp_path)})
    asked = selection.wish(settings, found.machine.hardware, found.machine.scope)
    assert selection.choose(asked, range(found.machine.hardware.cores)) == domain.span(row.grant)


@table
def test_neuron_ls_prints_them_with_the_nodes_links_and_addresses(row: Row, tmp_path: pathlib.Path) -> None:
    view = container(row, tmp_path).view
    devices = device_table.devices_of(view)
    listed = json.loads(device_table.as_json(view, devices, "0-7"))
    assert {each["neuron_device"]: each["neuroncore_ids"] for each in listed} == row.devices
    assert [each["connected_to"] for each in listed] == row.links
    other = dataclasses.replace(view, shown=hardware.NODE_NUMBERING)
    on_node = json.loads(device_table.as_json(other, device_table.devices_of(other), "0-7"))
    assert [each["bdf"] for each in listed] == [each["bdf"] for each in on_node]
    lines = [line.split("|")[1:4] for line in device_table.as_text(view, devices, "", wide=False).splitlines()]
    first = [cells for cells in lines if cells and cells[0].strip().isdigit()]
    ranges = [f"{cores[0]}-{cores[-1]}" if len(cores) > 1 else str(cores[0]) for cores in row.devices.values()]
    assert [(cells[0].strip(), cells[2].strip()) for cells in first] == list(
        zip(map(str, row.devices), ranges, strict=True)
    )
    picture = node_map.svg(view)
    assert all(f">neuron{number}<" in picture for number in row.devices)
    assert all(f">{core}<" in picture for core in row.cores)


@table
def test_neuron_monitor_reports_them(row: Row, tmp_path: pathlib.Path) -> None:
    interval = container(row, tmp_path).interval
    (owner,) = interval.after.view.owners
    in_use = runtime_report.report("neuroncore_counters", interval, owner)["neuroncores_in_use"]
    used = runtime_report.report("memory_used", interval, owner)
    memory = used["neuron_runtime_used_bytes"]["usage_breakdown"]["neuroncore_memory_usage"]
    assert list(in_use) == list(memory) == list(map(str, row.cores))
    (part,) = used["loaded_models"][0]["subgraphs"].values()
    assert (part["neuroncore_index"], part["neuron_device_index"]) == (row.cores[0], next(iter(row.devices)))
    counted = system_report.report("neuron_hw_counters", interval)["neuron_devices"]
    assert [each["neuron_device_index"] for each in counted] == list(row.devices)


@table
def test_neuron_top_shows_them(row: Row, tmp_path: pathlib.Path) -> None:
    interval = container(row, tmp_path).interval
    screen = console.Console(width=120, file=io.StringIO())
    with screen.capture() as captured:
        screen.print(frame.frame(interval, screen_state.State(), width=120))
    shown = captured.get()
    assert all(f"ND{number:<3}" in shown for number in row.devices)
    assert all(f"NeuronCore {core} " in shown for core in row.cores)
