"""Lock files of cores: each pod has its own inodes, and they say whose they are."""

import fcntl
import os
import pathlib
from collections.abc import Iterator

import pytest

from neuronspan_deviceplugin import errors
from neuronspan_deviceplugin.allocation import core_locks
from neuronspan_deviceplugin.host import lock_files

LABEL = "system_u:object_r:container_file_t:s0"


def _locks(node: pathlib.Path, label: str = "") -> lock_files.LockFiles:
    return lock_files.LockFiles(node / "cores", node / "telemetry", label)


@pytest.fixture
def locks(tmp_path: pathlib.Path) -> lock_files.LockFiles:
    found = _locks(tmp_path)
    found.make_missing(2)
    return found


@pytest.fixture
def held(tmp_path: pathlib.Path, locks: lock_files.LockFiles) -> Iterator[int]:
    """The descriptor of somebody who has core 0's lock of now, and never lets it go."""
    del locks
    descriptor = os.open(tmp_path / "cores" / "0.lock", os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    yield descriptor
    os.close(descriptor)


def is_free(path: pathlib.Path) -> bool:
    with path.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def test_every_core_has_a_file_that_is_nobodys_and_cannot_be_written(
    tmp_path: pathlib.Path, locks: lock_files.LockFiles
) -> None:
    assert sorted(each.name for each in (tmp_path / "cores").iterdir()) == ["0.lock", "1.lock"]
    assert [each.stat().st_mode & 0o777 for each in (tmp_path / "cores").iterdir()] == [0o444] * 2
    assert locks.of([0, 1]) == (core_locks.CoreLock(0, ""), core_locks.CoreLock(1, ""))


def test_files_that_are_there_stay_so_that_owners_stay_owners(tmp_path: pathlib.Path, held: int) -> None:
    _locks(tmp_path).make_missing(4)
    assert not is_free(tmp_path / "cores" / "0.lock")
    assert (tmp_path / "cores" / "3.lock").exists()


def test_new_file_is_the_pods_and_free_whatever_is_locked_of_the_old_one(
    tmp_path: pathlib.Path, locks: lock_files.LockFiles, held: int
) -> None:
    before = os.fstat(held).st_ino
    locks.renew([0], "uid-web")
    path = tmp_path / "cores" / "0.lock"
    assert path.stat().st_ino != before
    assert is_free(path)
    assert path.stat().st_mode & 0o777 == 0o444
    assert locks.of([0, 1]) == (core_locks.CoreLock(0, "uid-web"), core_locks.CoreLock(1, ""))
    assert _locks(tmp_path).of([0]) == locks.of([0])


def test_lock_of_a_file_that_is_nobodys_is_seen_and_not_taken(
    tmp_path: pathlib.Path, locks: lock_files.LockFiles, held: int
) -> None:
    assert [each.locked for each in locks.of([0, 1])] == [True, False]
    assert is_free(tmp_path / "cores" / "1.lock")


def test_lock_of_a_pods_file_is_not_asked_about(tmp_path: pathlib.Path, locks: lock_files.LockFiles) -> None:
    """Its pod's processes say whether it is over; a lock may have gone to somebody who is none of them."""
    locks.renew([1], "uid-web")
    with (tmp_path / "cores" / "1.lock").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert locks.of([1]) == (core_locks.CoreLock(1, "uid-web"),)


def test_core_without_a_file_gets_one_with_its_next_pod(tmp_path: pathlib.Path, locks: lock_files.LockFiles) -> None:
    (tmp_path / "cores" / "1.lock").unlink()
    assert locks.of([1]) == (core_locks.CoreLock(1, ""),)
    locks.renew([1], "uid-web")
    assert locks.of([1]) == (core_locks.CoreLock(1, "uid-web"),)


def test_modes_do_not_depend_on_the_umask(tmp_path: pathlib.Path) -> None:
    before = os.umask(0o077)
    try:
        _locks(tmp_path).make_missing(1)
        _locks(tmp_path).renew([0], "uid-web")
    finally:
        os.umask(before)
    assert (tmp_path / "cores" / "0.lock").stat().st_mode & 0o777 == 0o444


def test_files_that_cannot_be_made_are_named_with_the_way_out_and_the_old_ones_stay(
    tmp_path: pathlib.Path, locks: lock_files.LockFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError("no space left")

    locks.renew([0], "uid-old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(
        errors.NotYet, match=r"pod uid-web cannot be made: no space left; .* must be writable"
    ) as refusal:
        locks.renew([0, 1], "uid-web")
    assert refusal.value.reason == "LockFilesUnwritable"
    assert [each.pod_uid for each in locks.of([0, 1])] == ["uid-old", ""]
    assert len(list((tmp_path / "cores").iterdir())) == 2


def test_counters_that_an_older_version_kept_go_with_the_pod_that_had_the_core(
    tmp_path: pathlib.Path, locks: lock_files.LockFiles
) -> None:
    """The name stays: without it a container that was admitted with it mounted could not start."""
    (tmp_path / "telemetry").mkdir()
    for core in (0, 1):
        (tmp_path / "telemetry" / f"{core}.page").write_text("a password")
    _locks(tmp_path).make_missing(2)
    locks.renew([1], "uid-web")
    assert (tmp_path / "telemetry" / "0.page").read_text() == "a password"
    assert (tmp_path / "telemetry" / "1.page").read_text() == ""
    assert not (tmp_path / "telemetry" / "1.page").stat().st_mode & 0o222


def test_folder_in_the_place_of_a_former_page_keeps_no_pod_from_its_locks(
    tmp_path: pathlib.Path, locks: lock_files.LockFiles
) -> None:
    """containerd makes a folder where the source of a mount is missing, as that of a page is after a reboot."""
    (tmp_path / "telemetry" / "1.page").mkdir(parents=True)
    locks.renew([1], "uid-web")
    assert locks.of([1]) == (core_locks.CoreLock(1, "uid-web"),)


def test_folder_and_files_are_labelled_and_new_files_before_they_have_their_name(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Recorded, as a kernel takes such a label from root alone, and acts on it only where SELinux is on."""
    labels: list[tuple[str, str, bytes]] = []

    def record(path: pathlib.Path, name: str, value: bytes, *, follow_symlinks: bool) -> None:
        assert not follow_symlinks
        labels.append((path.name, name, value))

    monkeypatch.setattr(os, "setxattr", record)
    _locks(tmp_path).make_missing(1)
    assert labels == []
    found = _locks(tmp_path, LABEL)
    found.make_missing(1)
    assert labels == [(name, "security.selinux", LABEL.encode()) for name in ("cores", "0.lock")]
    found.renew([0], "uid-web")
    assert labels[2:] == [(f".0.lock.{os.getpid()}", "security.selinux", LABEL.encode())]
