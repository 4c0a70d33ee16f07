"""Answers /livez, /readyz and /metrics.

Law: ready means that kubelet could reach us now: the probe dials our own sockets through the file system, as kubelet
does, so a removed socket shows at once.
"""

import pathlib
from collections.abc import Callable, Sequence

import grpc
import grpc.aio
from aiohttp import web

from neuronspan_deviceplugin import errors, metrics
from neuronspan_deviceplugin.api import deviceplugin_pb2 as api
from neuronspan_deviceplugin.api import deviceplugin_pb2_grpc as api_grpc

CALL_SECONDS = 2.0
_OPTIONS = (
    ("grpc.default_authority", "localhost"),
    ("grpc.use_local_subchannel_pool", 1),  # a connection from before would hide that the socket is gone
)
_METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Sockets = Callable[[], Sequence[tuple[str, pathlib.Path | None]]]
"""Gives each resource with its registered socket, None while it is not registered."""


class Probe:
    """A small web server; ``port`` is where it listens once started."""

    def __init__(self, port: int, sockets: Sockets, meters: metrics.Metrics) -> None:
        self.port = port
        self._sockets = sockets
        self._meters = meters
        application = web.Application()
        application.add_routes(
            [web.get("/livez", self._livez), web.get("/readyz", self._readyz), web.get("/metrics", self._metrics)]
        )
        self._runner = web.AppRunner(application, access_log=None)

    async def start(self) -> None:
        """Listen; raises CannotServe when the port is taken."""
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, port=self.port).start()
        except OSError as error:
            raise errors.CannotServe(
                f"port {self.port} of the probe cannot be used: {error}; choose another"
            ) from error
        self.port = min(self._runner.addresses, key=len)[1]  # with port 0 the two IP versions differ: take IPv4

    async def stop(self) -> None:
        """Stop listening."""
        await self._runner.cleanup()

    async def _livez(self, _: web.Request) -> web.Response:
        """Answering at all is the sign of life: everything runs on one loop, and an error in a task ends it."""
        return web.Response(text="ok\n")

    async def _readyz(self, _: web.Request) -> web.Response:
        problems = [problem for resource, socket in self._sockets() if (problem := await _problem(resource, socket))]
        return web.Response(text="\n".join(problems or ["ok"]) + "\n", status=503 if problems else 200)

    async def _metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=self._meters.exposition(), headers={"Content-Type": _METRICS_TYPE})


async def _problem(resource: str, socket: pathlib.Path | None) -> str:
    if socket is None:
        return f"{resource} is not registered with kubelet"
    async with grpc.aio.insecure_channel(f"unix://{socket}", options=_OPTIONS) as channel:
        stub = api_grpc.DevicePluginStub(channel)  # type: ignore[no-untyped-call] # generated
        try:
            await stub.GetDevicePluginOptions(api.Empty(), timeout=CALL_SECONDS)
        except grpc.aio.AioRpcError as error:
            return f"{resource}: socket {socket} does not answer: {error.code().name}"
    return ""
