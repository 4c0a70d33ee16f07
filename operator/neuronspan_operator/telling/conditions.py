"""Says on each pod that waits why it does: its PodScheduled condition, which people and autoscalers read.

A pod that has its cores and waits for its volumes or its group is nominated for its node, so that nobody makes another
one for it.

Law: only what the pod does not say already is written, by compare-and-swap, and no other condition is touched. At most
100 and then 50 conditions a second are written, those of pods that say nothing yet first: 10 000 pods that begin to
wait at once all say so after 200 seconds.

A condition that is False with the reason Unschedulable is what Cluster Autoscaler (isUnschedulable in
cluster-autoscaler/utils/kubernetes/listers.go) and Karpenter (FailedToSchedule in pkg/utils/pod/scheduling.go) look
for, whatever the pod's schedulerName is; where the former has --allowed-scheduler-names, neuronspan must be among them.
"""

import asyncio
import dataclasses
import datetime as dt
import logging
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from neuronspan_agent import backoff, calls, errors, resources
from neuronspan_operator import metrics, reasons
from neuronspan_operator.objects import pod_conditions, pods
from neuronspan_operator.planning import plans
from neuronspan_operator.telling import notices, outbox, refusals

_log = logging.getLogger(__name__)

LIMITS: Final = outbox.Limits(per_second=50.0, burst=100, parallel=16)
"""What kube-scheduler by default grants itself for all its writes, clientConnection.qps and burst:
https://kubernetes.io/docs/reference/config-api/kube-scheduler-config.v1/"""
_QUIET: Final = backoff.Delays(first=10.0, longest=600.0)
"""Between two conditions of one pod: the numbers in the sentence may change with every pod that comes or goes."""


class Known(Protocol):
    """Takes what the API server answers."""

    def saw_pod(self, before: pods.PodView, manifest: Mapping[str, Any]) -> None:
        """Take the API server's answer about a pod that was known as ``before``."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Wish:
    """What a pod is to say."""

    pod: pods.PodView
    reason: str
    message: str
    node: str  # where it has its cores already, "" when it has none


@dataclasses.dataclass(slots=True)
class _Written:
    """The last attempts at one pod."""

    reason: str = ""
    times: int = 0  # with this reason
    failures: int = 0
    not_before: float = 0.0
    new_cause_at: float = 0.0  # when another reason may be written
    outdated: str = ""  # the resourceVersion that is no longer the pod's


class Teller:
    """Takes who waits with ``tell``; run ``run`` as a task. ``now`` gives the time of day."""

    def __init__(
        self,
        client: calls.StrategicPatches,
        known: Known,
        refused: refusals.Refusals,
        meters: metrics.Metrics,
        *,
        now: Callable[[], dt.datetime],
    ) -> None:
        self._client = client
        self._known = known
        self._refused = refused
        self._meters = meters
        self._now = now
        self._clock = asyncio.get_running_loop().time
        self._wishes: dict[str, _Wish] = {}
        self._written: dict[str, _Written] = {}
        self._outbox = outbox.Outbox(self._clock, LIMITS, self._write)
        meters.untold.labels("conditions").set_function(lambda: self._outbox.overdue)

    def tell(self, waiting: Mapping[str, plans.Waiting | None], known: Callable[[str], pods.PodView | None]) -> None:
        """Let these pods say why they wait, soon, and those that wait no more say nothing; of others nothing is new.

        ``waiting`` is by UID; ``known`` is asked for a pod.
        """
        for uid, why in waiting.items():
            pod = known(uid)
            if pod is None or not pod.waits:
                self._written.pop(uid, None)
            wish = None if pod is None or why is None or not _is_ours(pod) else self._wish(pod, why)
            if wish is not None:
                self._wishes[uid] = wish
                self._put(uid)
            elif self._wishes.pop(uid, None) is not None:
                self._outbox.drop(uid)

    async def run(self) -> None:
        """Write for ever."""
        await self._outbox.run()

    async def flush(self) -> None:
        """Write everything that is due now and within the rate."""
        await self._outbox.flush()

    # --- inside --------------------------------------------------------------------------------------------------

    def _wish(self, pod: pods.PodView, why: plans.Waiting) -> _Wish | None:
        """Return what is to be written; None when the pod says it, or is not known as it is by now."""
        wish = _Wish(pod, notices.condition_reason(why.reason), notices.sentence(why), why.node)
        written = self._written.get(pod.uid)
        outdated = written is not None and written.outdated == pod.resource_version
        said = (
            pod.unscheduled == pod_conditions.Unscheduled(wish.reason, wish.message) and pod.nominated_node == wish.node
        )
        return None if said or outdated else wish

    def _put(self, uid: str) -> None:
        wish, written = self._wishes[uid], self._written.get(uid)
        said = wish.pod.unscheduled
        only_words = said is not None and said.reason == wish.reason and wish.pod.nominated_node == wish.node
        urgency = outbox.Urgency.REWORDED if only_words else outbox.Urgency.NEW
        if written is None:
            due = 0.0
        elif written.failures or written.reason == wish.reason:
            due = written.not_before
        else:
            due = written.new_cause_at
        self._outbox.put(uid, urgency, due)

    async def _write(self, uid: str) -> None:
        wish = self._wishes.get(uid)
        if wish is None:  # its turn came, and before it began the pod waited no more
            return
        written = self._written.setdefault(uid, _Written())
        pod = wish.pod
        try:
            patch = _patch(wish, self._now())
            answer = await self._client.strategic_patch(resources.PODS, pod.name, patch, pod.namespace, "status")
        except errors.NotFound:
            outcome = reasons.Outcome.GONE
            self._wait_for_newer(wish, written)
        except errors.Conflict:
            outcome = reasons.Outcome.STALE
            self._wait_for_newer(wish, written)
        except errors.KubernetesError as error:
            outcome = self._failed(wish, written, error)
        else:
            outcome = reasons.Outcome.DONE
            self._succeeded(wish, written)
            self._known.saw_pod(pod, answer)
        self._meters.conditions.labels(outcome).inc()

    def _failed(self, wish: _Wish, written: _Written, error: errors.KubernetesError) -> reasons.Outcome:
        """Try again after a pause, unless the pod waits no more."""
        uid = wish.pod.uid
        written.failures += 1
        pause = _QUIET.after(written.failures)
        written.not_before = self._clock() + pause
        self._refused.failed(refusals.Write.CONDITION, uid, error, [uid])
        _log.warning("condition not written", extra={"pod": wish.pod.key, "pause": pause, "error": str(error)})
        if uid in self._wishes:
            self._put(uid)
        refused = isinstance(error, errors.Invalid | errors.Forbidden)
        return reasons.Outcome.REFUSED if refused else reasons.Outcome.FAILED

    def _succeeded(self, wish: _Wish, written: _Written) -> None:
        written.times = written.times + 1 if written.reason == wish.reason else 1
        written.reason = wish.reason
        written.failures = 0
        written.not_before = self._clock() + _QUIET.after(written.times)
        written.new_cause_at = self._clock() + _QUIET.first
        self._refused.succeeded(refusals.Write.CONDITION, wish.pod.uid)
        self._wait_for_newer(wish, written)

    def _wait_for_newer(self, wish: _Wish, written: _Written) -> None:
        """Write nothing more that was found out from this version of the pod; its change brings the next round."""
        uid, written.outdated = wish.pod.uid, wish.pod.resource_version
        if uid in self._wishes and self._wishes[uid].pod.resource_version == written.outdated:
            del self._wishes[uid]
            self._outbox.drop(uid)


def _is_ours(pod: pods.PodView) -> bool:
    """Whether we are to write the condition: the API server owns that of pods with gates (SchedulingGated)."""
    return pod.waits and not pod.gated and not pod.other_gates


def _patch(wish: _Wish, moment: dt.datetime) -> dict[str, Any]:
    """Return a strategic merge patch: the server merges conditions by type, so that others' stay as they are."""
    condition = {"type": pod_conditions.SCHEDULED, "status": "False", "reason": wish.reason, "message": wish.message}
    if wish.pod.unscheduled is None:  # else the status stays False, and with it the time of its change
        condition["lastTransitionTime"] = moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "metadata": {"uid": wish.pod.uid, "resourceVersion": wish.pod.resource_version},
        "status": {"conditions": [condition], "nominatedNodeName": wish.node or None},
    }
