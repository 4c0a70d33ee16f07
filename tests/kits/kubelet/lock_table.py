"""Lock files without files: whose each is, and how often they were made anew."""

import dataclasses
from collections.abc import Iterable

from neuronspan_deviceplugin import errors
from neuronspan_deviceplugin.allocation import core_locks


@dataclasses.dataclass
class LockTable:
    """What ``core_locks.CoreLocks`` asks for; it outlives a plugin's process, as files do."""

    holders: dict[int, str] = dataclasses.field(default_factory=dict)
    locked: set[int] = dataclasses.field(default_factory=set)
    """Cores of which a process holds a lock file that names nobody."""
    made: list[int] = dataclasses.field(default_factory=list)
    problem: errors.NotYet | None = None

    def of(self, cores: Iterable[int]) -> tuple[core_locks.CoreLock, ...]:
        """Whose the lock files are."""
        found = ((core, self.holders.get(core, "")) for core in cores)
        return tuple(core_locks.CoreLock(core, uid, not uid and core in self.locked) for core, uid in found)

    def renew(self, cores: Iterable[int], pod_uid: str) -> None:
        """Give new ones to a pod, unless there is a problem."""
        if self.problem is not None:
            raise self.problem
        for core in cores:
            self.holders[core] = pod_uid
            self.made.append(core)
