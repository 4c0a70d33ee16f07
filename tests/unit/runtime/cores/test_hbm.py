"""Which cores share a stack of HBM: decided from the machine alone; where they meet: a directory of a simulated one."""

import pathlib

import pytest

from neuronspan import instance_types, spans, topologies
from neuronspan_runtime import errors
from neuronspan_runtime.cores import hardware, hbm

GIB = 1 << 30


def machine(directory: pathlib.Path, *, prepared: bool = False) -> hardware.Machine:
    shown = instance_types.hardware_of("trn2.3xlarge", 1)
    return hardware.Machine(shown, directory, prepared=prepared, scope=spans.CoreSpan(0, shown.cores))


@pytest.mark.parametrize(
    ("instance_type", "logical_core_size", "cores_per_stack", "gib_per_core"),
    [
        pytest.param("inf1.xlarge", None, 1, 2, id="inf1"),
        pytest.param("inf2.xlarge", None, 1, 16, id="inf2"),
        pytest.param("trn1.32xlarge", None, 1, 16, id="trn1"),
        pytest.param("trn2.3xlarge", None, 1, 24, id="trn2, joined"),
        pytest.param("trn2.3xlarge", 1, 2, 12, id="trn2, single"),
        pytest.param("trn3.48xlarge", 2, 1, 36, id="trn3, joined"),
        pytest.param("trn3.48xlarge", 1, 2, 18, id="trn3, single"),
    ],
)
def test_layout_lets_single_cores_of_a_stack_share_it(
    instance_type: str, logical_core_size: int | None, cores_per_stack: int, gib_per_core: int
) -> None:
    shown = instance_types.hardware_of(instance_type, logical_core_size)
    layout = hbm.layout_of(shown, spans.CoreSpan(0, 2))
    assert (layout.cores_per_stack, layout.bytes_per_core) == (cores_per_stack, gib_per_core * GIB)
    assert (layout.cores_per_device, layout.logical_core_size) == (shown.cores_per_device, shown.logical_core_size)


def test_layout_has_whole_stacks_for_a_machine_nobody_knows() -> None:
    unknown = instance_types.Hardware("own.large", 1, 4, 1, GIB, topologies.Topology.NONE)
    assert hbm.layout_of(unknown, spans.CoreSpan(1, 2)).cores_per_stack == 1


@pytest.mark.parametrize(
    ("span", "shares"), [("0-1", False), ("2-5", False), ("0", True), ("1", True), ("1-2", True), ("0-2", True)]
)
def test_layout_knows_whether_a_neighbour_may_be_on_one_of_its_stacks(
    span: str, shares: bool, tmp_path: pathlib.Path
) -> None:
    node = machine(tmp_path)
    layout = hbm.with_ledgers(hbm.layout_of(node.hardware, spans.CoreSpan.parse(span)), node)
    assert layout.shares_a_stack is shares
    assert layout.ledgers == (tmp_path / "hbm" if shares else None)
    assert (tmp_path / "hbm").exists() is shares


def test_layout_in_a_pod_has_no_ledgers_because_its_mounts_are_read_only(tmp_path: pathlib.Path) -> None:
    node = machine(tmp_path, prepared=True)
    layout = hbm.layout_of(node.hardware, spans.CoreSpan(0, 1))
    assert hbm.with_ledgers(layout, node) == layout
    assert not (tmp_path / "hbm").exists()


def test_ledgers_that_cannot_be_kept_are_an_error_that_names_the_directory(tmp_path: pathlib.Path) -> None:
    (tmp_path / "hbm").write_text("")
    node = machine(tmp_path / "hbm")
    with pytest.raises(errors.HardwareUnknown, match="hbm/hbm of shared HBM cannot be made: Not a directory"):
        hbm.with_ledgers(hbm.layout_of(node.hardware, spans.CoreSpan(0, 1)), node)
