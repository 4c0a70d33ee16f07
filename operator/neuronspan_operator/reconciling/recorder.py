"""Posts Kubernetes Events on pods.

Law: one Event object per pod and reason, whoever posts and however often it restarts. The same message is posted once;
a new one goes into the same object, more and more seldom. Events are for people: a post that fails delays nothing else.
"""

import asyncio
import dataclasses
import datetime as dt
import hashlib
import logging
from collections.abc import Callable, Container, Iterable
from typing import Any, Protocol

from neuronspan_agent import backoff, calls, errors, resources, signals
from neuronspan_operator import metrics, reasons
from neuronspan_operator.planning import plans

_log = logging.getLogger(__name__)

COMPONENT = "neuronspan-operator"

_QUIET = backoff.Delays(first=10.0, longest=600.0)
"""Between two messages for one pod and reason: the numbers in them may change with every pod that comes or goes, and a
thousand waiting pods must not keep the API server busy with that."""
_PARALLEL = 8
"""Posts at a time: Events must leave room for ledger writes."""
_LONGEST_MESSAGE = 1024
"""What the API server accepts in an Event."""

Key = tuple[str, str]  # pod UID, reason


class EventClient(calls.Gets, calls.Creates, calls.MergePatches, Protocol):
    """The calls the recorder needs."""


@dataclasses.dataclass(slots=True)
class _Posted:
    """What was posted last; ``message`` is None when that failed."""

    message: str | None = None
    quiet_until: float = 0.0
    times: int = 0


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
        self._wanted: dict[Key, plans.Notice] = {}
        self._posted: dict[Key, _Posted] = {}
        self._told = signals.Signal()
        self._room = asyncio.Semaphore(_PARALLEL)

    def tell(self, notices: Iterable[plans.Notice], alive: Container[str]) -> None:
        """Post these soon. What was told earlier and is not told again is posted only if its reason is new to the pod.

        ``alive`` are the UIDs of all pods there are: the others are forgotten.
        """
        for key in [key for key in self._posted if key[0] not in alive]:
            del self._posted[key]
        first = {key: notice for key, notice in self._wanted.items() if key not in self._posted}
        told = {(notice.uid, notice.reason): notice for notice in notices}
        self._wanted = {key: notice for key, notice in (first | told).items() if self._is_news(key, notice)}
        if self._wanted:
            self._told.raised()

    async def run(self) -> None:
        """Post for ever."""
        while True:
            seen = self._told.version
            await self.flush()
            await self._told.beyond_within(seen, self._next_due())

    async def flush(self) -> None:
        """Post everything that is due now."""
        due = [(key, notice) for key, notice in self._wanted.items() if self._quiet(key) <= 0]
        async with asyncio.TaskGroup() as group:
            for key, notice in due:
                del self._wanted[key]
                group.create_task(self._post(key, notice))

    # --- inside --------------------------------------------------------------------------------------------------

    def _is_news(self, key: Key, notice: plans.Notice) -> bool:
        return key not in self._posted or self._posted[key].message != notice.message

    def _quiet(self, key: Key) -> float:
        return self._posted[key].quiet_until - self._clock() if key in self._posted else 0.0

    def _next_due(self) -> float | None:
        return max(0.0, min(map(self._quiet, self._wanted))) if self._wanted else None

    async def _post(self, key: Key, notice: plans.Notice) -> None:
        posted = self._posted.setdefault(key, _Posted())
        posted.times += 1
        posted.quiet_until = self._clock() + _QUIET.after(posted.times)
        try:
            async with self._room:
                outcome = await self._write(notice)
            posted.message = notice.message
        except errors.KubernetesError as error:
            outcome = reasons.Outcome.FAILED
            pod = f"{notice.namespace}/{notice.name}"
            _log.warning("event not posted", extra={"pod": pod, "reason": notice.reason, "error": str(error)})
        self._meters.events.labels(outcome).inc()

    async def _write(self, notice: plans.Notice) -> reasons.Outcome:
        """Create the Event, or bring the one that exists up to date; gives what was done."""
        try:
            await self._client.create(resources.EVENTS, self._manifest(notice), notice.namespace)
        except errors.Conflict:
            name = event_name(notice)
            there = await self._client.get(resources.EVENTS, name, notice.namespace)
            patch = {
                "message": notice.message[:_LONGEST_MESSAGE],
                "type": str(notice.type),
                "count": int(there.get("count") or 1) + 1,
                "lastTimestamp": self._moment(),
            }
            if there.get("message") != patch["message"]:  # else this process restarted and says the same again
                await self._client.merge_patch(resources.EVENTS, name, patch, notice.namespace)
                return reasons.Outcome.UPDATED
            return reasons.Outcome.REPEATED
        return reasons.Outcome.CREATED

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
            "message": notice.message[:_LONGEST_MESSAGE],
            "source": {"component": COMPONENT},
            "reportingComponent": COMPONENT,
            "reportingInstance": self._instance,
            "firstTimestamp": moment,
            "lastTimestamp": moment,
            "count": 1,
        }

    def _moment(self) -> str:
        return self._now().astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def event_name(notice: plans.Notice) -> str:
    """Return the Event's name, the same for the same pod and reason."""
    digest = hashlib.sha256(f"{notice.uid}/{notice.reason}".encode()).hexdigest()[:16]
    return f"{notice.name[:236]}.{digest}"  # a name has at most 253 characters
