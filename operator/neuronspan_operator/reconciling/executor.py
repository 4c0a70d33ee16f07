"""Carries out a plan: pod patches, then per node its ledger, the claims of its pods and the ungates; then evictions.

Law: a pod is ungated, and its claims are written, only after the write of its node's ledger succeeded; every write
compares before it swaps. What fails is left alone for a while and decided anew from what the cluster is then; nothing
is undone.
"""

import asyncio
import collections
import dataclasses
import datetime as dt
import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from neuronspan_agent import backoff, calls, errors, resources
from neuronspan_operator import metrics, reasons
from neuronspan_operator.cluster import world
from neuronspan_operator.objects import neuron_nodes, pods
from neuronspan_operator.planning import plans
from neuronspan_operator.reconciling import claim_writer, durations, grant_log
from neuronspan_operator.scheduling.volumes import claiming

_log = logging.getLogger(__name__)


class Writer(calls.Gets, calls.MergePatches, calls.JsonPatches, calls.Evicts, Protocol):
    """The calls the executor needs."""


@dataclasses.dataclass(slots=True)
class Report:
    """What came of a plan: whether it was made on a state that is no longer true, and what people should know."""

    stale: bool = False
    notices: list[plans.Notice] = dataclasses.field(default_factory=list)


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
        self._claims = claim_writer.ClaimWriter(client, known.volumes, failures, meters, self._room)

    async def carry_out(self, plan: plans.Plan, snapshot: plans.Snapshot) -> Report:
        """Do all of it; what fails is in the report, the metrics and the log."""
        report = Report()
        async with asyncio.TaskGroup() as group:
            for patch in plan.patches:
                group.create_task(self._correct(patch, report))
        ungates: dict[str, list[plans.Ungate]] = collections.defaultdict(list)
        for ungate in plan.ungates:
            ungates[ungate.node].append(ungate)
        claims: dict[str, list[claiming.Write]] = collections.defaultdict(list)
        for claim in plan.claims:
            claims[claim.node].append(claim)
        writes = {write.node: write for write in plan.ledgers}
        async with asyncio.TaskGroup() as group:
            for node in sorted(writes.keys() | ungates.keys() | claims.keys()):
                group.create_task(self._settle(writes.get(node), claims[node], ungates[node], snapshot, report))
            for eviction in plan.evictions:
                group.create_task(self._evict(eviction, report))
        return report

    async def _settle(
        self,
        write: plans.LedgerWrite | None,
        claims: Iterable[claiming.Write],
        ungates: Iterable[plans.Ungate],
        snapshot: plans.Snapshot,
        report: Report,
    ) -> None:
        """One node: its ledger first, then the claims and the pods that count on it."""
        if write is not None and not await self._write_ledger(write, snapshot, report):
            return
        async with asyncio.TaskGroup() as group:
            for claim in claims:
                group.create_task(self._write_claim(claim, report))
        async with asyncio.TaskGroup() as group:
            for ungate in ungates:
                group.create_task(self._ungate(ungate, report))

    # --- ledgers -------------------------------------------------------------------------------------------------

    async def _write_ledger(self, write: plans.LedgerWrite, snapshot: plans.Snapshot, report: Report) -> bool:
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

    async def _read_again(self, view: neuron_nodes.NeuronNodeView, report: Report) -> None:
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

    async def _write_claim(self, write: claiming.Write, report: Report) -> None:
        notice = await self._claims.write(write)
        if notice is not None:
            report.notices.append(notice)

    # --- pods ----------------------------------------------------------------------------------------------------

    async def _correct(self, patch: plans.PodPatch, report: Report) -> None:
        outcome = await self._patch(patch.pod, patch.patch, report)
        self._meters.pod_patches.labels(outcome).inc()
        _log.info("pod annotated", extra={"pod": patch.pod.key, "reason": patch.why, "outcome": outcome})

    async def _ungate(self, ungate: plans.Ungate, report: Report) -> None:
        outcome = await self._patch(ungate.pod, ungate.patch, report)
        self._meters.ungates.labels(outcome).inc()
        if outcome != reasons.Outcome.DONE:
            return
        member = self._known.members().get(ungate.node)
        book = None if member is None else member.view.ledger
        since = min((grant.since for grant in book.of_pod(ungate.pod.uid)), default="") if book is not None else ""
        self._meters.stages.labels(durations.UNGATED).observe(durations.seconds_since(since, self._now()))
        given = ", ".join(f"{container} {span}" for container, span in sorted(ungate.spans.items()))
        report.notices.append(
            plans.Notice.on(
                ungate.pod, reasons.EventReason.GRANTED, f"NeuronCores on {ungate.node}: {given}.", warning=False
            )
        )

    async def _patch(self, pod: pods.PodView, operations: Sequence[dict[str, Any]], report: Report) -> reasons.Outcome:
        """Patch a pod as it was planned on; gives done, stale, gone, refused, failed or held."""
        if self._failures.holds(pod.uid):
            return reasons.Outcome.HELD
        try:
            async with self._room:
                patched = await self._client.json_patch(resources.PODS, pod.name, operations, pod.namespace)
        except errors.NotFound:
            return reasons.Outcome.GONE
        except (errors.Invalid, errors.Conflict) as error:
            return await self._refused(pod, error, report)
        except errors.KubernetesError as error:
            self._hold_pod(pod, error)
            return reasons.Outcome.FAILED
        self._failures.succeeded(pod.uid)
        self._known.saw_pod(pod, patched)
        return reasons.Outcome.DONE

    async def _refused(self, pod: pods.PodView, error: errors.KubernetesError, report: Report) -> reasons.Outcome:
        """Tell a pod that has changed since it was planned on from one that the API server will not have changed."""
        try:
            async with self._room:
                fresh = await self._client.get(resources.PODS, pod.name, pod.namespace)
        except errors.NotFound:
            return reasons.Outcome.GONE
        except errors.KubernetesError as unread:
            self._hold_pod(pod, unread)
            return reasons.Outcome.FAILED
        metadata = fresh["metadata"]
        if metadata["uid"] != pod.uid:
            return reasons.Outcome.GONE
        if metadata["resourceVersion"] != pod.resource_version:
            self._known.saw_pod(pod, fresh)
            report.stale = True
            return reasons.Outcome.STALE
        self._hold_pod(pod, error)
        report.notices.append(
            plans.Notice.on(
                pod, reasons.EventReason.PATCH_REFUSED, f"The API server refuses to change the pod: {error}."
            )
        )
        return reasons.Outcome.REFUSED

    def _hold_pod(self, pod: pods.PodView, error: errors.KubernetesError) -> None:
        delay = self._failures.failed(pod.uid)
        _log.warning("pod not patched", extra={"pod": pod.key, "pause": delay, "error": str(error)})

    async def _evict(self, eviction: plans.Evict, report: Report) -> None:
        pod, key = eviction.pod, eviction_key(eviction.pod)
        if self._failures.holds(key):
            return
        self._failures.failed(key)  # asked for once; asked again later if the pod is still there
        report.notices.append(plans.Notice.on(pod, reasons.EventReason.EVICTED, eviction.reason))
        try:
            async with self._room:
                await self._client.evict(pod.name, pod.namespace, uid=pod.uid)
        except (errors.NotFound, errors.Conflict):
            outcome = reasons.Outcome.GONE
        except errors.KubernetesError as error:
            outcome = reasons.Outcome.FAILED
            _log.warning("pod not evicted", extra={"pod": pod.key, "error": str(error)})
        else:
            outcome = reasons.Outcome.EVICTED
            _log.info("pod evicted", extra={"pod": pod.key, "reason": eviction.reason})
        self._meters.evictions.labels(outcome).inc()


def node_key(node: str) -> str:
    """Return the back-off key of a node."""
    return f"node/{node}"


def eviction_key(pod: pods.PodView) -> str:
    """Return the back-off key of a pod's eviction; for all else its UID is the key."""
    return f"evict/{pod.uid}"
