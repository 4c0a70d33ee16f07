"""The node's directory, and how files are written."""

import os
import pathlib

import pytest

from neuronspan import instance_types
from neuronspan_deviceplugin.host import files, node_directory

HARDWARE = instance_types.hardware_of("inf2.xlarge")


def test_directory_describes_the_hardware_and_has_a_lock_per_core(tmp_path: pathlib.Path) -> None:
    directory = node_directory.NodeDirectory(tmp_path / "run")
    directory.write(HARDWARE)
    assert directory.hardware() == node_directory.Described(HARDWARE, detected=False)
    assert {each.name for each in (tmp_path / "run").iterdir()} == {"hardware.json", "cores"}
    assert [each.core for each in directory.locks.of(range(2))] == [0, 1]
    assert {each.name for each in (tmp_path / "run" / "cores").iterdir()} == {"0.lock", "1.lock"}


def test_directory_says_of_real_hardware_that_it_is(tmp_path: pathlib.Path) -> None:
    directory = node_directory.NodeDirectory(tmp_path)
    directory.write(HARDWARE, detected=True)
    assert directory.hardware() == node_directory.Described(HARDWARE, detected=True)


def test_mode_does_not_depend_on_the_umask(tmp_path: pathlib.Path) -> None:
    before = os.umask(0o077)
    try:
        node_directory.NodeDirectory(tmp_path).write(HARDWARE)
    finally:
        os.umask(before)
    assert (tmp_path / "hardware.json").stat().st_mode & 0o777 == 0o644


LABEL = "system_u:object_r:container_file_t:s0"


def test_what_containers_see_gets_its_label(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Recorded, as a kernel takes such a label from root alone, and acts on it only where SELinux is on."""
    labels: list[tuple[str, bytes]] = []

    def record(path: pathlib.Path, name: str, value: bytes, *, follow_symlinks: bool) -> None:
        assert path.exists()
        assert (name, follow_symlinks) == ("security.selinux", False)
        labels.append((path.name.removesuffix(f".{os.getpid()}").lstrip("."), value))

    monkeypatch.setattr(os, "setxattr", record)
    node_directory.NodeDirectory(tmp_path).write(HARDWARE)
    assert labels == []
    node_directory.NodeDirectory(tmp_path, LABEL).write(HARDWARE)
    assert dict(labels) == dict.fromkeys(("hardware.json", "cores", "0.lock", "1.lock"), LABEL.encode())


@pytest.mark.parametrize("content", [None, "{", "[]", '{"instanceType": "x"}'], ids=["none", "cut", "list", "partial"])
def test_unusable_description_is_no_hardware(tmp_path: pathlib.Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "hardware.json").write_text(content)
    assert node_directory.NodeDirectory(tmp_path).hardware() is None


def test_failed_write_leaves_the_old_content_and_no_rubbish(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    files.write_atomically(path, [b"old"], 0o600)

    def full(_: int) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="disk full"):
        files.write_atomically(path, [b"new"], 0o600)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
