import fcntl
import os
import pathlib

from neuronspan_runtime.tools import lock_owners

LOCKS = """\
1: FLOCK  ADVISORY  WRITE 5963 fe:00:11233310 0 EOF
2: POSIX  ADVISORY  WRITE 12 fe:00:11233311 0 EOF
2: -> FLOCK  ADVISORY  WRITE 13 fe:00:11233310 0 EOF
3: FLOCK  ADVISORY  READ 14 fe:00:11233312 0 EOF
4: FLOCK  ADVISORY  WRITE 15 00:1b:77 0 EOF
5: OFDLCK ADVISORY  WRITE -1 00:1b:78 0 EOF
6: LEASE  ACTIVE    READ 16 00:1b:79 0 EOF
"""
MOUNTS = """\
27 1 254:0 / / rw,relatime - ext4 /dev/root rw
31 27 0:27 /neuronspan/cores/4.lock /run/neuronspan/cores/4.lock ro,nosuid shared:3 - tmpfs tmpfs rw
"""


def test_holders_are_those_of_whole_file_write_locks() -> None:
    assert lock_owners.parse_locks(LOCKS) == {("fe:00", 11233310): 5963, ("00:1b", 77): 15}


def test_mounts_are_named_as_the_list_of_locks_names_devices() -> None:
    assert lock_owners.parse_mounts(MOUNTS) == {27: "fe:00", 31: "00:1b"}


def test_owner_is_who_holds_the_lock_and_looking_takes_none(tmp_path: pathlib.Path) -> None:
    files = {core: tmp_path / str(core) for core in range(3)}
    for path in files.values():
        path.touch()
    descriptor = os.open(files[1], os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    assert lock_owners.owners(files) == {1: os.getpid()}
    os.close(descriptor)
    assert lock_owners.owners(files) == {}


def test_file_that_is_not_there_has_no_owner(tmp_path: pathlib.Path) -> None:
    assert lock_owners.owners({0: tmp_path / "0.lock"}) == {}


def test_nobody_is_known_without_the_kernels_list(tmp_path: pathlib.Path) -> None:
    assert lock_owners.owners({0: tmp_path}, tmp_path / "proc") == {}
