"""The webhook of one process: its port, what keeps its certificate, and how it ends.

Law: it serves whether this process leads or not, from before the first review that can arrive to after the last one.
"""

import asyncio
import contextlib
import datetime as dt
import logging
import pathlib
from collections.abc import AsyncIterator, Callable

from neuronspan_agent.serving import connections, listening, posts
from neuronspan_operator import config, metrics
from neuronspan_operator.admission import answering
from neuronspan_operator.webhook import answers, handshakes, keeping, mounted, rotation

_log = logging.getLogger(__name__)

_BOUNDS = connections.Bounds(body_bytes=8 * 1024 * 1024, answer_seconds=10.0)
"""An object has at most 3 MiB, the API server's limit of a request's body, and an update carries it twice."""


class Webhook:
    """Answers reviews over HTTPS; ``keep`` is a part of the process, ``serving`` a context around all parts."""

    def __init__(
        self,
        settings: config.Settings,
        client: keeping.Client,
        meters: metrics.Metrics,
        *,
        now: Callable[[], dt.datetime],
    ) -> None:
        limits = answering.Settings(
            most_cores=settings.most_cores, most_devices=settings.most_devices, guests=settings.guests
        )
        self.port = 0
        self._settings = settings
        self._served = handshakes.ServedIdentity()
        self._answers = answers.Answers(limits, meters)
        self._certificate = (
            mounted.Files(pathlib.Path(settings.webhook_certificates), self._served)
            if settings.webhook_certificates
            else keeping.Keeper(
                client,
                self._served,
                namespace=settings.namespace,
                secret=settings.webhook_secret,
                configuration=settings.webhook_configuration,
                names=rotation.host_names(settings.webhook_service, settings.namespace),
                now=now,
            )
        )

    @property
    def problem(self) -> str:
        """Return what keeps API servers from being answered, "" when nothing does.

        A certificate that is served goes on being served while its Secret cannot be read.
        """
        return "" if self._served.is_there else self._certificate.problem

    async def keep(self) -> None:
        """Keep the certificate, for ever."""
        await self._certificate.run()

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Serve; at an end in peace go on for a while, as API servers learn late that this process is leaving."""
        settings = self._settings
        routes = posts.routes(self._answers.paths())
        async with listening.serving(routes, settings.webhook_port, bounds=_BOUNDS, tls=self._served.door) as self.port:
            _log.info("serving the webhook", extra={"port": self.port})
            yield
            _log.info("the webhook goes on for a while", extra={"seconds": settings.webhook_drain_seconds})
            await asyncio.sleep(settings.webhook_drain_seconds)
