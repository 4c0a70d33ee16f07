"""What pods of a node have of each other: real processes on real inodes, with the agent and a kubelet over gRPC.

A container is a process whose directory has the mounted files as they were when it started, by hard links: a bind mount
keeps an inode in the same way, whatever takes its name later.
"""

import fcntl
import json
import os
import pathlib
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Self

import pytest

from kits.kubelet import plugin_rig
from kits.manifests import builders, domain
from neuronspan import names
from neuronspan_embedded.kubelet import kubelet as model_kubelet

PASSWORD = "--password=swordfish"
LARGE = 300 << 20

PROGRAM = """
import json, mmap, os, socket, struct, sys
from neuronspan_runtime import environment, errors
from neuronspan_runtime.cores import hardware, ownership, selection
from neuronspan_runtime.telemetry import page_layout, page_memory
settings = environment.read()
try:
    machine = hardware.find(settings)
    claim = ownership.claim(machine, selection.wish(settings, machine.hardware, machine.scope))
except errors.StartRefused as refused:
    print(json.dumps(str(refused)), flush=True)
    sys.exit(1)
descriptor = page_memory.publish(machine, claim.span, "")
page = mmap.mmap(descriptor, page_layout.PAGE_BYTES)
at = dict((name, at) for name, at, _ in page_layout.layout())["executions"]
print(json.dumps(str(claim.span)), flush=True)
for line in sys.stdin:
    if line.strip() == "count":
        struct.pack_into("<q", page, at, struct.unpack_from("<q", page, at)[0] + 1)
        shown = page_memory.read(machine, os.getpid(), [claim.span.first])
        print(json.dumps(shown[claim.span.first].counters.executions), flush=True)
    else:
        with socket.socket(socket.AF_UNIX) as there:
            there.connect(line.strip())
            socket.send_fds(there, [b"x"], [*claim._locks[claim.span.first], descriptor])
"""


class Container:
    """A process with the files that a container of the pod has mounted."""

    def __init__(self, rig: plugin_rig.Rig, uid: str) -> None:
        created = rig.kubelet.created(uid, "app")
        self.directory = rig.root / "containers" / f"{uid}-{len(list((rig.root / 'containers').glob('*')))}"
        for inside in created.mounts.keys() - created.devices:
            path = self.directory / pathlib.Path(inside).relative_to(names.NODE_DIRECTORY)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.hardlink_to(created.mounts[inside])
        own = {names.STATE_DIRECTORY_ENV: str(self.directory), "PYTHONPATH": os.pathsep.join(sys.path)}
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, PASSWORD],
            env={**created.environment, **own},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.cores = str(self._said())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()

    def counted(self) -> object:
        """Let it count once more; what a reader sees then."""
        self._tell("count")
        return self._said()

    def passed(self, place: pathlib.Path) -> tuple[int, ...]:
        """Let it pass its descriptors on, to a process without cores: its lock, and its pages."""
        with socket.socket(socket.AF_UNIX) as here:
            here.bind(str(place))
            here.listen()
            self._tell(str(place))
            taken, _ = here.accept()
            with taken:
                return tuple(socket.recv_fds(taken, 1, 2)[1])

    def _tell(self, words: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{words}\n")
        self.process.stdin.flush()

    def _said(self) -> object:
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())


@pytest.fixture
def kept() -> Iterator[list[int]]:
    """Descriptors that somebody keeps."""
    descriptors: list[int] = []
    yield descriptors
    for each in descriptors:
        os.close(each)


async def _run(rig: plugin_rig.Rig, name: str) -> Container:
    await rig.kubelet.run(builders.make_pod(name, cores=1, node="w1"))
    return Container(rig, f"uid-{name}")


async def _replace(rig: plugin_rig.Rig, old: str, new: str) -> None:
    """End a pod as the operator and kubelet do, and grant its core to another."""
    rig.kubelet.delete(f"uid-{old}")
    rig.store.write_ledger([domain.grant("4", new)])
    await rig.seen()


def _bytes_of(folder: pathlib.Path) -> int:
    return sum(each.stat().st_size for each in folder.rglob("*") if each.is_file())


def _command_line(process: int) -> bytes:
    return pathlib.Path(f"/proc/{process}/cmdline").read_bytes()


def _readable(process: int) -> list[bytes]:
    """What whoever may look at the process finds in the files that it has open."""
    links = pathlib.Path(f"/proc/{process}/fd").iterdir()
    return [each.read_bytes() for each in links if "neuronspan" in str(each.readlink()) or each.resolve().is_file()]


async def test_next_pod_finds_nothing_of_the_one_before() -> None:
    async with plugin_rig.running(domain.grant("4", "old")) as rig:
        with await _run(rig, "old") as old:
            assert old.cores == "4"
            assert PASSWORD.encode() in _command_line(old.process.pid)
            before = {each.stat().st_ino for each in old.directory.rglob("*.lock")}
            contents = _readable(old.process.pid)
        await _replace(rig, "old", "new")
        with await _run(rig, "new") as new:
            files = [each for each in new.directory.rglob("*") if each.is_file()]
            inodes = {each.stat().st_ino for each in files if each.suffix == ".lock"}

    assert set(map(len, contents)) == {len("uid-old"), 16384}  # its lock, and the memory of its pages
    assert not any(PASSWORD.encode() in each for each in contents)
    assert {each.name for each in files} == {"hardware.json", "4.lock"}
    assert inodes.isdisjoint(before)


async def test_pod_cannot_make_grow_what_it_counts_in(kept: list[int]) -> None:
    async with plugin_rig.running(domain.grant("4", "web")) as rig:
        before = _bytes_of(rig.root / "run")
        with await _run(rig, "web") as web:
            kept.extend(web.passed(rig.root / "socket"))
            pages = kept[-1]
            size = os.fstat(pages).st_size
            with pytest.raises(PermissionError):
                os.ftruncate(pages, LARGE)
            with pytest.raises(PermissionError):
                os.pwrite(pages, bytes(1 << 20), LARGE)
            assert os.fstat(pages).st_size == size == 16384
            mounted = [each.stat().st_mode & 0o222 for each in web.directory.rglob("*.lock")]
        added = _bytes_of(rig.root / "run") - before

    assert mounted == [0]
    assert added < 4096  # the pod's UID in its lock file, and the plugin's record


async def test_descriptors_that_were_passed_on_block_nobody_and_harm_nobody(kept: list[int]) -> None:
    async with plugin_rig.running(domain.grant("4", "old")) as rig:
        with await _run(rig, "old") as old:
            kept.extend(old.passed(rig.root / "socket"))
            lock, pages = kept
        with pytest.raises(BlockingIOError), (old.directory / "cores" / "4.lock").open() as again:
            fcntl.flock(again, fcntl.LOCK_EX | fcntl.LOCK_NB)
        await _replace(rig, "old", "new")
        with await _run(rig, "new") as new:
            assert (new.cores, new.counted()) == ("4", 1)
            with pytest.raises(PermissionError):
                os.ftruncate(pages, 0)
            os.truncate(f"/proc/self/fd/{lock}", 0)  # here root may; in a container its mount is read-only
            assert new.counted() == 2
            assert os.fstat(lock).st_ino != (rig.root / "run" / "cores" / "4.lock").stat().st_ino


async def test_pod_survives_that_its_own_pages_were_passed_on(kept: list[int]) -> None:
    async with plugin_rig.running(domain.grant("4", "web")) as rig:
        with await _run(rig, "web") as web:
            kept.extend(web.passed(rig.root / "socket"))
            with pytest.raises(PermissionError):
                os.ftruncate(kept[-1], 0)
            assert [web.counted(), web.counted()] == [1, 2]


async def test_container_that_starts_again_has_its_pods_locks_and_is_refused_beside_its_own_process() -> None:
    async with plugin_rig.running(domain.grant("4", "web")) as rig:
        with await _run(rig, "web") as first:
            await rig.crash_agent()
            await rig.start_agent()
            await rig.kubelet.start_container("uid-web", "app")
            with Container(rig, "uid-web") as second:
                assert "could not be initialized" in second.cores
        await rig.kubelet.start_container("uid-web", "app")
        with Container(rig, "uid-web") as third:
            assert (first.cores, third.cores) == ("4", "4")


async def test_lock_file_alone_keeps_a_core_from_its_next_pod_while_the_one_that_it_names_lives() -> None:
    """The plugin's record is lost, kubelet has forgotten the pod, and the operator is wrong."""
    async with plugin_rig.running(domain.grant("4", "old"), domain.grant("9", "other")) as rig:
        with await _run(rig, "old"):
            rig.kubelet.force_delete("uid-old")
            await rig.kubelet.admit(builders.make_pod("other", cores=1, node="w1"))  # now kubelet saves what it knows
            await rig.crash_agent()
            rig.settings.checkpoint.unlink(missing_ok=True)
            rig.store.write_ledger([domain.grant("4", "new"), domain.grant("9", "other")])
            await rig.start_agent()
            await rig.kubelet.admit(builders.make_pod("new", cores=1, node="w1"))
            with pytest.raises(model_kubelet.PreStartFailed, match="its lock file is that of pod uid-old"):
                await rig.kubelet.start_pod("uid-new")
        rig.kubelet.kill("uid-old")
        await rig.kubelet.start_pod("uid-new")
        with Container(rig, "uid-new") as new:
            assert new.cores == "4"


def _made_by_an_older_version(rig: plugin_rig.Rig) -> None:
    """Let the node's files be as that version had them: one lock file for ever, and pages with command lines."""
    lock = rig.root / "run" / "cores" / "4.lock"
    lock.chmod(0o644)
    lock.write_bytes(b"")
    lock.chmod(0o444)
    (rig.root / "run" / "telemetry").mkdir()
    (rig.root / "run" / "telemetry" / "4.page").write_text(PASSWORD)


async def test_pods_that_an_older_version_started_go_on_and_their_cores_change_hands_as_others(
    kept: list[int],
) -> None:
    async with plugin_rig.running(domain.grant("4", "old")) as rig:
        with await _run(rig, "old") as old:
            await rig.stop_agent()
            _made_by_an_older_version(rig)
            await rig.start_agent()
            inode = (rig.root / "run" / "cores" / "4.lock").stat().st_ino
            await rig.kubelet.start_container("uid-old", "app")
            assert (rig.root / "run" / "cores" / "4.lock").stat().st_ino == inode
            assert old.counted() == 1
            kept.extend(old.passed(rig.root / "socket"))
        await _replace(rig, "old", "new")
        await rig.kubelet.admit(builders.make_pod("new", cores=1, node="w1"))
        with pytest.raises(model_kubelet.PreStartFailed, match="names no pod as an older version made it"):
            await rig.kubelet.start_pod("uid-new")  # nobody can say whose process has the lock
        os.close(kept.pop(0))
        await rig.kubelet.start_pod("uid-new")
        with Container(rig, "uid-new") as new:
            assert new.cores == "4"
        assert (rig.root / "run" / "telemetry" / "4.page").read_text() == ""
