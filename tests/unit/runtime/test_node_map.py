"""The map as SVG: well formed, complete, and safe to look at."""

import xml.etree.ElementTree as ET

from kits import machine_samples, pages
from neuronspan_runtime import node_map, node_view, telemetry


def texts(*owners: node_view.Owner, instance_type: str = "inf1.6xlarge") -> list[str]:
    picture = ET.fromstring(node_map.svg(machine_samples.sample(1, *owners, instance_type=instance_type).view))  # noqa: S314 - our own output
    return [element.text or "" for element in picture.iter("{http://www.w3.org/2000/svg}text")]


def test_map_has_every_device_core_and_process() -> None:
    counters = telemetry.Counters(model_bytes=2**21, tensor_bytes=2**20, capacity_bytes=2**31)
    found = texts(machine_samples.owner(7, {4: counters, 5: telemetry.Counters()}))
    assert found[0] == "inf1.6xlarge: 2 of 16 NeuronCores in use"
    assert {f"neuron{device}" for device in range(4)} <= set(found)
    assert {str(core) for core in range(16)} <= set(found)
    assert "3 MiB" in found
    assert "shop: process 7, pod serve-1, cores 4-5" in found


def test_map_of_a_large_machine_has_all_its_cores() -> None:
    assert sum(text.isdigit() for text in texts(instance_type="trn2.48xlarge")) == 64


def test_command_of_a_process_cannot_break_the_picture() -> None:
    head = pages.header(4, "4", tag="<b>&")
    owner = node_view.Owner(7, (4,), '"><script>alert(1)</script>', {4: pages.page(head)})
    found = texts(owner)
    assert any(text.startswith("<b>&: process 7") for text in found)
    assert '"><script>alert(1)</script>' in found


def test_process_without_pages_is_drawn() -> None:
    assert "5: process 5, cores 4" in texts(node_view.Owner(5, (4,), "python"))
