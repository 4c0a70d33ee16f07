"""What other programs make of our tree: their ways of reading, told again in our words, on a tree that is written down.

These are of programs too large for tests; others run as they are in tests/readers. Each names where the original is.
None of them shares a line with our reader, or a constant with our layout.
"""

import pathlib
import re

import pytest

from neuronspan import instance_types
from neuronspan_deviceplugin.host import simulated_tree
from neuronspan_deviceplugin.tree import drivers, generating

VIRTUAL = pathlib.PurePath("sys/devices/virtual/neuron_device")
TYPES = ["trn1.2xlarge", "trn1.32xlarge", "inf2.24xlarge", "inf2.48xlarge"]


def _written(
    folder: pathlib.Path, name: str, *, counters: bool = False
) -> tuple[pathlib.Path, instance_types.Hardware]:
    """Write the tree of an instance type, without its thousands of counters when nobody looks at them."""
    hardware = instance_types.hardware_of(name)
    made = generating.files(hardware, drivers.newest_for(name))
    files = [(path, file) for path, file in made if counters or "/stats/" not in path]
    tree = simulated_tree.written(folder, lambda: files, generating.links(hardware), alone=True)
    return tree.root, hardware


def _optimum_cores(root: pathlib.Path) -> int:
    """As optimum-neuron counted the cores of a Trn1 or Inf2 machine: two for each entry of the class."""
    return len(list((root / "sys/class/neuron_device").iterdir())) * 2


@pytest.mark.parametrize("name", TYPES)
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
