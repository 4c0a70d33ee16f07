"""The node's directory, and how files are written."""

import fcntl
import os
import pathlib

import pytest

from neuronspan import instance_types
from neuronspan_deviceplugin.host import files, node_directory

HARDWARE = instance_types.hardware_of("inf2.xlarge")


def test_directory_describes_the_hardware_and_has_a_lock_per_core(tmp_path: pathlib.Path) -> None:
    directory = node_directory.NodeDirectory(tmp_path / "run")
    directory.write(HARDWARE)
    assert directory.hardware() == HARDWARE
    locks = sorted((tmp_path / "run" / "cores").iterdir())
    assert [each.name for each in locks] == ["0.lock", "1.lock"]
    assert [each.stat().st_mode & 0o777 for each in locks] == [0o444, 0o444]


def test_directory_has_a_page_per_core_that_containers_may_write_and_users_of_the_host_may_not(
    tmp_path: pathlib.Path,
) -> None:
    node_directory.NodeDirectory(tmp_path).write(HARDWARE)
    pages = sorted((tmp_path / "telemetry").iterdir())
    assert [(each.name, each.stat().st_mode & 0o777, each.stat().st_size) for each in pages] == [
        ("0.page", 0o666, 16384), ("1.page", 0o666, 16384),
    ]  # fmt: skip
    assert (tmp_path / "telemetry").stat().st_mode & 0o777 == 0o700


def test_lock_file_keeps_its_inode_so_that_owners_stay_owners(tmp_path: pathlib.Path) -> None:
    directory = node_directory.NodeDirectory(tmp_path)
    directory.write(HARDWARE)
    descriptor = os.open(tmp_path / "cores" / "0.lock", os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    directory.write(instance_types.hardware_of("inf2.24xlarge"))
    with (tmp_path / "cores" / "0.lock").open() as again, pytest.raises(BlockingIOError):
        fcntl.flock(again, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(descriptor)


def test_modes_do_not_depend_on_the_umask(tmp_path: pathlib.Path) -> None:
    before = os.umask(0o077)
    try:
        node_directory.NodeDirectory(tmp_path).write(HARDWARE)
    finally:
        os.umask(before)
    assert (tmp_path / "hardware.json").stat().st_mode & 0o777 == 0o644
    assert (tmp_path / "cores" / "0.lock").stat().st_mode & 0o777 == 0o444


LABEL = "system_u:object_r:container_file_t:s0"


def test_what_containers_see_gets_its_label_and_later_files_do_too(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Recorded, as a kernel takes such a label from root alone, and acts on it only where SELinux is on."""
    labels: dict[str, tuple[str, bytes]] = {}

    def record(path: pathlib.Path, name: str, value: bytes) -> None:
        labels[str(path.relative_to(tmp_path))] = (name, value)

    monkeypatch.setattr(os, "setxattr", record)
    node_directory.NodeDirectory(tmp_path).write(HARDWARE)
    assert labels == {}
    node_directory.NodeDirectory(tmp_path, LABEL).write(HARDWARE)
    seen = {
        "hardware.json",
        "cores",
        "cores/0.lock",
        "cores/1.lock",
        "telemetry",
        "telemetry/0.page",
        "telemetry/1.page",
    }
    assert labels == dict.fromkeys(seen, ("security.selinux", LABEL.encode()))


@pytest.mark.parametrize("content", [None, "{", "[]", '{"instanceType": "x"}'], ids=["none", "cut", "list", "partial"])
def test_unusable_description_is_no_hardware(tmp_path: pathlib.Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "hardware.json").write_text(content)
    assert node_directory.NodeDirectory(tmp_path).hardware() is None


def test_failed_write_leaves_the_old_content_and_no_rubbish(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    files.write_atomically(path, b"old", 0o600)

    def full(_: int) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="disk full"):
        files.write_atomically(path, b"new", 0o600)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
