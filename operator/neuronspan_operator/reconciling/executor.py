"""Carries out a plan: inquiries and pod patches, then per node the ledger write and after it the bindings, then evictions.

Law: a pod is bound only after the write of its node's ledger succeeded; every write compares before it swaps. What
fails is left alone for a while and decided anew from what the cluster is then; nothing is undone.
"""

import asyncio
import collections
import datetime as dt
import functools
import logging
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Protocol

from neuronspan_agent import backoff, calls, errors, resources
from neuronspan_operator import metrics, reasons
from neuronspan_operator.cluster import world
from neuronspan_operator.objects import neuron_nodes
from neuronspan_operator.planning import plans
from neuronspan_operator.reconciling import durations, grant_log, pod_writes

_log = logging.getLogger(__name__)


class Writer(pod_writes.Client, calls.MergePatches, Protocol):
    """The calls the executor needs."""


_Departure = Callable[[pod_writes.Report], Coroutine[Any, Any, None]]


class Executor:
    """Writes what plans say; ``failures`` has the keys of what is left alone for now: see the functions at the end."""

    def __init__(
        self,
        client: Writer,
        known: world.World,
        failures: backoff.Backoff,
        meters: metrics.Metrics,
        *,
        now: Callable[[], dt.datetime],
        writers: int,
    ) -> None:
        self._client = client
        self._known = known
        self._failures = failures
        self._meters = meters
        self._now = now
        self._room = asyncio.Semaphore(writers)
        self._pods = pod_writes.PodWriter(client, known, failures, meters, now=now, room=self._room)

    async def carry_out(self, plan: plans.Plan, snapshot: plans.Snapshot) -> pod_writes.Report:
        """Do all of it; what fails is in the report, the metrics and the log."""
        report = pod_writes.Report()
        async with asyncio.TaskGroup() as group:
            for inquiry in plan.inquiries:
                group.create_task(self._pods.inquire(inquiry, report))
            for patch in plan.patches:
                group.create_task(self._pods.correct(patch, report))
        leaving: dict[str, list[_Departure]] = collections.defaultdict(list)
        for bind in plan.bindings:
            leaving[bind.node].append(functools.partial(self._pods.bind, bind))
        for ungate in plan.ungates:
            leaving[ungate.node].append(functools.partial(self._pods.ungate, ungate))
        writes = {write.node: write for write in plan.ledgers}
        async with asyncio.TaskGroup() as group:
            for node in sorted(writes.keys() | leaving.keys()):
                group.create_task(self._settle(writes.get(node), leaving[node], snapshot, report))
            for eviction in plan.evictions:
                group.create_task(self._pods.evict(eviction, report))
        return report

    async def _settle(
        self,
        write: plans.LedgerWrite | None,
        leaving: Iterable[_Departure],
        snapshot: plans.Snapshot,
        report: pod_writes.Report,
    ) -> None:
        """One node: its ledger first, then the pods that count on it."""
        if write is not None and not await self._write_ledger(write, snapshot, report):
            return
        async with asyncio.TaskGroup() as group:
            for depart in leaving:
                group.create_task(depart(report))

    # --- ledgers -------------------------------------------------------------------------------------------------

    async def _write_ledger(
        self, write: plans.LedgerWrite, snapshot: plans.Snapshot, report: pod_writes.Report
    ) -> bool:
        """Store a ledger by compare-and-swap; tells whether it is stored."""
        key = node_key(write.node)
        if self._failures.holds(key):
            return False
        view = snapshot.neuron_nodes[write.node]
        try:
            async with self._room:
                patch = neuron_nodes.spec_patch(view, write.ledger)
                stored = await self._client.merge_patch(resources.NEURON_NODES, write.node, patch)
        except errors.Conflict:
            outcome = reasons.Outcome.CONFLICT
            _log.info("another writer was first, planning again", extra={"node": write.node})
            await self._read_again(view, report)
        except errors.KubernetesError as error:
            refused = isinstance(error, errors.Invalid)
            outcome = reasons.Outcome.REFUSED if refused else reasons.Outcome.FAILED
            delay = self._failures.failed(key)
            level = logging.ERROR if refused else logging.WARNING
            _log.log(level, "ledger not written", extra={"node": write.node, "pause": delay, "error": str(error)})
        else:
            outcome = reasons.Outcome.WRITTEN
            self._failures.succeeded(key)
            self._known.saw_neuron_node(view.resource_version, stored)
            self._measure(view, write, snapshot)
        self._meters.ledger_writes.labels(outcome).inc()
        return outcome == reasons.Outcome.WRITTEN

    async def _read_again(self, view: neuron_nodes.NeuronNodeView, report: pod_writes.Report) -> None:
        """Read the object now; the cache has not seen the other write yet."""
        try:
            async with self._room:
                fresh = await self._client.get(resources.NEURON_NODES, view.name)
        except errors.KubernetesError as error:
            self._failures.failed(node_key(view.name))
            _log.warning("ledger not read again", extra={"node": view.name, "error": str(error)})
        else:
            self._known.saw_neuron_node(view.resource_version, fresh)
            report.stale = True

    def _measure(self, view: neuron_nodes.NeuronNodeView, write: plans.LedgerWrite, snapshot: plans.Snapshot) -> None:
        for why in write.why:
            _log.info("ledger changed", extra={"node": write.node, "reason": why})
        grant_log.stored(write.node, view.ledger, write.ledger)
        if view.ledger is not None:
            for stage, seconds in durations.passed(view.ledger, write.ledger, snapshot.pods, self._now()):
                self._meters.stages.labels(stage).observe(seconds)


def node_key(node: str) -> str:
    """Return the back-off key of a node."""
    return f"node/{node}"
