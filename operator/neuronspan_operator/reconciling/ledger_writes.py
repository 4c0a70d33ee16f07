"""Writes ledgers, by compare-and-swap; what the API server will not store is found and left out: the rest is stored.

Law: one bad entry never stops a node: a refused write is halved until the part that is refused stands alone, and that
part is left out of later writes for a while.
"""

import asyncio
import dataclasses
import datetime as dt
import logging
from collections.abc import Callable, Sequence
from typing import Protocol

from neuronspan import ledger
from neuronspan_agent import backoff, calls, errors, resources
from neuronspan_operator import metrics, reasons
from neuronspan_operator.cluster import world
from neuronspan_operator.objects import neuron_nodes
from neuronspan_operator.planning import plans
from neuronspan_operator.reconciling import durations, grant_log, ledger_parts, reports
from neuronspan_operator.telling import refusals

_log = logging.getLogger(__name__)

_GRANT = "grant/"


class Client(calls.Gets, calls.MergePatches, Protocol):
    """The calls that are needed here."""


@dataclasses.dataclass(slots=True)
class _Attempt:
    """One node's write in progress: what is stored by now, and what is to be stored."""

    view: neuron_nodes.NeuronNodeView
    stored: ledger.Ledger
    wanted: ledger.Ledger


class LedgerWriter:
    """Stores ledgers; ``failures`` has the keys of what is left alone, ``room`` bounds parallel calls."""

    def __init__(
        self,
        client: Client,
        known: world.World,
        failures: backoff.Backoff,
        refused: refusals.Refusals,
        meters: metrics.Metrics,
        *,
        now: Callable[[], dt.datetime],
        room: asyncio.Semaphore,
    ) -> None:
        self._client = client
        self._known = known
        self._failures = failures
        self._refused = refused
        self._meters = meters
        self._now = now
        self._room = room

    async def write(self, write: plans.LedgerWrite, snapshot: plans.Snapshot, report: reports.Report) -> frozenset[str]:
        """Store what can be stored; returns the UIDs of the pods whose part is not."""
        view = snapshot.neuron_nodes[write.node]
        if view.ledger is None:
            return frozenset()
        parts = ledger_parts.split(view.ledger, write.ledger)
        everybody = frozenset(uid for part in parts for uid in part.uids)
        if self._failures.holds(node_key(write.node)):
            return everybody
        held = [part for part in parts if any(self._failures.holds(grant_key(uid)) for uid in part.uids)]
        attempt = _Attempt(view, view.ledger, write.ledger)
        try:
            missing = await self._store(attempt, [part for part in parts if part not in held], report)
        except errors.Conflict:
            self._meters.ledger_writes.labels(reasons.Outcome.CONFLICT).inc()
            _log.info("another writer was first, planning again", extra={"node": write.node})
            await self._read_again(view, report)
            return everybody
        except errors.KubernetesError as error:
            self._meters.ledger_writes.labels(reasons.Outcome.FAILED).inc()
            delay = self._failures.failed(node_key(write.node))
            self._refused.failed(refusals.Write.LEDGER, write.node, error, everybody)
            _log.warning("ledger not written", extra={"node": write.node, "pause": delay, "error": str(error)})
            return everybody
        self._failures.succeeded(node_key(write.node))
        self._refused.succeeded(refusals.Write.LEDGER, write.node)
        self._measure(view.ledger, attempt.stored, write, snapshot)
        return frozenset(uid for part in (*held, *missing) for uid in part.uids)

    # --- inside --------------------------------------------------------------------------------------------------

    async def _store(
        self, attempt: _Attempt, parts: Sequence[ledger_parts.Part], report: reports.Report
    ) -> list[ledger_parts.Part]:
        """Store these parts, all at once if that is taken, else in halves; returns those that are refused."""
        if not parts:
            return []
        try:
            await self._swap(attempt, ledger_parts.only(attempt.stored, attempt.wanted, parts))
        except errors.Invalid as error:
            self._meters.ledger_writes.labels(reasons.Outcome.REFUSED).inc()
            if len(parts) == 1:
                self._leave_out(attempt.view.name, parts[0], error)
                return list(parts)
        else:
            self._meters.ledger_writes.labels(reasons.Outcome.WRITTEN).inc()
            for uid in {uid for part in parts for uid in part.uids}:
                self._failures.succeeded(grant_key(uid))
                self._refused.succeeded(refusals.Write.GRANT, uid)
            return []
        report.stale = True  # others of this node are to be let go, too
        half = len(parts) // 2
        return [
            *await self._store(attempt, parts[:half], report),
            *await self._store(attempt, parts[half:], report),
        ]

    async def _swap(self, attempt: _Attempt, changed: ledger.Ledger) -> None:
        name = attempt.view.name
        async with self._room:
            patch = neuron_nodes.spec_patch(attempt.view, changed)
            answer = await self._client.merge_patch(resources.NEURON_NODES, name, patch)
        self._known.saw_neuron_node(attempt.view.resource_version, answer)
        attempt.view, attempt.stored = neuron_nodes.read(answer), changed

    def _leave_out(self, node: str, part: ledger_parts.Part, error: errors.KubernetesError) -> None:
        delay = max(self._failures.failed(grant_key(uid)) for uid in part.uids)
        for uid in part.uids:
            self._refused.failed(refusals.Write.GRANT, uid, error, [uid])
        pods = ", ".join(sorted(part.uids))
        _log.error("grant not stored", extra={"node": node, "pods": pods, "pause": delay, "error": str(error)})

    async def _read_again(self, view: neuron_nodes.NeuronNodeView, report: reports.Report) -> None:
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

    def _measure(
        self, before: ledger.Ledger, after: ledger.Ledger, write: plans.LedgerWrite, snapshot: plans.Snapshot
    ) -> None:
        for why in write.why:
            _log.info("ledger changed", extra={"node": write.node, "reason": why})
        grant_log.stored(write.node, before, after)
        for stage, seconds in durations.passed(before, after, snapshot.pods, self._now()):
            self._meters.stages.labels(stage).observe(seconds)


def node_key(node: str) -> str:
    """Return the back-off key of a node."""
    return f"node/{node}"


def grant_key(uid: str) -> str:
    """Return the back-off key of a pod's grants, which the API server refused to store."""
    return f"{_GRANT}{uid}"


def uid_of_grant(key: str) -> str:
    """Return the UID of the pod whose grants have this back-off key, "" when it is another kind of key."""
    return key.removeprefix(_GRANT) if key.startswith(_GRANT) else ""
