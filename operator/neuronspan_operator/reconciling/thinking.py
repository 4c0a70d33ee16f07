"""Has plans made: by one planner that is kept, and when that fails by another one, around the pods it stumbles over.

Law: a bug in planning costs the pods that bring it about, never the others; and the loop goes on while a plan is made.
"""

import asyncio
import datetime as dt
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from neuronspan_operator.cluster import world
from neuronspan_operator.planning import facts, planner, plans
from neuronspan_operator.reconciling import learning

_log = logging.getLogger(__name__)

Work = Callable[[], plans.Plan]
Place = Callable[[Work], Awaitable[plans.Plan]]
"""Where a plan is made."""
_NOTHING: Final = plans.Snapshot({}, {}, {})


async def aside(work: Work) -> plans.Plan:
    """Plan in a thread: the loop renews the lease and answers probes, however long a plan takes."""
    return await asyncio.to_thread(work)


class Thinker:
    """Keeps the planner; ``place`` says where it works, ``starvation_seconds`` is the planner's."""

    def __init__(
        self, known: world.World, learnt: learning.Learning, place: Place, starvation_seconds: float = 0.0
    ) -> None:
        self._known = known
        self._learnt = learnt
        self._place = place
        self._starvation_seconds = starvation_seconds
        self._planner: planner.Planner | None = None
        self._snapshot = _NOTHING  # of a plan from scratch
        self.goes_on = False  # whether the last plan is of the same planner as the one before it

    @property
    def snapshot(self) -> plans.Snapshot:
        """What the last plan was made on; valid until the next one."""
        return self._snapshot if self._planner is None else self._planner.facts.snapshot()

    def forget(self) -> None:
        """Have the next plan made from scratch: what was to follow from the last one may be left undone or unsaid."""
        self._planner = None

    async def plan(self, changes: facts.Changes, now: dt.datetime) -> plans.Plan:
        """Return everything that is to be done after these changes; raises what planning raises without any pod."""
        self.goes_on = self._planner is not None
        if self._planner is None:
            kept = planner.Planner(starvation_seconds=self._starvation_seconds)
            changes = self._learnt.added_to(self._known.everything())
        else:
            kept = self._planner
        self._planner = None  # whatever interrupts it, half a plan is nothing to go on with
        try:
            plan = await self._place(lambda: kept.plan(changes, now))
        except Exception as bug:  # noqa: BLE001 - whatever it is, the plan from scratch meets it again or does without
            _log.exception("the plan failed, making another one from scratch", extra={"error": repr(bug)})
            return await self._plan_anew(now)
        self._planner, self._snapshot = kept, _NOTHING
        return plan

    async def _plan_anew(self, now: dt.datetime) -> plans.Plan:
        self.goes_on = False
        everything = facts.Facts(starvation_seconds=self._starvation_seconds)
        everything.take(self._learnt.added_to(self._known.everything()))
        snapshot = everything.snapshot()
        plan = await self._place(lambda: planner.plan_around(snapshot, now))
        self._snapshot = snapshot
        return plan
