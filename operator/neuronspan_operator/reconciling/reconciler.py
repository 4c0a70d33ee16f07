"""The one loop that gives out cores: what changed, plan, carry out; again when something changed or a timer ends.

Law: decisions are planning's, writes are the executor's. A round costs what changed. One that fails is logged, and the
next one starts from what the cluster is then.
"""

import asyncio
import dataclasses
import datetime as dt
import logging
import time
from collections.abc import Callable

from neuronspan_agent import resources, signals
from neuronspan_operator import metrics, reasons
from neuronspan_operator.cluster import storage_caches, world
from neuronspan_operator.planning import plans
from neuronspan_operator.planning import snapshot as snapshots  # as everywhere where a snapshot is at hand
from neuronspan_operator.reconciling import executor, learning, ledger_writes, pod_writes, thinking
from neuronspan_operator.telling import conditions, recorder, refusals, voice

_log = logging.getLogger(__name__)

_BROKEN_ROUND_SECONDS = 5.0
"""After a round that ended in an exception: a bug must not turn the operator into a load generator."""
_SWEEP_SECONDS = 10.0
"""Between two looks at what may be forgotten."""


@dataclasses.dataclass(frozen=True, slots=True)
class Tempo:
    """How the loop runs: see config.Settings for the meaning."""

    debounce_seconds: float = 0.005
    writers: int = 32
    starvation_seconds: float = snapshots.STARVATION_SECONDS


@dataclasses.dataclass(frozen=True, slots=True)
class Telling:
    """Where people and autoscalers are told what is decided."""

    refused: refusals.Refusals
    conditions: conditions.Teller
    events: recorder.Recorder


class Reconciler:
    """One per process, and only the leader's runs. ``now`` gives the time of day, ``place`` is where plans are made."""

    def __init__(
        self,
        client: executor.Writer,
        known: world.World,
        telling: Telling,
        meters: metrics.Metrics,
        *,
        now: Callable[[], dt.datetime],
        tempo: Tempo | None = None,
        place: thinking.Place = thinking.aside,
    ) -> None:
        tempo = tempo or Tempo()
        self._clock = asyncio.get_running_loop().time
        self._known = known
        self._refused = telling.refused
        self._meters = meters
        self._now = now
        self._learnt = learning.Learning(self._clock, known.pod)
        self._thinker = thinking.Thinker(known, self._learnt, place, tempo.starvation_seconds)
        self._voice = voice.Voice(telling.refused, telling.conditions, telling.events, meters, known.pod)
        self._executor = executor.Executor(
            client, known, self._learnt.failures, telling.refused, meters, now=now, writers=tempo.writers
        )
        self._changed = signals.Signal()
        self._debounce_seconds = tempo.debounce_seconds
        self._drift: frozenset[plans.Drift] = frozenset()
        self._sweep_at = 0.0
        meters.nodes.show(self._learnt.holdings.ledgers)
        kinds = (
            resources.PODS,
            resources.NODES,
            resources.NAMESPACES,
            resources.NEURON_NODES,
            resources.NEURON_POOLS,
            resources.BUDGETS,
        )
        known.subscribe(self._changed.raised, *kinds, *(kind.resource for kind in storage_caches.KINDS))

    async def run(self) -> None:
        """Reconcile for ever, once the caches are complete."""
        await self._known.synced()
        while True:
            seen = self._changed.version
            try:
                pause = await self.reconcile()
                outcome = reasons.Outcome.DONE
            except Exception:  # noqa: BLE001 - a pod that planning cannot digest must not stop all the others for good
                _log.exception("a round failed", extra={"pause": _BROKEN_ROUND_SECONDS})
                self._thinker.forget()
                pause = _BROKEN_ROUND_SECONDS
                outcome = reasons.Outcome.FAILED
            self._meters.rounds.labels(outcome).inc()
            await self._next_change(seen, pause)

    async def _next_change(self, seen: int, pause: float | None) -> None:
        """Wait for a change: when the loop is busy also for what else comes, and a pod that comes alone for nothing."""
        ended = self._clock()
        if await self._changed.beyond_within(seen, pause):
            await asyncio.sleep(max(0.0, ended + self._debounce_seconds - self._clock()))

    async def reconcile(self) -> float | None:
        """Do one round; gives the seconds after which the next one is due even if nothing changes."""
        lesson = self._learnt.take(self._known.changes(), self._executor.spared())
        self._forget(lesson)
        started = time.perf_counter()
        plan = await self._thinker.plan(lesson.changes, self._now())
        self._meters.planning.observe(time.perf_counter() - started)
        report = await self._executor.carry_out(plan, self._thinker.snapshot)
        self._count_drift(plan)
        self._leave_alone(plan)
        for bind in report.refused:
            self._learnt.avoidance.binding_refused(bind.pod, bind.node)
        why = voice.Why(plan.waiting, self._learnt.storms.waiting, self._learnt.holdings.granted)
        news = plan.news | lesson.touched
        if not self._thinker.goes_on:  # then the plan does not know what it says otherwise than the one before
            news |= plan.waiting.keys() | self._voice.said
        self._voice.say(news, why, (*plan.notices, *report.notices))
        if report.stale:
            self._changed.raised()
        return self._pause(plan)

    def _leave_alone(self, plan: plans.Plan) -> None:
        """Plan without the pods that planning cannot digest for a while: to find them out costs many plans."""
        if plan.bug is None:
            return
        failed = sorted(uid for uid, why in plan.waiting.items() if why.reason is reasons.WaitingReason.PLANNING_FAILED)
        pause = max(self._learnt.failures.failed(uid) for uid in failed)
        _log.error("planning failed", extra={"pods": ", ".join(failed), "pause": pause}, exc_info=plan.bug)

    def _pause(self, plan: plans.Plan) -> float | None:
        timer = None if plan.wake_at is None else max(0.0, (plan.wake_at - self._now()).total_seconds())
        waits = timer, self._learnt.next_release(), self._known.next_question()
        return min((wait for wait in waits if wait is not None), default=None)

    def _count_drift(self, plan: plans.Plan) -> None:
        """Count and log disagreements when they appear."""
        drift = frozenset(plan.drift)
        for each in sorted(drift - self._drift, key=lambda each: (each.node, each.kind, each.message)):
            _log.warning("drift", extra={"node": each.node, "kind": each.kind, "reason": each.message})
            self._meters.drift.labels(each.kind).inc()
        self._drift = drift

    def _forget(self, lesson: learning.Lesson) -> None:
        """Forget what is gone, at once where the change tells, and the rest now and then."""
        holdings = self._learnt.holdings
        keys: list[str] = []
        for uid in lesson.touched:
            if self._known.pod(uid) is None:
                keys += pod_writes.keys_of(uid)
                if uid not in holdings:
                    self._refused.forget_pod(uid)
                    keys += [pod_writes.inquiry_key(uid), ledger_writes.grant_key(uid)]
        for name, member in lesson.changes.members.items():
            if member is None:
                self._refused.forget_node(name)
                keys.append(ledger_writes.node_key(name))
        for key in keys:
            self._learnt.failures.succeeded(key)
        if self._clock() >= self._sweep_at:
            self._sweep_at = self._clock() + _SWEEP_SECONDS
            self._learnt.failures.forget_old()
            self._known.forget_lost_pods(holdings)
