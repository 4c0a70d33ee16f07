"""Whose the lock files of cores are, and which of them a pod needs anew before it starts.

Lock files are a pod's own: with those of the pod before, a descriptor that somebody kept would keep the core. A lock
on old files does not show in new ones: these are made only when no process is left of the pod that the old ones name.

Law: pure; the files are the host's side.
"""

import dataclasses
from collections.abc import Callable, Collection, Iterable
from typing import Protocol

from neuronspan_deviceplugin import errors, reasons


@dataclasses.dataclass(frozen=True, slots=True)
class CoreLock:
    """The lock file of one core."""

    core: int
    pod_uid: str
    """Whose it is; "" when no pod had it yet, or when it was made by a version that did not say."""
    locked: bool = False
    """Of a file that names no pod: a process holds its lock."""


class CoreLocks(Protocol):
    """The lock files of a node."""

    def of(self, cores: Iterable[int]) -> tuple[CoreLock, ...]:
        """Read them now."""

    def renew(self, cores: Iterable[int], pod_uid: str) -> None:
        """Make them anew for a pod; raises NotYet when they cannot be made."""


def outdated(
    locks: Iterable[CoreLock], pod_uid: str, started_on: Collection[int], alive: Callable[[str], bool | None]
) -> list[int]:
    """Return the cores whose lock files are not this pod's; raises NotYet while whose they are may live.

    ``started_on`` are the cores on which the pod was let start before: files there that name nobody are its own.
    """
    others = [each for each in locks if not _is_of(each, pod_uid, started_on)]
    for each in others:
        _refuse_living(each, alive)
    return [each.core for each in others]


def _is_of(lock: CoreLock, pod_uid: str, started_on: Collection[int]) -> bool:
    return lock.pod_uid == pod_uid or (not lock.pod_uid and lock.core in started_on)


def _refuse_living(lock: CoreLock, alive: Callable[[str], bool | None]) -> None:
    if lock.pod_uid and alive(lock.pod_uid) is not False:
        raise errors.NotYet(
            f"core {lock.core}: its lock file is that of pod {lock.pod_uid}, which still has processes or cannot be "
            "looked at; the start is retried until they are gone",
            reason=reasons.StartRefusal.FORMER_HOLDER_ALIVE,
        )
    if lock.locked:
        raise errors.NotYet(
            f"core {lock.core}: a process holds its lock file, which names no pod as an older version made it; the "
            "start is retried until that process ends",
            reason=reasons.StartRefusal.FORMER_HOLDER_ALIVE,
        )
