"""Serves kubelet's device plugin API for one resource: protobuf in, domain out, and back.

Law: no decision is made here; the resource manager decides, and what it refuses becomes the status kubelet shows.
"""

import logging
import pathlib
from collections.abc import AsyncGenerator, Collection, Sequence
from typing import Any

import grpc
import grpc.aio

from neuronspan import errors as domain_errors
from neuronspan import names
from neuronspan_agent import logs, signals
from neuronspan_deviceplugin import errors, reasons
from neuronspan_deviceplugin.allocation import container_edits, pod_devices, steering
from neuronspan_deviceplugin.api import deviceplugin_pb2 as api
from neuronspan_deviceplugin.api import deviceplugin_pb2_grpc as api_grpc
from neuronspan_deviceplugin.kubelet.device_plugin import services, starting

_log = logging.getLogger(__name__)
_Context = grpc.aio.ServicerContext[Any, Any]


class DevicePlugin(api_grpc.DevicePluginServicer):
    """The API for one resource; ``streams`` is raised whenever kubelet opens or closes ListAndWatch."""

    def __init__(self, resource: str, shared: services.Services) -> None:
        self.resource = resource
        self.streams = signals.Signal()
        self.open_streams = 0
        self._closing = False
        self._shared = shared
        self._manager = shared.manager
        self._meters = shared.meters

    async def stream_opened(self, seconds: float) -> bool:
        """Wait until kubelet asks for the devices; False when it does not in time."""
        version = self.streams.version
        return self.open_streams > 0 or await self.streams.beyond_within(version, seconds)

    async def stream_lost(self) -> None:
        """Wait until kubelet does not listen any more."""
        while self.open_streams:
            await self.streams.beyond(self.streams.version)

    def close(self) -> None:
        """End the streams, so that the server can stop without cutting a call short."""
        self._closing = True
        self._manager.changed.raised()

    # --- the API: the names are kubelet's ------------------------------------------------------------------------

    async def GetDevicePluginOptions(self, request: api.Empty, context: _Context) -> api.DevicePluginOptions:  # noqa: ARG002, N802
        """Ask for both optional calls."""
        return api.DevicePluginOptions(pre_start_required=True, get_preferred_allocation_available=True)

    async def ListAndWatch(  # noqa: N802
        self,
        request: api.Empty,  # noqa: ARG002
        context: _Context,  # noqa: ARG002
    ) -> AsyncGenerator[api.ListAndWatchResponse, None]:
        """Send the full list at once and whenever it differs; kubelet saves a file per list, so never without need."""
        self.open_streams += 1
        self.streams.raised()
        sent = None
        try:
            while not self._closing:
                version = self._manager.changed.version
                devices = self._manager.devices(self.resource)
                if devices != sent:
                    sent = devices
                    yield api.ListAndWatchResponse(
                        devices=[
                            api.Device(ID=each.device_id, health="Healthy" if each.healthy else "Unhealthy")
                            for each in devices
                        ]
                    )
                await self._manager.changed.beyond(version)
        finally:
            self.open_streams -= 1
            self.streams.raised()

    async def GetPreferredAllocation(  # noqa: N802
        self, request: api.PreferredAllocationRequest, context: _Context
    ) -> api.PreferredAllocationResponse:
        """Answer with the granted cores of the pod that kubelet is admitting."""
        answer = api.PreferredAllocationResponse()
        with self._meters.timed("GetPreferredAllocation", self.resource):
            for each in request.container_requests:
                ids = await self._preferred(each, context)
                answer.container_responses.append(api.ContainerPreferredAllocationResponse(deviceIDs=ids))
        self._shared.pods.steered()
        return answer

    async def Allocate(self, request: api.AllocateRequest, context: _Context) -> api.AllocateResponse:  # noqa: N802
        """Answer with what the containers get; nothing is waited for except an own List under way."""
        answer = api.AllocateResponse()
        async with self._shared.pods.allocation():
            with self._meters.timed("Allocate", self.resource):
                for each in request.container_requests:
                    answer.container_responses.append(await self._allocated(each.devices_ids, context))
        return answer

    async def PreStartContainer(  # noqa: N802
        self, request: api.PreStartContainerRequest, context: _Context
    ) -> api.PreStartContainerResponse:
        """Let the container start when everything agrees; wait a little for it, then leave it to kubelet to retry."""
        with self._meters.timed("PreStartContainer", self.resource):
            try:
                await starting.let_start(self._shared, self.resource, frozenset(request.devices_ids))
            except errors.NotYet as error:
                self._meters.starts.labels(self.resource, error.reason).inc()
                if error.reason.is_drift:
                    self._meters.drift.labels(error.reason).inc()
                _log.warning("start refused for now", extra={"ids": sorted(request.devices_ids), "error": str(error)})
                await context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))
        self._meters.starts.labels(self.resource, reasons.Outcome.OK).inc()
        return api.PreStartContainerResponse()

    # --- inside --------------------------------------------------------------------------------------------------

    async def _preferred(self, request: api.ContainerPreferredAllocationRequest, context: _Context) -> list[str]:
        pods = await self._active_pods()
        choice = await self._choose(request, pods, context)
        if (
            choice.outcome is not reasons.SteeringOutcome.GRANT
        ):  # our view may be a moment old: look again before giving up
            await self._shared.node.refresh_ledger()
            await self._shared.node.refresh_record()
            choice = await self._choose(request, pods, context)
        self._meters.steering.labels(self.resource, choice.outcome).inc()
        if choice.outcome is reasons.SteeringOutcome.DRIFT:
            self._meters.drift.labels(reasons.OtherDrift.STEERING).inc()
        facts = {"resource": self.resource, "outcome": choice.outcome, "candidates": choice.candidates}
        whose = logs.of_grant(choice.grant) if choice.grant else {}
        _log.info("steered", extra={**facts, "cores": str(choice.span or ""), **whose})
        if choice.span is None:
            await context.abort(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                f"no free run of cores beside the granted ones: {choice.why}; ask for cores with the annotation "
                f"{names.CORES_ANNOTATION}, then the pod waits until there is room",
            )
        return list(self._manager.ids(self.resource, choice.span, request.must_include_deviceIDs))

    async def _active_pods(self) -> Sequence[pod_devices.PodDevices] | None:
        try:
            pods = await self._shared.pods.list_for_steering()
        except errors.PodResourcesError as error:
            _log.error("steering without PodResources", extra={"error": str(error)})
            return None
        self._manager.learn_pods(pods)
        return pods

    async def _choose(
        self,
        request: api.ContainerPreferredAllocationRequest,
        pods: Sequence[pod_devices.PodDevices] | None,
        context: _Context,
    ) -> steering.Answer:
        try:
            return self._manager.prefer(
                self.resource,
                request.available_deviceIDs,
                request.must_include_deviceIDs,
                request.allocation_size,
                pods,
            )
        except domain_errors.NeuronspanError as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))

    async def _allocated(self, ids: Collection[str], context: _Context) -> api.ContainerAllocateResponse:
        try:
            edits = self._manager.allocate(self.resource, ids)
        except errors.AllocationRefused as error:
            self._meters.allocations.labels(self.resource, error.reason).inc()
            _log.error("allocation refused", extra={"ids": sorted(ids), "error": str(error)})
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))
        self._meters.allocations.labels(self.resource, reasons.Outcome.OK).inc()
        return _response(edits)


async def serve(servicer: DevicePlugin, socket: pathlib.Path) -> grpc.aio.Server:
    """Serve on a unix socket that does not exist yet; raises RegistrationFailed when it cannot be made."""
    server = grpc.aio.server()
    api_grpc.add_DevicePluginServicer_to_server(servicer, server)  # type: ignore[no-untyped-call] # generated
    try:
        server.add_insecure_port(f"unix://{socket}")
    except RuntimeError as error:
        raise errors.RegistrationFailed(f"no server on {socket}: {error}; is its folder mounted writable?") from error
    await server.start()
    return server


def _response(edits: container_edits.Edits) -> api.ContainerAllocateResponse:
    return api.ContainerAllocateResponse(
        envs=edits.environment,
        cdi_devices=[api.CDIDevice(name=each) for each in edits.cdi_devices],
        mounts=[
            api.Mount(host_path=each.host_path, container_path=each.container_path, read_only=True)
            for each in edits.mounts
        ],
        devices=[
            api.DeviceSpec(host_path=each.host_path, container_path=each.container_path, permissions="rw")
            for each in edits.devices
        ],
    )
