"""Leader election over a Lease, with a deadline.

Law: a leader that could not renew for ``renew_seconds`` stops being one, before another candidate may take over after
``lease_seconds``. Clocks of others do not count: a lease is over when it did not change for so long by our own clock.
Correctness does not rest on any of this: every ledger write is a compare-and-swap.
"""

import asyncio
import dataclasses
import datetime as dt
import logging
import math
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from neuronspan_agent import calls, errors, resources

_log = logging.getLogger(__name__)


class LeaseClient(calls.Gets, calls.Creates, calls.Replaces, Protocol):
    """The calls the elector needs."""


@dataclasses.dataclass(frozen=True, slots=True)
class Candidacy:
    """Who wants to lead what, and how patiently; retry < renew < lease."""

    namespace: str
    lease_name: str
    identity: str
    lease_seconds: float = 15.0
    renew_seconds: float = 10.0
    retry_seconds: float = 2.0


class Elector:
    """One candidate. ``acquire``, then ``keep`` as a task, at the end ``release``.

    ``on_lost`` is called at most once, when leadership is over against our will: it must end the process at once.
    ``now`` gives the time of day, for people who look at the Lease.
    """

    def __init__(
        self,
        client: LeaseClient,
        candidacy: Candidacy,
        *,
        on_lost: Callable[[], None],
        now: Callable[[], dt.datetime],
    ) -> None:
        self._client = client
        self._candidacy = candidacy
        self._on_lost = on_lost
        self._now = now
        self._clock = asyncio.get_running_loop().time
        self._seen_version = ""
        self._seen_at = 0.0
        self._renewed_at = 0.0
        self._holder = ""

    async def acquire(self) -> None:
        """Wait until this process leads."""
        me = self._candidacy
        _log.info("waiting for the lease", extra=self._facts())
        while True:
            if await self._attempt(me.retry_seconds):
                _log.info("leading", extra=self._facts())
                return
            await asyncio.sleep(me.retry_seconds)

    async def keep(self) -> None:
        """Renew until cancelled; calls ``on_lost`` and returns when that fails for too long."""
        me = self._candidacy
        while True:
            deadline = self._renewed_at + me.renew_seconds
            await asyncio.sleep(max(0.0, min(me.retry_seconds, deadline - self._clock())))
            await self._attempt(min(me.retry_seconds, deadline - self._clock()))
            late = self._clock() >= self._renewed_at + me.renew_seconds
            if late or self._holder != me.identity:
                held = f"{self._holder or 'no candidate'} holds it"
                why = f"could not renew it for {me.renew_seconds:g} s" if late else held
                _log.critical("the lease is lost", extra={**self._facts(), "reason": why})
                self._on_lost()
                return

    async def release(self) -> None:
        """Let the next candidate take over at once; not being able to is no harm."""
        me = self._candidacy
        try:
            async with asyncio.timeout(me.retry_seconds):
                lease = await self._client.get(resources.LEASES, me.lease_name, me.namespace)
                if lease["spec"].get("holderIdentity") == me.identity:
                    await self._write(lease, holder="")
        except (errors.KubernetesError, TimeoutError) as error:
            _log.info("the lease stays until it ends by itself", extra={**self._facts(), "error": repr(error)})

    # --- inside --------------------------------------------------------------------------------------------------

    async def _attempt(self, seconds: float) -> bool:
        """Try to get or renew the lease; tells whether we have it. The time counts from before the call."""
        started = self._clock()
        try:
            async with asyncio.timeout(max(seconds, 0.0)):
                holds = await self._get_or_renew()
        except (errors.KubernetesError, TimeoutError) as error:
            _log.warning("the lease was not had", extra={**self._facts(), "error": repr(error)})
            return False
        if holds:
            self._renewed_at = started
        return holds

    async def _get_or_renew(self) -> bool:
        me = self._candidacy
        try:
            lease = await self._client.get(resources.LEASES, me.lease_name, me.namespace)
        except errors.NotFound:
            self._saw(await self._client.create(resources.LEASES, self._fresh(), me.namespace))
            return True
        self._saw(lease)
        if not self._may_take(lease["spec"]):
            return False
        self._saw(await self._write(lease, holder=me.identity))
        return True

    def _facts(self) -> dict[str, str]:
        me = self._candidacy
        return {"identity": me.identity, "lease": f"{me.namespace}/{me.lease_name}"}

    def _saw(self, lease: Mapping[str, Any]) -> None:
        self._holder = lease["spec"].get("holderIdentity") or ""
        if lease["metadata"]["resourceVersion"] != self._seen_version:
            self._seen_version = lease["metadata"]["resourceVersion"]
            self._seen_at = self._clock()

    def _may_take(self, spec: Mapping[str, Any]) -> bool:
        if self._holder in {"", self._candidacy.identity}:
            return True
        patience = float(spec.get("leaseDurationSeconds") or self._candidacy.lease_seconds)
        return self._clock() - self._seen_at >= patience

    async def _write(self, lease: dict[str, Any], *, holder: str) -> dict[str, Any]:
        me = self._candidacy
        before = lease["spec"].get("holderIdentity") or ""
        taken_over = holder not in {"", before}
        spec = {**lease["spec"], **self._signs_of_life(), "holderIdentity": holder}
        if taken_over:
            transitions = int(lease["spec"].get("leaseTransitions") or 0)
            spec |= {"acquireTime": spec["renewTime"], "leaseTransitions": transitions + 1}
        return await self._client.replace(resources.LEASES, me.lease_name, {**lease, "spec": spec}, me.namespace)

    def _fresh(self) -> dict[str, Any]:
        me = self._candidacy
        life = self._signs_of_life()
        return {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": me.lease_name, "namespace": me.namespace},
            "spec": {"holderIdentity": me.identity, "acquireTime": life["renewTime"], "leaseTransitions": 0, **life},
        }

    def _signs_of_life(self) -> dict[str, Any]:
        moment = self._now().astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        # the field holds whole seconds: never fewer than we mean
        return {"renewTime": moment, "leaseDurationSeconds": math.ceil(self._candidacy.lease_seconds)}
