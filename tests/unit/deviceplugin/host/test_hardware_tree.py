"""A node's tree on disk: written once, told of faults, and read like the kernel's."""

import os
import pathlib
import stat

import pytest

from kits.kubelet import node_parts
from kits.manifests import domain
from neuronspan import instance_types
from neuronspan_deviceplugin.host import hardware_files, hardware_source, simulated_tree
from neuronspan_deviceplugin.tree import drivers, faults, generating, layout, reader, trees

SMALL = instance_types.hardware_of("trn2.3xlarge")
OTHER = instance_types.hardware_of("inf2.xlarge")
BROKEN = [generating.Fault(domain.span("1"), faults.FaultKind.CORE_UNCORRECTABLE)]


def _tree(
    folder: pathlib.Path, hardware: instance_types.Hardware = SMALL, *, alone: bool = True, selinux_label: str = ""
) -> simulated_tree.SimulatedTree:
    return simulated_tree.written(
        folder,
        lambda: generating.files(hardware, drivers.NEWEST),
        generating.links(hardware),
        alone=alone,
        selinux_label=selinux_label,
    )


def test_written_tree_is_read_as_it_was_made(tmp_path: pathlib.Path) -> None:
    written = _tree(tmp_path)
    made = node_parts.MadeHardware(SMALL).look(())
    seen = hardware_files.see(written.roots)
    assert (seen.devices, seen.nodes) == (made.devices, made.nodes)
    assert seen.files.items() <= made.files.items()
    assert reader.read(seen) == reader.read(made)


def test_modes_and_links_are_those_of_the_driver_whatever_the_umask(tmp_path: pathlib.Path) -> None:
    before = os.umask(0o077)
    try:
        written = _tree(tmp_path)
    finally:
        os.umask(before)
    device = written.root / layout.device(0)
    modes = {
        name: stat.S_IMODE((device / name).stat().st_mode) for name in ("", "core_count", "reset", "stats/hardware")
    }
    assert modes == {"": 0o755, "core_count": 0o444, "reset": 0o600, "stats/hardware": 0o755}
    assert (written.root / layout.CLASS / "neuron0" / "core_count").read_text() == "8"


def test_files_that_never_change_share_their_inode_and_others_do_not(tmp_path: pathlib.Path) -> None:
    written = _tree(tmp_path)
    core = written.root / layout.core(0, 0) / layout.STATUS
    shared, own = core / "failure" / "total", core / "hw_nc_ue_error" / "total"
    assert shared.stat().st_nlink > 100
    assert own.stat().st_nlink == 1


def test_faults_are_told_in_place_and_heal(tmp_path: pathlib.Path) -> None:
    source = hardware_source.Simulated(tmp_path, SMALL, alone=True)
    path = source.tree.root / layout.counter(0, 2, faults.FaultKind.CORE_UNCORRECTABLE)
    with path.open() as seen_before:
        assert reader.read(source.look(BROKEN)).unhealthy == {1: "CoreUncorrectable"}
        assert (path.read_text(), seen_before.read()) == ("1\n", "1\n")
        assert reader.read(source.look(())).unhealthy == {}
        seen_before.seek(0)
        assert (path.read_text(), seen_before.read()) == ("0\n", "0\n")


def test_shorter_text_replaces_a_longer_one(tmp_path: pathlib.Path) -> None:
    source = hardware_source.Simulated(tmp_path, SMALL, alone=True)
    source.look([generating.Fault(domain.span("0"), faults.FaultKind.FIRMWARE_PROCESSOR)])
    assert reader.read(source.look(())).unhealthy == {}
    assert (source.tree.root / layout.components(0)).read_text() == "\n"


def test_faults_of_a_process_before_are_taken_out(tmp_path: pathlib.Path) -> None:
    hardware_source.Simulated(tmp_path, SMALL, alone=True).look(BROKEN)
    assert reader.read(hardware_source.Simulated(tmp_path, SMALL, alone=False).look(())).unhealthy == {}


def test_tree_that_is_there_stays_and_half_a_tree_does_not(tmp_path: pathlib.Path) -> None:
    written = _tree(tmp_path)
    path = written.root / layout.device(0) / layout.CORE_COUNT
    inode = path.stat().st_ino
    _tree(tmp_path)
    assert path.stat().st_ino == inode
    (written.root / "complete").unlink()
    path.unlink()
    _tree(tmp_path)
    assert path.read_text() == "8"


@pytest.mark.parametrize("alone", [True, False])
def test_other_trees_go_only_when_no_pod_can_see_them(tmp_path: pathlib.Path, alone: bool) -> None:
    before = _tree(tmp_path)
    now = _tree(tmp_path, OTHER, alone=alone)
    assert now.root.is_dir()
    assert before.root.is_dir() is not alone


def test_pods_are_shown_devices_classes_and_the_driver_above_what_is_there(tmp_path: pathlib.Path) -> None:
    tree = _tree(tmp_path)
    assert tree.shown == (
        (str(tree.root / "sys/devices/virtual"), "/sys/devices/virtual"),
        (str(tree.root / "sys/class"), "/sys/class"),
        (str(tree.root / "sys/module"), "/sys/module"),
    )


def test_everything_that_pods_see_gets_their_label(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Recorded, as a kernel takes such a label from root alone, and acts on it only where SELinux is on."""
    labelled: set[pathlib.Path] = set()

    def record(path: pathlib.Path, name: str, value: bytes, *, follow_symlinks: bool) -> None:
        assert (name, value, follow_symlinks) == ("security.selinux", b"a:b:c:s0", False)
        labelled.add(path)

    monkeypatch.setattr(os, "setxattr", record)
    tree = _tree(tmp_path, selinux_label="a:b:c:s0")
    assert labelled == {each for each in (tree.root, *tree.root.rglob("*")) if each.name != "complete"}


def _roots(root: pathlib.Path) -> hardware_files.Roots:
    return hardware_files.Roots.below(root)


def test_device_nodes_have_the_kernels_numbers(tmp_path: pathlib.Path) -> None:
    """A link to another device stands for a node of a driver: only root can make one."""
    dev = tmp_path / "dev"
    dev.mkdir()
    (dev / "neuron0").symlink_to("/dev/zero")
    (dev / "neuron1").write_text("a file")
    (dev / "neuron2").symlink_to("/nowhere")
    (dev / "neuron_other").symlink_to("/dev/zero")
    assert hardware_files.see(_roots(tmp_path)).nodes == {0: trees.DeviceNode("/dev/zero", 1, 5)}


def test_nothing_is_seen_where_nothing_is(tmp_path: pathlib.Path) -> None:
    assert hardware_files.see(_roots(tmp_path / "nowhere")) == trees.Seen({}, frozenset(), {})


def test_file_that_cannot_be_read_is_there_all_the_same(tmp_path: pathlib.Path) -> None:
    """A folder in its place, as root may read every file."""
    path = tmp_path / layout.device(0) / layout.CORE_COUNT
    path.mkdir(parents=True)
    assert hardware_files.see(_roots(tmp_path)).files == {f"{layout.device(0)}/{layout.CORE_COUNT}": None}
