"""The one loop that gives out cores: snapshot, plan, carry out; again when something changed or a timer ends.

Law: decisions are planning's, writes are the executor's. A round that fails is logged and the next one starts from what
the cluster is then; nothing but the back-off is remembered between rounds.
"""

import asyncio
import collections
import dataclasses
import datetime as dt
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping

from neuronspan_agent import backoff, resources, signals
from neuronspan_operator import metrics, reasons
from neuronspan_operator.cluster import storage_caches, world
from neuronspan_operator.planning import planner, plans
from neuronspan_operator.planning import snapshot as snapshots  # the round's value has the plain name
from neuronspan_operator.reconciling import avoidance, claim_writes, executor, ledger_writes, pod_writes, storms
from neuronspan_operator.telling import conditions, notices, recorder, refusals

_log = logging.getLogger(__name__)

_BROKEN_ROUND_SECONDS = 5.0
"""After a round that ended in an exception: a bug must not turn the operator into a load generator."""


@dataclasses.dataclass(frozen=True, slots=True)
class Tempo:
    """How the loop runs: see config.Settings for the meaning."""

    debounce_seconds: float = 0.02
    writers: int = 32
    starvation_seconds: float = snapshots.STARVATION_SECONDS


Thinker = Callable[[plans.Snapshot, dt.datetime], Awaitable[plans.Plan]]


async def think_aside(snapshot: plans.Snapshot, now: dt.datetime) -> plans.Plan:
    """Plan in a thread: the loop renews the lease and answers probes, however long a plan takes."""
    return await asyncio.to_thread(planner.plan_around, snapshot, now)


@dataclasses.dataclass(frozen=True, slots=True)
class Telling:
    """Where people and autoscalers are told what is decided."""

    refused: refusals.Refusals
    conditions: conditions.Teller
    events: recorder.Recorder


class Reconciler:
    """One per process, and only the leader's runs. ``now`` gives the time of day, ``think`` makes the plans."""

    def __init__(
        self,
        client: executor.Writer,
        known: world.World,
        telling: Telling,
        meters: metrics.Metrics,
        *,
        now: Callable[[], dt.datetime],
        tempo: Tempo | None = None,
        think: Thinker = think_aside,
    ) -> None:
        tempo = tempo or Tempo()
        self._known = known
        self._telling = telling
        self._meters = meters
        self._now = now
        self._think = think
        self._failures = backoff.Backoff(asyncio.get_running_loop().time)
        self._storms = storms.StormGuard(self._failures)
        self._avoidance = avoidance.Avoidance(asyncio.get_running_loop().time)
        self._executor = executor.Executor(
            client, known, self._failures, telling.refused, meters, now=now, writers=tempo.writers
        )
        self._changed = signals.Signal()
        self._debounce_seconds = tempo.debounce_seconds
        self._starvation_seconds = tempo.starvation_seconds
        self._drift: frozenset[plans.Drift] = frozenset()
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
                pause = _BROKEN_ROUND_SECONDS
                outcome = reasons.Outcome.FAILED
            self._meters.rounds.labels(outcome).inc()
            await self._changed.beyond_within(seen, pause, collect_seconds=self._debounce_seconds)

    async def reconcile(self) -> float | None:
        """Do one round; gives the seconds after which the next one is due even if nothing changes."""
        snapshot = self._known.snapshot()
        calm, held_back = self._storms.calm(self._avoidance.recall(snapshot))
        calm = dataclasses.replace(calm, spared=self._executor.spared(), starvation_seconds=self._starvation_seconds)
        started = time.perf_counter()
        plan = await self._think(calm, self._now())
        self._meters.planning.observe(time.perf_counter() - started)
        self._count_drift(plan)
        self._leave_alone(plan)
        report = await self._executor.carry_out(plan, calm)
        for bind in report.refused:
            self._avoidance.binding_refused(bind.pod, bind.node)
        refused = self._telling.refused.waiting(snapshot.pods, snapshots.granted(snapshot))
        waiting = {**plan.waiting, **held_back, **refused}
        self._show(snapshot, waiting)
        self._tell(snapshot, waiting, (*plan.notices, *report.notices))
        self._forget(snapshot)
        if report.stale:
            self._changed.raised()
        return self._pause(plan)

    def _leave_alone(self, plan: plans.Plan) -> None:
        """Plan without the pods that planning cannot digest for a while: to find them out costs many plans."""
        if plan.bug is None:
            return
        failed = sorted(uid for uid, why in plan.waiting.items() if why.reason is reasons.WaitingReason.PLANNING_FAILED)
        pause = max(self._failures.failed(uid) for uid in failed)
        _log.error("planning failed", extra={"pods": ", ".join(failed), "pause": pause}, exc_info=plan.bug)

    def _pause(self, plan: plans.Plan) -> float | None:
        timer = None if plan.wake_at is None else max(0.0, (plan.wake_at - self._now()).total_seconds())
        waits = timer, self._failures.next_release(), self._known.next_question(), self._avoidance.next_release()
        return min((wait for wait in waits if wait is not None), default=None)

    def _show(self, snapshot: plans.Snapshot, waiting: Mapping[str, plans.Waiting]) -> None:
        views = snapshot.neuron_nodes.values()
        self._meters.nodes.show({view.name: view.ledger for view in views if view.ledger is not None})
        self._meters.waiting.clear()
        for reason, count in collections.Counter(why.reason for why in waiting.values()).items():
            self._meters.waiting.labels(reason).set(count)

    def _count_drift(self, plan: plans.Plan) -> None:
        """Count and log disagreements when they appear."""
        drift = frozenset(plan.drift)
        for each in sorted(drift - self._drift, key=lambda each: (each.node, each.kind, each.message)):
            _log.warning("drift", extra={"node": each.node, "kind": each.kind, "reason": each.message})
            self._meters.drift.labels(each.kind).inc()
        self._drift = drift

    def _tell(
        self, snapshot: plans.Snapshot, waiting: Mapping[str, plans.Waiting], told: Iterable[plans.Notice]
    ) -> None:
        """Say who waits for what, and what was done."""
        known = snapshot.pods
        waiting = {uid: why for uid, why in waiting.items() if not why.passing}
        explained = (notices.waits(known[uid], why) for uid, why in sorted(waiting.items()) if uid in known)
        self._telling.conditions.tell(waiting, known)
        self._telling.events.tell([*explained, *told, *self._telling.refused.notices(known)], known.keys())

    def _forget(self, snapshot: plans.Snapshot) -> None:
        """Forget the failures of what is gone."""
        keys = set(snapshot.pods)
        open_claims = (claim for claim in snapshot.storage.claims.values() if not claim.settled)
        keys |= {claim_writes.claim_key(claim.uid) for claim in open_claims}
        keys |= {ledger_writes.node_key(name) for name in snapshot.neuron_nodes}
        for pod in snapshot.pods.values():
            keys.add(pod_writes.eviction_key(pod))
            keys.add(storms.owner_key(pod))
        mentioned = snapshots.mentioned(self._known.snapshot())  # with the grants that this round has stored
        keys |= {pod_writes.inquiry_key(uid) for uid in mentioned}
        keys |= {ledger_writes.grant_key(uid) for uid in mentioned | snapshot.pods.keys()}
        self._failures.keep_only(keys)
        self._telling.refused.forget(mentioned | snapshot.pods.keys(), snapshot.neuron_nodes.keys())
        self._known.forget_lost_pods(mentioned)
