"""Posts Kubernetes Events on pods.

Law: one Event object per pod and reason, whoever posts and however often it restarts. The same message is posted once
and, while it lasts, again before the API server forgets it; a new one goes into the same object, more and more seldom.
Events are for people: at most 100 and then 25 a second are posted, those that nobody could read yet first.
"""

import asyncio
import contextlib
import dataclasses
import datetime as dt
import hashlib
import logging
import zlib
from collections.abc import Callable, Iterable
from typing import Any, Final, Protocol

from neuronspan import names
from neuronspan_agent import backoff, calls, errors, resources
from neuronspan_operator import metrics, reasons
from neuronspan_operator.planning import plans
from neuronspan_operator.telling import notices, outbox

_log = logging.getLogger(__name__)

COMPONENT: Final = names.SCHEDULER

LIMITS: Final = outbox.Limits(per_second=25.0, burst=100, parallel=8)
"""Events must leave room for ledger writes. 10 000 pods that begin to wait at once have theirs within seven minutes;
those of 45 000 can be renewed. A post is one call, and up to three where another process may have posted."""
RENEW_SECONDS: Final = 1800.0
"""The API server forgets an Event an hour (--event-ttl) after its last write."""
_SPREAD_SECONDS: Final = 600.0
"""Within this time after a restart, what was said before is looked at; the renewals still come well within an hour."""
_QUIET: Final = backoff.Delays(first=10.0, longest=600.0)
"""Between two messages for one pod and reason: the numbers in them may change with every pod that comes or goes."""

Key = tuple[str, str]  # pod UID, reason


class EventClient(calls.Gets, calls.Creates, calls.MergePatches, Protocol):
    """The calls the recorder needs."""


@dataclasses.dataclass(slots=True)
class _Posted:
    """What was posted last: ``message`` is None until that succeeds, ``count`` 0 while no Event is known."""

    message: str | None = None
    count: int = 0
    times: int = 0
    quiet_until: float = 0.0
    renew_at: float = 0.0


class Recorder:
    """Takes notices with ``tell``; run ``run`` as a task. ``instance`` names this process, ``now`` the time of day."""

    def __init__(
        self, client: EventClient, meters: metrics.Metrics, *, instance: str, now: Callable[[], dt.datetime]
    ) -> None:
        self._client = client
        self._meters = meters
        self._instance = instance
        self._now = now
        self._clock = asyncio.get_running_loop().time
        self._started = self._clock()
        self._wanted: dict[Key, plans.Notice] = {}
        self._posted: dict[Key, _Posted] = {}
        self._reasons: dict[str, set[str]] = {}  # of each pod's notices
        self._outbox = outbox.Outbox(self._clock, LIMITS, self._post)
        meters.untold.labels("events").set_function(lambda: self._outbox.overdue)

    def tell(self, told: Iterable[plans.Notice], ended: Iterable[Key] = ()) -> None:
        """Post these soon, and renew no more what has ended: that is posted only if its reason is new to the pod."""
        for key in ended:
            if not self._is_unsaid(key):
                self._drop(key)
        for notice in told:
            key = notice.uid, notice.reason
            self._wanted[key] = notice
            self._reasons.setdefault(notice.uid, set()).add(notice.reason)
            self._put(key)

    def forget(self, uid: str) -> None:
        """Forget what was posted and is to be posted of a pod that is gone."""
        for reason in self._reasons.pop(uid, ()):
            self._posted.pop((uid, reason), None)
            self._drop((uid, reason))

    async def run(self) -> None:
        """Post for ever."""
        await self._outbox.run()

    async def flush(self) -> None:
        """Post everything that is due now and within the rate."""
        await self._outbox.flush()

    # --- inside --------------------------------------------------------------------------------------------------

    def _is_unsaid(self, key: Key) -> bool:
        return key not in self._posted or self._posted[key].message is None

    def _put(self, key: Key) -> None:
        """Queue what is wanted of this key, unless it is posted and need not be renewed."""
        notice, posted = self._wanted[key], self._posted.get(key)
        if posted is None and key in self._outbox:
            return  # it keeps its turn: that the pod shows it by now does not mean that its Event is there
        if posted is None and notice.said_before:
            share = zlib.crc32(notice.uid.encode()) / 2**32
            self._outbox.put(key, outbox.Urgency.RENEWED, self._started + share * _SPREAD_SECONDS)
        elif posted is None:
            self._outbox.put(key, outbox.Urgency.NEW)
        elif posted.message is None:
            self._outbox.put(key, outbox.Urgency.NEW, posted.quiet_until)
        elif posted.message != notice.message:
            self._outbox.put(key, outbox.Urgency.REWORDED, posted.quiet_until)
        elif notice.lasting:
            self._outbox.put(key, outbox.Urgency.RENEWED, posted.renew_at)
        else:
            self._drop(key)

    def _drop(self, key: Key) -> None:
        self._wanted.pop(key, None)
        self._outbox.drop(key)

    async def _post(self, key: Key) -> None:
        notice = self._wanted.get(key)
        if notice is None:  # its turn came, and before it began the pod was gone
            return
        posted = self._posted.setdefault(key, _Posted())
        renewed = posted.message == notice.message
        if not renewed:
            posted.times += 1
            posted.quiet_until = self._clock() + _QUIET.after(posted.times)
        posted.renew_at = self._clock() + RENEW_SECONDS
        try:
            outcome = await self._write(notice, posted)
            posted.message = notice.message
        except errors.KubernetesError as error:
            outcome = reasons.Outcome.FAILED
            posted.renew_at = self._clock() + _QUIET.longest
            pod = f"{notice.namespace}/{notice.name}"
            _log.warning("event not posted", extra={"pod": pod, "reason": notice.reason, "error": str(error)})
        if key in self._wanted:
            self._put(key)
        self._meters.events.labels(outcome).inc()

    async def _write(self, notice: plans.Notice, posted: _Posted) -> reasons.Outcome:
        """Create the Event, or bring the one that exists up to date; gives what was done."""
        with contextlib.suppress(errors.NotFound):  # the server has forgotten it
            if posted.count:
                return await self._update(notice, posted, renewed=posted.message == notice.message)
            if notice.said_before:
                return await self._take_over(notice, posted)
        try:
            await self._client.create(resources.EVENTS, self._manifest(notice), notice.namespace)
        except errors.Conflict:
            return await self._take_over(notice, posted)
        posted.count = 1
        return reasons.Outcome.CREATED

    async def _take_over(self, notice: plans.Notice, posted: _Posted) -> reasons.Outcome:
        """Go on with the Event that is there already: this process restarted, or another one posts too."""
        there = await self._client.get(resources.EVENTS, event_name(notice), notice.namespace)
        posted.count = int(there.get("count") or 1)
        same = there.get("message") == notice.message[: notices.LONGEST]
        age = self._age(there.get("lastTimestamp") or "")
        if same and (age < RENEW_SECONDS - _SPREAD_SECONDS or not notice.lasting):
            posted.renew_at -= age
            return reasons.Outcome.REPEATED
        return await self._update(notice, posted, renewed=same)

    async def _update(self, notice: plans.Notice, posted: _Posted, *, renewed: bool) -> reasons.Outcome:
        patch = {
            "message": notice.message[: notices.LONGEST],
            "type": str(notice.type),
            "count": posted.count + 1,
            "lastTimestamp": self._moment(),
        }
        await self._client.merge_patch(resources.EVENTS, event_name(notice), patch, notice.namespace)
        posted.count += 1
        return reasons.Outcome.RENEWED if renewed else reasons.Outcome.UPDATED

    def _manifest(self, notice: plans.Notice) -> dict[str, Any]:
        moment = self._moment()
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": event_name(notice), "namespace": notice.namespace},
            "involvedObject": {
                "apiVersion": "v1",
                "kind": "Pod",
                "namespace": notice.namespace,
                "name": notice.name,
                "uid": notice.uid,
            },
            "type": str(notice.type),
            "reason": str(notice.reason),
            "message": notice.message[: notices.LONGEST],
            "source": {"component": COMPONENT},
            "reportingComponent": COMPONENT,
            "reportingInstance": self._instance,
            "firstTimestamp": moment,
            "lastTimestamp": moment,
            "count": 1,
        }

    def _age(self, moment: str) -> float:
        """Seconds since an Event's time; one that cannot be read is long ago."""
        try:
            return max(0.0, (self._now() - dt.datetime.fromisoformat(moment)).total_seconds())
        except (ValueError, TypeError):  # no time, or one without its zone
            return RENEW_SECONDS

    def _moment(self) -> str:
        return self._now().astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def event_name(notice: plans.Notice) -> str:
    """Return the Event's name, the same for the same pod and reason."""
    digest = hashlib.sha256(f"{notice.uid}/{notice.reason}".encode()).hexdigest()[:16]
    return f"{notice.name[:236]}.{digest}"  # a name has at most 253 characters
