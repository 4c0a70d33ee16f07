"""Carries out a plan: inquiries and pod patches, then per node ledger, claims and bindings, then evictions.

Law: a pod is bound, and its claims are written, only after the write of its node's ledger succeeded; every write
compares before it swaps. What fails is left alone for a while and decided anew from what the cluster is then; nothing
is undone.
"""

import asyncio
import collections
import datetime as dt
from collections.abc import Callable, Iterable
from typing import Protocol

from neuronspan_agent import backoff
from neuronspan_operator import metrics
from neuronspan_operator.cluster import world
from neuronspan_operator.planning import plans
from neuronspan_operator.reconciling import claim_writes, ledger_writes, pod_writes, reports
from neuronspan_operator.scheduling.volumes import claiming
from neuronspan_operator.telling import refusals


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
        room = asyncio.Semaphore(writers)
        self._pods = pod_writes.PodWriter(client, known, failures, refused, meters, now=now, room=room)
        self._ledgers = ledger_writes.LedgerWriter(client, known, failures, refused, meters, now=now, room=room)
        self._claims = claim_writes.ClaimWriter(client, known.volumes, failures, refused, meters, room=room)

    async def carry_out(self, plan: plans.Plan, snapshot: plans.Snapshot) -> reports.Report:
        """Do all of it; what fails is in the report, the metrics and the log."""
        report = reports.Report()
        async with asyncio.TaskGroup() as group:
            for inquiry in plan.inquiries:
                group.create_task(self._pods.inquire(inquiry, report))
            for patch in plan.patches:
                group.create_task(self._pods.correct(patch, report))
        leaving: dict[str, list[plans.Bind | plans.Ungate]] = collections.defaultdict(list)
        for departure in plan.departures:
            leaving[departure.node].append(departure)
        claims: dict[str, list[claiming.Write]] = collections.defaultdict(list)
        for claim in plan.claims:
            claims[claim.node].append(claim)
        writes = {write.node: write for write in plan.ledgers}
        async with asyncio.TaskGroup() as group:
            for node in sorted(writes.keys() | claims.keys() | leaving.keys()):
                group.create_task(self._settle(writes.get(node), claims[node], leaving[node], snapshot, report))
            for eviction in plan.evictions:
                group.create_task(self._pods.evict(eviction, report))
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
                    group.create_task(self._claims.write(claim))
        async with asyncio.TaskGroup() as group:
            for departure in leaving:
                if departure.pod.uid not in missing:
                    group.create_task(self._let_go(departure, report))

    async def _let_go(self, departure: plans.Bind | plans.Ungate, report: reports.Report) -> None:
        if isinstance(departure, plans.Bind):
            await self._pods.bind(departure, report)
        else:
            await self._pods.ungate(departure, report)
