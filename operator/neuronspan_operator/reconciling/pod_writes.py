"""Every write to a pod: its binding, patches, evictions; and the questions whether it exists.

Law: every write compares uid and resourceVersion before it swaps. What fails is left alone for a while; nothing is
undone.
"""

import asyncio
import datetime as dt
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from neuronspan_agent import backoff, calls, errors, resources
from neuronspan_operator import metrics, reasons
from neuronspan_operator.cluster import world
from neuronspan_operator.objects import pod_changes, pods
from neuronspan_operator.planning import plans
from neuronspan_operator.reconciling import durations, reports
from neuronspan_operator.telling import notices, refusals

_log = logging.getLogger(__name__)

_EVICTION = "evict/"
_EVICTIONS = "evictions"
"""The back-off key of all of them: where none is allowed, every pod that may be ended would be tried at once."""


class Client(calls.Gets, calls.StrategicPatches, calls.JsonPatches, calls.Binds, calls.Evicts, Protocol):
    """The calls that are needed here."""


class PodWriter:
    """Writes what plans say of pods; ``failures`` has what is left alone, ``room`` bounds parallel calls."""

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
        self._not_evicted: set[str] = set()

    # --- on their way --------------------------------------------------------------------------------------------

    async def bind(self, bind: plans.Bind, report: reports.Report) -> None:
        """Bind a pod to its node; the API server takes one binding only, and only of the pod as it was planned on."""
        pod = bind.pod
        binding = pod_changes.binding(pod, bind.node, bind.spans)

        def bind_it() -> Awaitable[Any]:
            return self._client.bind(pod.name, pod.namespace, binding)

        outcome, _ = await self._write(refusals.Write.BINDING, pod, bind_it, report)
        self._meters.bindings.labels(outcome).inc()
        if outcome == reasons.Outcome.DONE:
            self._known.bound_pod(pod, pod_changes.bound(pod, bind.node, bind.spans))
            self._measure(pod, bind.node)
            report.notices.append(notices.bound(pod, bind.node, bind.spans))
        elif outcome == reasons.Outcome.REFUSED:
            report.refused.append(bind)

    async def ungate(self, ungate: plans.Ungate, report: reports.Report) -> None:
        """Let a guest go to its scheduler."""
        pod = ungate.pod

        def patch() -> Awaitable[Any]:
            return self._client.json_patch(resources.PODS, pod.name, ungate.patch, pod.namespace)

        outcome, patched = await self._write(refusals.Write.PATCH, pod, patch, report)
        self._meters.ungates.labels(outcome).inc()
        if outcome == reasons.Outcome.DONE:
            self._known.saw_pod(pod, patched)
            self._measure(pod, ungate.node)
            told = ", ".join(f"{container} {span}" for container, span in sorted(ungate.spans.items()))
            message = f"NeuronCores on {ungate.node}: {told}."
            report.notices.append(plans.Notice.on(pod, reasons.EventReason.GRANTED, message, warning=False))

    def _measure(self, pod: pods.PodView, node: str) -> None:
        member = self._known.member(node)
        book = None if member is None else member.view.ledger
        since = min((grant.since for grant in book.of_pod(pod.uid)), default="") if book is not None else ""
        self._meters.stages.labels(durations.BOUND).observe(durations.seconds_since(since, self._now()))

    # --- status --------------------------------------------------------------------------------------------------

    async def correct(self, patch: plans.PodPatch, report: reports.Report) -> None:
        """Patch a pod through its status."""
        pod = patch.pod

        def write() -> Awaitable[Any]:
            return self._client.strategic_patch(resources.PODS, pod.name, patch.patch, pod.namespace, "status")

        kind = refusals.Write.FENCE if pod.unplaced else refusals.Write.PATCH
        outcome, patched = await self._write(kind, pod, write, report)
        if outcome == reasons.Outcome.DONE:
            self._known.saw_pod(pod, patched)
        self._meters.pod_patches.labels(outcome).inc()
        _log.info("pod patched", extra={"pod": pod.key, "reason": patch.why, "outcome": outcome})

    # --- questions -----------------------------------------------------------------------------------------------

    async def inquire(self, inquiry: plans.Inquiry, report: reports.Report) -> None:
        """Find out whether a pod exists that our cache does not have."""
        if self._failures.holds(inquiry_key(inquiry.uid)):
            return
        try:
            async with self._room:
                fresh = await self._client.get(resources.PODS, inquiry.name, inquiry.namespace)
        except errors.NotFound:
            self._known.lost_pod(inquiry.uid)
        except errors.KubernetesError as error:
            delay = self._failures.failed(inquiry_key(inquiry.uid))
            pod = f"{inquiry.namespace}/{inquiry.name}"
            _log.warning("pod not read", extra={"pod": pod, "pause": delay, "error": str(error)})
            return
        else:
            if resources.pod_uid_of(fresh) == inquiry.uid:
                self._known.found_pod(fresh)
            else:
                self._known.lost_pod(inquiry.uid)
        self._failures.succeeded(inquiry_key(inquiry.uid))
        report.stale = True

    # --- the end -------------------------------------------------------------------------------------------------

    async def evict(self, eviction: plans.Evict, report: reports.Report) -> None:
        """Evict a pod."""
        pod, key = eviction.pod, eviction_key(eviction.pod)
        if self._failures.holds(key) or self._failures.holds(_EVICTIONS):
            return
        self._failures.failed(key)  # asked for once; asked again later if the pod is still there
        self._not_evicted.discard(pod.uid)
        told = plans.Notice.on(pod, eviction.event, eviction.reason)
        if eviction.event is reasons.EventReason.EVICTED:  # what is wrong with the pod is true, evicted or not
            report.notices.append(told)
        try:
            async with self._room:
                await self._client.evict(pod.name, pod.namespace, uid=pod.uid)
        except (errors.NotFound, errors.Conflict):
            outcome = reasons.Outcome.GONE
        except errors.KubernetesError as error:
            outcome = reasons.Outcome.FAILED
            self._not_evicted.add(pod.uid)
            self._failures.succeeded(_EVICTIONS)  # a pause that does not grow: the next one may be allowed
            self._failures.failed(_EVICTIONS)
            report.stale = True  # somebody else may have to be ended
            _log.warning("pod not evicted", extra={"pod": pod.key, "error": str(error)})
        else:
            outcome = reasons.Outcome.EVICTED
            self._known.evicted_pod(pod)
            if eviction.event is not reasons.EventReason.EVICTED:
                report.notices.append(told)
            _log.info("pod evicted", extra={"pod": pod.key, "reason": eviction.reason})
        self._meters.evictions.labels(outcome).inc()

    def spared(self) -> frozenset[str]:
        """Return the UIDs of pods that were not evicted when that was asked for, and are left alone for a while."""
        self._not_evicted = {uid for uid in self._not_evicted if self._failures.holds(f"{_EVICTION}{uid}")}
        return frozenset(self._not_evicted)

    # --- inside --------------------------------------------------------------------------------------------------

    async def _write(
        self, kind: refusals.Write, pod: pods.PodView, write: Callable[[], Awaitable[Any]], report: reports.Report
    ) -> tuple[reasons.Outcome, Any]:
        """Write to a pod as it was planned on; gives done with the answer, or stale, gone, refused, failed or held."""
        if self._failures.holds(pod.uid):
            return reasons.Outcome.HELD, None
        try:
            async with self._room:
                answer = await write()
        except errors.NotFound:
            return reasons.Outcome.GONE, None
        except (errors.Invalid, errors.Forbidden, errors.Conflict) as error:
            return await self._refusal(kind, pod, error, report), None
        except errors.KubernetesError as error:
            self._hold(kind, pod, error)
            return reasons.Outcome.FAILED, None
        self._failures.succeeded(pod.uid)
        self._refused.succeeded(kind, pod.uid)
        return reasons.Outcome.DONE, answer

    async def _refusal(
        self, kind: refusals.Write, pod: pods.PodView, error: errors.KubernetesError, report: reports.Report
    ) -> reasons.Outcome:
        """Tell a pod that has changed since it was planned on from one that the API server will not have changed."""
        try:
            async with self._room:
                fresh = await self._client.get(resources.PODS, pod.name, pod.namespace)
        except errors.NotFound:
            return reasons.Outcome.GONE
        except errors.KubernetesError as unread:
            self._hold(kind, pod, unread)
            return reasons.Outcome.FAILED
        metadata = fresh["metadata"]
        if metadata["uid"] != pod.object_uid:
            return reasons.Outcome.GONE
        if metadata["resourceVersion"] != pod.resource_version:
            self._known.saw_pod(pod, fresh)
            report.stale = True
            return reasons.Outcome.STALE
        self._hold(kind, pod, error)
        if not pod.unplaced:  # else it is why the pod waits
            message = f"The API server refuses to change the pod: {error}."
            report.notices.append(plans.Notice.on(pod, reasons.EventReason.PATCH_REFUSED, message))
        return reasons.Outcome.REFUSED

    def _hold(self, kind: refusals.Write, pod: pods.PodView, error: errors.KubernetesError) -> None:
        delay = self._failures.failed(pod.uid)
        self._refused.failed(kind, pod.uid, error, [pod.uid])
        _log.warning("pod not written", extra={"pod": pod.key, "pause": delay, "error": str(error)})


def keys_of(uid: str) -> tuple[str, str]:
    """Return the back-off keys of all writes to a pod."""
    return uid, f"{_EVICTION}{uid}"


def eviction_key(pod: pods.PodView) -> str:
    """Return the back-off key of a pod's eviction; for other writes its UID is the key."""
    return f"{_EVICTION}{pod.uid}"


def inquiry_key(uid: str) -> str:
    """Return the back-off key of the question whether a pod exists."""
    return f"inquire/{uid}"
