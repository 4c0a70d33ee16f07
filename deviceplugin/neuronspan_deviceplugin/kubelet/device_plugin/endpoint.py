"""The life of one resource: serve on a new socket, register, watch, and begin again whenever something is lost.

Law: a new server never starts before the old one has stopped, and each registration follows a server that listens.
"""

import asyncio
import dataclasses
import logging
import pathlib
from collections.abc import Awaitable, Callable

from neuronspan_agent import signals
from neuronspan_deviceplugin import errors, reasons
from neuronspan_deviceplugin.kubelet.device_plugin import registration, servicer, services

_FIRST_PAUSE = 0.2
_LONGEST_PAUSE = 10.0
_GRACE_SECONDS = 1.0
"""For calls under way: Allocate takes milliseconds, a container start that waits is asked for again."""

_log = logging.getLogger(__name__)


@dataclasses.dataclass(slots=True)
class Status:
    """What is known about one resource's registration, for probe and status."""

    registered: bool = False
    socket: pathlib.Path | None = None
    message: str = "not registered yet"


class Endpoint:
    """One resource's server and registration; ``changed`` is raised with every change of ``status``."""

    def __init__(
        self,
        resource: str,
        shared: services.Services,
        kubelet_socket: pathlib.Path,
        *,
        changed: signals.Signal,
        new_token: Callable[[], str],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.resource = resource
        self.status = Status()
        self._shared = shared
        self._kubelet_socket = kubelet_socket
        self._changed = changed
        self._new_token = new_token
        self._sleep = sleep

    async def run(self) -> None:
        """Serve and stay registered until cancelled."""
        cause, pause = reasons.RegistrationCause.START, _FIRST_PAUSE
        while True:
            try:
                lost = await self._one_life(cause)
            except errors.RegistrationFailed as error:
                self._set(Status(message=str(error)))
                _log.warning("not registered", extra={"resource": self.resource, "error": str(error), "pause": pause})
                await registration.pause(self._kubelet_socket, pause, self._shared.poll_seconds, self._sleep)
                pause = min(pause * 2, _LONGEST_PAUSE)
            else:
                cause, pause = lost, _FIRST_PAUSE
                _log.warning("registering again", extra={"resource": self.resource, "cause": lost})

    async def _one_life(self, cause: reasons.RegistrationCause) -> reasons.RegistrationCause:
        """Serve and register once; gives why that ended. Raises RegistrationFailed."""
        directory = self._kubelet_socket.parent
        registration.sweep(directory)
        socket = directory / registration.socket_name(self.resource, self._new_token())
        registration.check_path(socket)
        device_plugin = servicer.DevicePlugin(self.resource, self._shared)
        server = await servicer.serve(device_plugin, socket)
        try:
            watched = registration.Watched.now(self._kubelet_socket, socket)
            attempt = self._register(device_plugin, socket.name, cause)
            await registration.unless_changed(watched, attempt, self._shared.poll_seconds)
            self._set(Status(registered=True, socket=socket, message=f"registered at {socket.name}"))
            _log.info("registered", extra={"resource": self.resource, "socket": socket.name, "cause": cause})
            lost = await registration.until_lost(watched, device_plugin.stream_lost, self._shared.poll_seconds)
            self._set(Status(message=f"registering again: {lost}"))
            return lost
        finally:
            device_plugin.close()
            await asyncio.shield(server.stop(grace=_GRACE_SECONDS))

    async def _register(
        self, device_plugin: servicer.DevicePlugin, socket_name: str, cause: reasons.RegistrationCause
    ) -> None:
        """Register and wait until kubelet listens; raises RegistrationFailed."""
        await registration.register(self._kubelet_socket, socket_name, self.resource)
        self._shared.meters.registrations.labels(self.resource, cause).inc()
        if not await device_plugin.stream_opened(registration.STREAM_SECONDS):
            raise errors.RegistrationFailed(
                "kubelet accepted the plugin but does not ask for its devices: registering again"
            )

    def _set(self, status: Status) -> None:
        self.status = status
        self._changed.raised()
