"""Whether any process of a pod is left on the node, by the pod's control group.

Law: reads only, needs no privilege, and never says "none left" when it could not look. Works with cgroup v1 and v2,
with cgroupfs names (kubepods/burstable/pod<uid>) and with systemd names, where the UID has underscores
(kubepods-burstable-pod<uid>.slice), wherever the tree of pods hangs: a kind node has it nested in its container's.

cgroup.procs is no evidence: read from another PID namespace it lists 0 for each process on v2, but leaves them out on
v1 (kernel/cgroup/cgroup-v1.c, pidlist_array_load). The kernel's own counts are: ``populated`` in cgroup.events (v2) and
pids.current (v1); both include the groups below.
"""

import errno
import os
import pathlib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping

_PODS_ROOT = re.compile(r"(?:.*-)?kubepods(?:\.slice)?")
_QOS_CLASS = re.compile(r"(?:.*-)?(?:burstable|besteffort)(?:\.slice)?")  # guaranteed pods have no level of their own
_POD = re.compile(r"(?:.*-)?pod(?P<uid>[0-9a-zA-Z_-]+?)(?:\.slice)?")
_V1_HIERARCHIES = ("unified", "pids")  # of v1 and hybrid hosts, those that count processes; any of them is evidence
_DEPTH = 10  # levels searched for kubepods; rootless kind nests it nine deep
_EVENTS = "cgroup.events"
_COUNT = "pids.current"
_MOST_BYTES = 4096
"""Both have a few lines."""


class PodProcesses:
    """The control groups below one mounted cgroup root, usually /sys/fs/cgroup."""

    def __init__(self, root: pathlib.Path) -> None:
        self._root = root
        self._trees: tuple[pathlib.Path, ...] = ()

    def visible(self) -> bool:
        """Whether the tree of pods was found at all; without it nothing can be said about any pod."""
        if not self._trees or not all(tree.is_dir() for tree in self._trees):
            self._trees = _trees_of_pods(self._root)
        return bool(self._trees)

    def look(self, pod_uids: Collection[str]) -> dict[str, bool | None]:
        """Say of each pod whether a process of it is left: False is proof that none is, None means we cannot see."""
        if not self.visible():
            return dict.fromkeys(pod_uids)
        try:
            groups = _groups_of(map(str, self._trees), {_spelling(each): each for each in pod_uids})
        except OSError:
            return dict.fromkeys(pod_uids)
        if not all(tree.is_dir() for tree in self._trees):  # gone while we walked: what was not found proves nothing
            return dict.fromkeys(pod_uids)
        return {each: _any_process(groups.get(each, ())) for each in pod_uids}


def _trees_of_pods(root: pathlib.Path) -> tuple[pathlib.Path, ...]:
    hierarchies = [root / name for name in _V1_HIERARCHIES if (root / name).is_dir()]
    return tuple(tree for start in hierarchies or [root] for tree in _search(start, _DEPTH))


def _search(folder: pathlib.Path, depth: int) -> Iterator[pathlib.Path]:
    for child in _folders(folder):
        if _PODS_ROOT.fullmatch(child.name):
            yield child
        elif depth:
            yield from _search(child, depth - 1)


def _folders(folder: pathlib.Path) -> list[pathlib.Path]:
    """Return the child groups; a group that ended meanwhile, or may not be read, has none."""
    try:
        with os.scandir(folder) as entries:
            return [pathlib.Path(each) for each in entries if each.is_dir(follow_symlinks=False)]
    except OSError:
        return []


def _groups_of(trees: Iterable[str], wanted: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the groups of the wanted pods in one walk; raises OSError when a level above the pods cannot be read.

    Paths are texts from here on, as this is done every second: see ``hardware_files``.
    """
    groups: dict[str, list[str]] = {}
    for group in _candidates(trees):
        found = _POD.fullmatch(group.name)
        uid = found and wanted.get(_spelling(found["uid"]))
        if uid:
            groups.setdefault(uid, []).append(group.path)
    return groups


def _candidates(trees: Iterable[str]) -> "Iterator[os.DirEntry[str]]":
    for tree in trees:
        for child in _strict_folders(tree):
            if _QOS_CLASS.fullmatch(child.name):
                yield from _strict_folders(child.path)
            else:
                yield child


def _spelling(pod_uid: str) -> str:
    return pod_uid.replace("_", "-")


def _any_process(groups: Iterable[str]) -> bool | None:
    try:
        return any(_has_process(each) for each in groups)
    except OSError:
        return None


def _strict_folders(folder: str) -> "list[os.DirEntry[str]]":
    """Like ``_folders``, but only a group that ended meanwhile counts as empty; any other error is the caller's."""
    try:
        with os.scandir(folder) as entries:
            return [each for each in entries if each.is_dir(follow_symlinks=False)]
    except (FileNotFoundError, NotADirectoryError):
        return []


def _has_process(group: str) -> bool:
    """Whether the kernel counts a process in the group or below it; raises OSError when it does not say."""
    events = _read(f"{group}/{_EVENTS}")
    if events is not None:
        return _populated(f"{group}/{_EVENTS}", events)
    count = _read(f"{group}/{_COUNT}")
    if count is not None:
        return _counted(f"{group}/{_COUNT}", count)
    if pathlib.Path(group).is_dir():
        raise FileNotFoundError(errno.ENOENT, f"neither {_EVENTS} nor {_COUNT}", group)
    return False  # the group ended while we looked


def _populated(path: str, events: bytes) -> bool:
    """Read cgroup.events: only an explicit 0 is proof."""
    lines = events.splitlines()
    if b"populated 0" in lines:
        return False
    if b"populated 1" in lines:
        return True
    raise OSError(errno.EIO, "says neither populated 0 nor 1", path)


def _counted(path: str, count: bytes) -> bool:
    """Read pids.current: only a number is proof."""
    if not count.strip().isdigit():
        raise OSError(errno.EIO, "holds no number", path)
    return int(count) > 0


def _read(path: str) -> bytes | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return os.read(descriptor, _MOST_BYTES)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno in {errno.ENOENT, errno.ENODEV}:
            return None
        raise
