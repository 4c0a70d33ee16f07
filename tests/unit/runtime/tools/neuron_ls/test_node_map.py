"""The map as SVG: well formed, complete, and safe to look at."""

import dataclasses
import xml.etree.ElementTree as ET

from kits.device import machine_samples, pages
from neuronspan import instance_types
from neuronspan_runtime.telemetry import page_layout
from neuronspan_runtime.tools import machine_view
from neuronspan_runtime.tools.neuron_ls import node_map

SVG = "{http://www.w3.org/2000/svg}"


def texts(*owners: machine_view.CoreOwner, instance_type: str = "inf1.6xlarge") -> list[str]:
    picture = ET.fromstring(node_map.svg(machine_samples.sample(1, *owners, instance_type=instance_type).view))  # noqa: S314 - our own output
    return [element.text or "" for element in picture.iter(f"{SVG}text")]


def test_map_has_every_device_core_and_process() -> None:
    counters = page_layout.Counters(model_bytes=2**21, tensor_bytes=2**20, capacity_bytes=2**31)
    found = texts(machine_samples.owner(7, {4: counters, 5: page_layout.Counters()}))
    assert found[0] == "inf1.6xlarge: 2 of 16 NeuronCores in use"
    assert {f"neuron{device}" for device in range(4)} <= set(found)
    assert {str(core) for core in range(16)} <= set(found)
    assert "3 MiB" in found
    assert "shop: process 7, pod serve-1, cores 4-5" in found


def test_map_of_a_large_machine_has_all_its_cores() -> None:
    assert sum(text.isdigit() for text in texts(instance_type="trn2.48xlarge")) == 64


def test_command_of_a_process_cannot_break_the_picture() -> None:
    head = pages.header(4, "4", tag="<b>&")
    owner = machine_view.CoreOwner(7, (4,), '"><script>alert(1)</script>', {4: pages.page(head)})
    found = texts(owner)
    assert any(text.startswith("<b>&: process 7") for text in found)
    assert '"><script>alert(1)</script>' in found


def test_process_without_pages_is_drawn() -> None:
    assert "5: process 5, cores 4" in texts(machine_view.CoreOwner(5, (4,), "python"))


GIB = 2**30


def bars(*owners: machine_view.CoreOwner, logical_core_size: int) -> tuple[list[str], list[tuple[float, float]]]:
    """Draw a trn2.3xlarge; return its texts, and x and height of every box that shows memory in use."""
    hardware = instance_types.hardware_of("trn2.3xlarge", logical_core_size)
    sample = machine_samples.sample(1, *owners, instance_type="trn2.3xlarge", cores=range(hardware.cores))
    picture = ET.fromstring(node_map.svg(dataclasses.replace(sample.view, hardware=hardware)))  # noqa: S314 - our own output
    filled = [box for box in picture.iter(f"{SVG}rect") if box.get("rx") == "0"]
    shown = [element.text or "" for element in picture.iter(f"{SVG}text")]
    return shown, [(float(box.attrib["x"]), float(box.attrib["height"])) for box in filled]


def test_map_of_single_cores_shows_one_memory_for_two_neighbours() -> None:
    """Cores 2 and 3 of different processes fill the same 24 GiB: 18 GiB are three quarters of one bar."""
    stack = {"capacity_bytes": 24 * GIB}
    shown, filled = bars(
        machine_samples.owner(7, {2: page_layout.Counters(model_bytes=6 * GIB, tensor_bytes=3 * GIB, **stack)}),
        machine_samples.owner(8, {3: page_layout.Counters(tensor_bytes=9 * GIB, **stack)}),
        logical_core_size=1,
    )
    assert "18.0 GiB" in shown
    assert len({left for left, _ in filled}) == 1
    assert [round(height / 74 * 24) for _, height in filled] == [6, 3, 9]


def test_map_of_joined_cores_shows_a_memory_for_each() -> None:
    counters = page_layout.Counters(tensor_bytes=12 * GIB, capacity_bytes=24 * GIB)
    shown, filled = bars(machine_samples.owner(7, {1: counters, 2: counters}), logical_core_size=2)
    assert shown.count("12.0 GiB") == 2
    assert len({left for left, _ in filled}) == 2
    assert [round(height / 74 * 24) for _, height in filled] == [12, 12]
