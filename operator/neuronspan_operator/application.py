"""The operator process: its parts, in which order they start and stop.

Law: caches, probes and the webhook with its certificate run in every process, what gives out cores only in the leader.
A part that ends by itself ends the process; Kubernetes starts a new one, which takes up what is half done.
"""

import asyncio
import contextlib
import datetime as dt
import logging
import os
import signal
from collections.abc import Callable, Mapping
from typing import Any

from neuronspan_agent import kube, mirror
from neuronspan_agent.serving import listening, pages
from neuronspan_operator import config, metrics, tasks
from neuronspan_operator.cluster import elector, world
from neuronspan_operator.pools import handlers, pool_keeper
from neuronspan_operator.reconciling import reconciler
from neuronspan_operator.telling import conditions, recorder, refusals
from neuronspan_operator.webhook import server

_log = logging.getLogger(__name__)

_SIGNALS = signal.SIGTERM, signal.SIGINT
_LOST_LEADERSHIP = 1


def now() -> dt.datetime:
    """Return the time of day."""
    return dt.datetime.now(dt.UTC)


class Application:
    """One operator process. Setting ``stop`` ends it; ``end_process`` is called when leadership is lost."""

    def __init__(self, settings: config.Settings, *, end_process: Callable[[int], Any] = os._exit) -> None:
        self.stop = asyncio.Event()
        self.meters = metrics.Metrics()
        self.port = 0
        self.webhook: server.Webhook | None = None
        self._settings = settings
        self._end_process = end_process

    async def run(self) -> None:
        """Run until ``stop`` or a signal; raises PartEnded when a part ends by itself."""
        settings = self._settings
        self._listen_to_signals()
        async with await kube.connect(
            config.PROGRAM, settings.kubeconfig, call_seconds=settings.call_seconds
        ) as client:
            known = world.World(client, self.meters, mirror.Pace(relist_seconds=settings.relist_seconds))
            self.webhook = server.Webhook(settings, client, self.meters, now=now) if settings.webhook else None
            routes = pages.routes(self._readiness(known), self.meters.text)
            async with listening.serving(routes, settings.port) as self.port, self._answering():
                _log.info("serving /livez, /readyz and /metrics", extra={"port": self.port})
                candidate = self._candidate(client) if settings.leader_election else None
                try:
                    async with tasks.Parts(self.stop) as running:
                        if self.webhook is not None:
                            running.start("webhook", self.webhook.keep())
                        running.start("caches", known.run())
                        if await self._elected(candidate, running):
                            await self._lead(client, known, running)
                finally:
                    if candidate is not None:
                        await candidate.release()

    def _readiness(self, known: world.World) -> pages.Readiness:
        """Return what asks each part; API servers are sent to ready processes only."""

        async def readiness() -> Mapping[str, str]:
            answering = {} if self.webhook is None else {"webhook": self.webhook.problem}
            return {**await known.readiness(), **answering}

        return readiness

    def _answering(self) -> contextlib.AbstractAsyncContextManager[None]:
        return contextlib.nullcontext() if self.webhook is None else self.webhook.serving()

    def _candidate(self, client: kube.Client) -> elector.Elector:
        settings = self._settings
        candidacy = elector.Candidacy(
            settings.namespace,
            settings.lease_name,
            settings.identity,
            settings.lease_seconds,
            settings.renew_seconds,
            settings.retry_seconds,
        )
        return elector.Elector(client, candidacy, on_lost=self._lost, now=now)

    def _lost(self) -> None:
        """End at once: whatever this process still does, another one may be doing too."""
        self._end_process(_LOST_LEADERSHIP)

    async def _elected(self, candidate: elector.Elector | None, running: tasks.Parts) -> bool:
        """Wait for leadership and keep it up; False when ``stop`` came first."""
        if candidate is not None:
            if not await running.finish(candidate.acquire()):
                return False
            running.start("election", candidate.keep())
        self.meters.leader.set(1)
        return True

    async def _lead(self, client: kube.Client, known: world.World, running: tasks.Parts) -> None:
        """Run everything that writes."""
        settings = self._settings
        keeper = pool_keeper.PoolKeeper(
            client, known, core_numbering=settings.core_numbering, writers=settings.writers, now=now
        )
        events = recorder.Recorder(client, self.meters, instance=settings.identity, now=now)
        tempo = reconciler.Tempo(settings.debounce_seconds, settings.writers, settings.starvation_seconds)
        refused = refusals.Refusals()
        waiting = conditions.Teller(client, known, refused, self.meters, now=now)
        telling = reconciler.Telling(refused, waiting, events)
        granting = reconciler.Reconciler(client, known, telling, self.meters, now=now, tempo=tempo)
        running.start("kopf", handlers.operate(client, keeper, known, settings.identity))
        running.start("pools", keeper.run())
        running.start("events", events.run())
        running.start("conditions", waiting.run())
        running.start("grants", granting.run())
        await running.wait()

    def _listen_to_signals(self) -> None:
        for each in _SIGNALS:
            asyncio.get_running_loop().add_signal_handler(each, self.stop.set)
