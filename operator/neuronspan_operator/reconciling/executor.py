"""Carries out a plan: inquiries and pod patches, then per node ledger, claims and bindings, then evictions.

Law: a pod is bound, and its claims are written, only after the write of its node's ledger succeeded; every write
compares before it swaps. What fails is left alone for a while and decided anew from what the cluster is then; nothing
is undone.
"""

import asyncio
import collections
import datetime as dt
import logging
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Protocol

from neuronspan_agent import backoff
from neuronspan_operator import metrics
from neuronspan_operator.cluster import world
from neuronspan_operator.planning import plans
from neuronspan_operator.reconciling import claim_writes, ledger_writes, pod_writes, reports
from neuronspan_operator.scheduling.volumes import claiming
from neuronspan_operator.telling import refusals

_log = logging.getLogger(__name__)


class Writer(pod_writes.Client, ledger_writes.Client, Protocol):
    """The calls the executor needs."""


class Executor:
    """Writes what plans say; ``failures`` has the keys of what is left alone, ``refused`` the server's words."""

    def __init__(
        self,
        client: Writer,
        known: world.World,
        failures: backoff.Backoff,
        refused: refusals.Refusals,
        meters: metrics.Metrics,
        *,
        now: Callable[[], dt.datetime],
        writers: int,
    ) -> None:
        self._failures = failures
        room = asyncio.Semaphore(writers)
        self._pods = pod_writes.PodWriter(client, known, failures, refused, meters, now=now, room=room)
        self._ledgers = ledger_writes.LedgerWriter(client, known, failures, refused, meters, now=now, room=room)
        self._claims = claim_writes.ClaimWriter(client, known.volumes, failures, refused, meters, room=room)

    def spared(self) -> frozenset[str]:
        """Return the UIDs of pods that the API server would not evict lately."""
        return self._pods.spared()

    async def carry_out(self, plan: plans.Plan, snapshot: plans.Snapshot) -> reports.Report:
        """Do all of it; what fails is in the report, the metrics and the log."""
        report = reports.Report()
        async with asyncio.TaskGroup() as group:
            for inquiry in plan.inquiries:
                key = pod_writes.inquiry_key(inquiry.uid)
                group.create_task(self._apart(key, self._pods.inquire(inquiry, report)))
            for patch in plan.patches:
                group.create_task(self._apart(patch.pod.uid, self._pods.correct(patch, report)))
        leaving: dict[str, list[plans.Bind | plans.Ungate]] = collections.defaultdict(list)
        for departure in plan.departures:
            leaving[departure.node].append(departure)
        claims: dict[str, list[claiming.Write]] = collections.defaultdict(list)
        for claim in plan.claims:
            claims[claim.node].append(claim)
        writes = {write.node: write for write in plan.ledgers}
        async with asyncio.TaskGroup() as group:
            for node in sorted(writes.keys() | claims.keys() | leaving.keys()):
                settled = self._settle(writes.get(node), claims[node], leaving[node], snapshot, report)
                group.create_task(self._apart(ledger_writes.node_key(node), settled))
            for eviction in plan.evictions:
                key = pod_writes.eviction_key(eviction.pod)
                group.create_task(self._apart(key, self._pods.evict(eviction, report)))
        return report

    async def _settle(
        self,
        write: plans.LedgerWrite | None,
        claims: Iterable[claiming.Write],
        leaving: Iterable[plans.Bind | plans.Ungate],
        snapshot: plans.Snapshot,
        report: reports.Report,
    ) -> None:
        """One node: its ledger first, then the claims of pods that count on it, then these pods."""
        missing = frozenset[str]() if write is None else await self._ledgers.write(write, snapshot, report)
        async with asyncio.TaskGroup() as group:
            for claim in claims:
                if claim.pod.uid not in missing:
                    key = claim_writes.claim_key(claim.claim.uid)
                    group.create_task(self._apart(key, self._claims.write(claim)))
        async with asyncio.TaskGroup() as group:
            for departure in leaving:
                if departure.pod.uid not in missing:
                    group.create_task(self._apart(departure.pod.uid, self._let_go(departure, report)))

    async def _apart(self, key: str, work: Coroutine[Any, Any, None]) -> None:
        """Do one thing so that an error of ours in it, or an answer that nobody foresaw, stops none of the others."""
        try:
            await work
        except Exception:  # noqa: BLE001 - whatever it is, it concerns one object only
            _log.exception("a write failed", extra={"key": key, "pause": self._failures.failed(key)})

    async def _let_go(self, departure: plans.Bind | plans.Ungate, report: reports.Report) -> None:
        if isinstance(departure, plans.Bind):
            await self._pods.bind(departure, report)
        else:
            await self._pods.ungate(departure, report)
