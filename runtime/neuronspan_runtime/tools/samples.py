"""Two looks at a machine, and what its processes used in between.

Law: pure; two looks in, shares of the time between them out.
"""

import dataclasses

from neuronspan_runtime.telemetry import page_layout, processes
from neuronspan_runtime.tools import activity, machine_view

_NANOSECONDS = 1e9


@dataclasses.dataclass(frozen=True)
class Sample:
    """The machine at one moment."""

    view: machine_view.MachineView
    system: processes.System


@dataclasses.dataclass(frozen=True)
class Interval:
    """Two samples, the earlier one first."""

    before: Sample
    after: Sample

    @property
    def seconds(self) -> float:
        """Time in between."""
        return (self.after.view.moment - self.before.view.moment) / _NANOSECONDS

    def earlier(self, owner: machine_view.CoreOwner, core: int) -> page_layout.Page | None:
        """Return the page of a core of this process at the beginning."""
        found = self._earlier(owner)
        return found.pages.get(core) if found else None

    def earlier_process(self, owner: machine_view.CoreOwner) -> processes.Process | None:
        """Return what this process had used at the beginning."""
        found = self._earlier(owner)
        return found.process if found else None

    def _earlier(self, owner: machine_view.CoreOwner) -> machine_view.CoreOwner | None:
        return next((each for each in self.before.view.owners if each.pid == owner.pid), None)


def utilisation(interval: Interval, owner: machine_view.CoreOwner) -> dict[int, float]:
    """Return how busy each core of a process was, in percent."""
    began, ended = interval.before.view.moment, interval.after.view.moment
    return {
        core: activity.utilisation(interval.earlier(owner, core), page, began, ended)
        for core, page in owner.pages.items()
    }


def cpu_percent(interval: Interval, owner: machine_view.CoreOwner) -> tuple[float, float]:
    """Return the shares of all CPUs that a process used in user and in kernel code, in percent."""
    now, then = owner.process, interval.earlier_process(owner)
    cpus = max(len(interval.after.system.cpus) - 1, 1)
    whole = interval.seconds * processes.TICKS_PER_SECOND * cpus
    if now is None or whole <= 0 or then is None or then.start_ticks != now.start_ticks:
        return 0.0, 0.0
    used = (now.user_ticks - then.user_ticks, now.system_ticks - then.system_ticks)
    user, system = (min(max(100.0 * ticks / whole, 0.0), 100.0) for ticks in used)
    return user, system
