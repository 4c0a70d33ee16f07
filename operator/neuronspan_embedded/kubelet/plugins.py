"""kubelet's side of the device plugin API, over real gRPC: registration, and one client per resource.

A port of pkg/kubelet/cm/devicemanager/plugin/v1beta1: it dials back before it answers Register, and when a stream ends
it disconnects whatever client has the resource's name then, as kubelets up to v1.36 do.
"""

import asyncio
import pathlib
from collections.abc import Callable
from typing import Any

import grpc
import grpc.aio

from neuronspan_deviceplugin.api import deviceplugin_pb2 as api
from neuronspan_deviceplugin.api import deviceplugin_pb2_grpc as api_grpc
from neuronspan_embedded.kubelet import devices as device_manager

DIAL_SECONDS = 10.0
PRE_START_SECONDS = 30.0
_OPTIONS = (("grpc.default_authority", "localhost"), ("grpc.use_local_subchannel_pool", 1))
Context = grpc.aio.ServicerContext[Any, Any]


class PreStartFailed(Exception):  # noqa: N818 - kubelet's word
    """The plugin does not let the container start now."""


class Client:
    """kubelet's connection to one plugin instance."""

    def __init__(self, resource: str, socket: pathlib.Path) -> None:
        self.resource = resource
        self.socket = socket
        self.stopped = False
        self.preferred_available = False
        self.pre_start_required = False
        self._channel = grpc.aio.insecure_channel(f"unix://{socket}", options=_OPTIONS)
        self._stub = api_grpc.DevicePluginStub(self._channel)  # type: ignore[no-untyped-call]

    async def connect(self) -> None:
        """Dial and ask for the options; raises TimeoutError or AioRpcError."""
        async with asyncio.timeout(DIAL_SECONDS):
            await self._channel.channel_ready()
        options = await self._stub.GetDevicePluginOptions(api.Empty(), timeout=DIAL_SECONDS)
        self.preferred_available = options.get_preferred_allocation_available
        self.pre_start_required = options.pre_start_required

    async def run(self, listed: Callable[[str, dict[str, bool]], None]) -> None:
        """Keep the ListAndWatch stream until it ends."""
        try:
            async for message in self._stub.ListAndWatch(api.Empty()):
                listed(self.resource, {each.ID: each.health == "Healthy" for each in message.devices})
        except grpc.aio.AioRpcError:
            pass

    async def disconnect(self) -> None:
        """Close; calls fail from now on."""
        self.stopped = True
        await self._channel.close(None)

    async def preferred(self, available: list[str], must_include: list[str], size: int) -> list[str]:
        """Call GetPreferredAllocation, without a deadline."""
        request = api.ContainerPreferredAllocationRequest(
            available_deviceIDs=available, must_include_deviceIDs=must_include, allocation_size=size
        )
        try:
            answer = await self._stub.GetPreferredAllocation(
                api.PreferredAllocationRequest(container_requests=[request])
            )
        except grpc.aio.AioRpcError as error:
            raise device_manager.AdmissionFailed(f"GetPreferredAllocation failed: {error.details()}") from error
        return list(answer.container_responses[0].deviceIDs)

    async def allocate(self, ids: list[str]) -> bytes:
        """Call Allocate, without a deadline."""
        request = api.AllocateRequest(container_requests=[api.ContainerAllocateRequest(devices_ids=ids)])
        try:
            answer = await self._stub.Allocate(request)
        except grpc.aio.AioRpcError as error:
            raise device_manager.AdmissionFailed(f"Allocate failed: {error.details()}") from error
        except asyncio.CancelledError as error:
            if not self.stopped:
                raise
            raise device_manager.AdmissionFailed("Allocate failed: the connection was closed") from error
        if not answer.container_responses:
            raise device_manager.AdmissionFailed("no containers return in allocation response")
        return bytes(answer.container_responses[0].SerializeToString())

    async def pre_start(self, ids: list[str]) -> None:
        """Call PreStartContainer; raises PreStartFailed."""
        try:
            await self._stub.PreStartContainer(api.PreStartContainerRequest(devices_ids=ids), timeout=PRE_START_SECONDS)
        except grpc.aio.AioRpcError as error:
            raise PreStartFailed(f"{error.code().name}: {error.details()}") from error


class Registration(api_grpc.RegistrationServicer):
    """The registration service and the clients it made."""

    def __init__(
        self, directory: pathlib.Path, manager: device_manager.DeviceManager, changed: Callable[[], None]
    ) -> None:
        self.clients: dict[str, Client] = {}
        self.registrations: list[tuple[str, str]] = []
        self._directory = directory
        self._manager = manager
        self._changed = changed
        self._runs: set[asyncio.Task[None]] = set()

    async def Register(self, request: api.RegisterRequest, context: Context) -> api.Empty:  # noqa: N802 - the API's name
        """Dial back, then take the plugin; aborts when it cannot be reached."""
        if request.version != "v1beta1":
            await context.abort(grpc.StatusCode.UNKNOWN, f"unsupported version {request.version}")
        client = Client(request.resource_name, self._directory / request.endpoint)
        self.clients[client.resource] = client
        try:
            await client.connect()
        except (TimeoutError, grpc.aio.AioRpcError) as error:
            del self.clients[client.resource]
            await client.disconnect()
            await context.abort(grpc.StatusCode.UNKNOWN, f"failed to dial device plugin: {error!r}")
        self._manager.plugins[client.resource] = client
        self.registrations.append((client.resource, client.socket.name))
        run = asyncio.create_task(self._run(client))
        self._runs.add(run)
        run.add_done_callback(self._runs.discard)
        return api.Empty()

    async def stop(self) -> None:
        """Disconnect everybody, as kubelet does when it ends."""
        for run in list(self._runs):
            run.cancel()
        for client in self.clients.values():
            await client.disconnect()
        await asyncio.gather(*self._runs, return_exceptions=True)

    async def _run(self, client: Client) -> None:
        await client.run(self._listed)
        current = self.clients.pop(client.resource, None)
        if current is not None:
            await current.disconnect()
            self._manager.disconnected(client.resource)
        await client.disconnect()
        self._changed()

    def _listed(self, resource: str, devices: dict[str, bool]) -> None:
        self._manager.listed(resource, devices)
        self._changed()
