"""What other programs make of our tree: their ways of reading, told again in our words, on a tree that is written down.

Each names where the original is. None of them shares a line with our reader, or a constant with our layout.
"""

import pathlib
import re

import pytest

from neuronspan import instance_types
from neuronspan_deviceplugin.host import simulated_tree
from neuronspan_deviceplugin.tree import drivers, generating

VIRTUAL = pathlib.PurePath("sys/devices/virtual/neuron_device")
TYPES = ["trn1.2xlarge", "trn1.32xlarge", "inf2.24xlarge", "inf2.48xlarge", "trn2.48xlarge"]


def _written(
    folder: pathlib.Path, name: str, *, counters: bool = False
) -> tuple[pathlib.Path, instance_types.Hardware]:
    """Write the tree of an instance type, without its thousands of counters when nobody looks at them."""
    hardware = instance_types.hardware_of(name)
    made = generating.files(hardware, drivers.newest_for(name))
    files = [(path, file) for path, file in made if counters or "/stats/" not in path]
    tree = simulated_tree.written(folder, lambda: files, generating.links(hardware), alone=True)
    return tree.root, hardware


def _slurm(root: pathlib.Path) -> dict[int, tuple[str, str]]:
    """As the plugin gpu/nrt of Slurm (src/plugins/gpu/nrt/gpu_nrt.c) finds devices, their type and their links."""
    found: dict[int, tuple[str, str]] = {}
    names = sorted(each.name for each in (root / VIRTUAL).iterdir())
    indices = [int(match[1]) for match in (re.match(r"neuron(\d+)", each) for each in names) if match]
    for index in indices:
        folder = root / VIRTUAL / f"neuron{index}"
        first_word = (folder / "info/architecture/device_name").read_text().split()[0]
        line = (folder / "connected_devices").read_text().split("\n")[0]
        assert len(line) < 99  # its buffer
        linked = {int(word) for word in re.split(r"[, ]+", line) if word}
        row = [1 if other in linked else -1 if other == index else 0 for other in range(len(indices))]
        found[index] = (first_word.lower(), ",".join(map(str, row)))
    return found


@pytest.mark.parametrize("name", TYPES)
def test_slurm_finds_every_device_with_its_type_and_links(tmp_path: pathlib.Path, name: str) -> None:
    root, hardware = _written(tmp_path, name)
    found = _slurm(root)
    assert sorted(found) == list(range(hardware.devices))
    known = instance_types.INSTANCE_TYPES[name].device_type
    for index, (kind, links) in found.items():
        assert kind.removesuffix("1") == known  # the driver says Trainium1, the tools trainium
        numbers = [int(each) for each in links.split(",")]
        assert numbers[index] == -1
        assert {other for other, each in enumerate(numbers) if each == 1} == set(hardware.connected_to(index))


def _optimum_cores(root: pathlib.Path) -> int:
    """As optimum-neuron counted the cores of a Trn1 or Inf2 machine: two for each entry of the class."""
    return len(list((root / "sys/class/neuron_device").iterdir())) * 2


@pytest.mark.parametrize("name", [each for each in TYPES if not each.startswith("trn2")])
def test_optimum_neuron_counts_the_cores(tmp_path: pathlib.Path, name: str) -> None:
    root, hardware = _written(tmp_path, name)
    assert _optimum_cores(root) == hardware.cores


def _all_smi(root: pathlib.Path, index: int, core: int) -> tuple[str, str, str, str, int]:
    """As all-smi (src/device/readers/neuron.rs) reads a core beside what neuron-ls tells it."""
    device = root / VIRTUAL / f"neuron{index}"
    return (
        (root / "sys/module/neuron/version").read_text().strip(),
        (device / "info/serial_number").read_text().strip(),
        (device / "info/architecture/device_name").read_text().strip(),
        (device / f"neuron_core{core}/info/architecture/arch_type").read_text().strip(),
        int((device / f"neuron_core{core}/stats/memory_usage/device_mem/present").read_text().strip()),
    )


def test_all_smi_finds_what_it_shows_of_a_core(tmp_path: pathlib.Path) -> None:
    root, _ = _written(tmp_path, "inf2.24xlarge", counters=True)
    version, serial, name, architecture, used = _all_smi(root, 5, 1)
    assert (version, name, architecture, used) == ("2.30.2.0", "Inferentia2", "NCv2", 0)
    assert re.fullmatch(r"[0-9a-f]{16}", serial)
    assert _all_smi(root, 4, 1)[1] != serial
