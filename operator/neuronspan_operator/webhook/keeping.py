"""Keeps the certificate that this program makes for itself: in a Secret, trusted by the webhook configurations, served.

Law: every replica does all of it, by compare-and-swap, and what to write is decided in ``rotation``. Nothing is served
before API servers were told to trust it, so the order of a round is Secret, configurations, handshakes.
"""

import asyncio
import base64
import datetime as dt
import logging
from collections.abc import Callable
from typing import Any, Protocol

from neuronspan_agent import calls, errors, resources
from neuronspan_operator.webhook import handshakes, identities, issuing, rotation

_log = logging.getLogger(__name__)

ROUND_SECONDS = 10.0
"""From one look at Secret and configurations to the next: so long something that was spoilt by hand stays so."""
_RETRY_SECONDS = 1.0
_CONFLICTS = 5
"""Tries to write what others write at the same time; the next round goes on."""


class Client(calls.Gets, calls.Creates, calls.Replaces, calls.StrategicPatches, Protocol):
    """The calls that a keeper needs."""


class Keeper:
    """Keeps one Secret and the two configurations of one name. ``run`` is a part of the process."""

    def __init__(
        self,
        client: Client,
        served: handshakes.ServedIdentity,
        *,
        namespace: str,
        secret: str,
        configuration: str,
        names: frozenset[str],
        now: Callable[[], dt.datetime],
    ) -> None:
        self._client = client
        self._served = served
        self._namespace = namespace
        self._secret = secret
        self._configuration = configuration
        self._names = names
        self._now = now
        self._kept = identities.Book()
        self._serving: identities.Identity | None = None
        self.problem = "no certificate yet"

    async def run(self) -> None:
        """Look every few seconds, for ever; a failure is logged when its words change, and shown by ``problem``."""
        while True:
            before = self.problem
            try:
                await self.round()
                self.problem = ""
            except errors.AgentError as error:
                self.problem = f"the certificate cannot be kept: {error}"
                if self.problem != before:
                    _log.warning("the certificate was not kept", extra={**self._facts(), "error": str(error)})
            await asyncio.sleep(_RETRY_SECONDS if self.problem else ROUND_SECONDS)

    async def round(self) -> None:
        """Bring Secret, configurations and server to what is wanted now; raises AgentError."""
        book = await self._agreed()
        if book.current is not None and book.current != self._serving:
            self._served.serve(handshakes.context(book.current.certificate, book.current.key))
            self._serving = book.current
            _log.info("serving a certificate", extra={**self._facts(), "ends": book.current.ends.isoformat()})

    # --- inside --------------------------------------------------------------------------------------------------

    async def _agreed(self) -> identities.Book:
        """Return what the Secret holds, after it was made right and API servers were told whom to trust."""
        for _ in range(_CONFLICTS):
            try:
                self._kept = await self._attempt()
                await self._have_trusted(self._kept)
            except errors.Conflict:
                continue  # another replica wrote first: what it wrote may be right
            return self._kept
        what = f"Secret {self._namespace}/{self._secret} or the webhook configurations {self._configuration}"
        raise errors.Conflict(f"{what} changed {_CONFLICTS} times while they were written: who else writes them?")

    async def _attempt(self) -> identities.Book:
        stored = await self._stored()
        before = identities.from_secret((stored or {}).get("data") or {}, issuing.read, issuing.is_certificate)
        moment = rotation.Moment(self._names, self._now())
        after = rotation.wanted(before, self._kept, moment, lambda: self._issued(moment))
        if stored is not None and after == before:
            return after
        manifest = self._manifest(after, stored)
        if stored is None:
            await self._client.create(resources.SECRETS, manifest, self._namespace)
        else:
            await self._client.replace(resources.SECRETS, self._secret, manifest, self._namespace)
        _log.info("the Secret of the certificate was written", extra=self._facts())
        return after

    async def _stored(self) -> dict[str, Any] | None:
        try:
            return await self._client.get(resources.SECRETS, self._secret, self._namespace)
        except errors.NotFound:
            return None

    def _manifest(self, book: identities.Book, stored: dict[str, Any] | None) -> dict[str, Any]:
        fresh = {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "Opaque",
            "metadata": {"name": self._secret, "namespace": self._namespace},
        }
        return {**(stored or fresh), "data": identities.to_secret(book)}

    def _issued(self, moment: rotation.Moment) -> identities.Identity:
        _log.info("making a certificate", extra=self._facts())
        return issuing.issue(self._configuration, moment.names, moment.now)

    async def _have_trusted(self, book: identities.Book) -> None:
        """Write the authorities into both configurations, where they are not in them already."""
        bundle = base64.b64encode(book.trusted.encode()).decode()
        for resource in (resources.MUTATING_WEBHOOKS, resources.VALIDATING_WEBHOOKS):
            stored = await self._client.get(resource, self._configuration)
            webhooks = stored.get("webhooks") or []
            others = [each["name"] for each in webhooks if each["clientConfig"].get("caBundle") != bundle]
            if others:
                patch = {
                    "metadata": {"resourceVersion": stored["metadata"]["resourceVersion"]},
                    "webhooks": [{"name": name, "clientConfig": {"caBundle": bundle}} for name in others],
                }
                await self._client.strategic_patch(resource, self._configuration, patch)
                _log.info("API servers were told whom to trust", extra={**self._facts(), "resource": str(resource)})

    def _facts(self) -> dict[str, str]:
        return {"secret": f"{self._namespace}/{self._secret}", "configuration": self._configuration}
