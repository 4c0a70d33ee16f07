"""Asks kubelet's PodResources API which pods there are and what they hold.

Law, the discipline of calls: List makes kubelet forget the devices of pods that are over, and in doing so also those
of an allocation under way (kubernetes#137534). So List is called only while kubelet waits for our preference, when
nothing is reserved yet, or when no allocation was under way for a while. Get has no such effect and is always allowed.
"""

import asyncio
import contextlib
import pathlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import grpc
import grpc.aio

from neuronspan import names
from neuronspan_deviceplugin import errors
from neuronspan_deviceplugin.allocation import pod_devices
from neuronspan_deviceplugin.api import podresources_pb2, podresources_pb2_grpc

CALL_SECONDS = 5.0
"""Deadline of a call: kubelet answers in milliseconds, and its admission of pods waits for us meanwhile."""
QUIET_SECONDS = 1.0
"""An allocation is over for sure this long after kubelet got our answer to Allocate."""
_RATE_LIMIT_TRIES = 40
_RATE_LIMIT_PAUSE = 0.05
"""kubelet answers 100 calls a second and 10 at once (apis/podresources, ratelimiter.go): a burst of pods gets there."""
_MOST_BYTES = 16 << 20  # a full node's List exceeds the default of 4 MiB; kubelet's own clients allow 16
_OPTIONS = (
    ("grpc.default_authority", "localhost"),  # a path as authority is refused by some servers (kubernetes#112597)
    ("grpc.max_receive_message_length", _MOST_BYTES),
    ("grpc.max_reconnect_backoff_ms", 1000),  # kubelet's restart takes seconds, the default would wait two minutes
)


class PodResources:
    """A client of one kubelet; create it inside the running loop and close it."""

    def __init__(
        self,
        socket: pathlib.Path,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._channel = grpc.aio.insecure_channel(f"unix://{socket}", options=_OPTIONS)
        self._stub = podresources_pb2_grpc.PodResourcesListerStub(self._channel)  # type: ignore[no-untyped-call] # generated
        self._clock = clock
        self._sleep = sleep
        self._allocations = 0
        self._quiet_since = clock()
        self._listing = asyncio.Lock()

    async def close(self) -> None:
        """Close the connection."""
        await self._channel.close(None)

    async def list_for_steering(self) -> tuple[pod_devices.PodDevices, ...]:
        """Return the active pods; only while kubelet waits for a preferred allocation. Raises PodResourcesError."""
        async with self._listing:
            return await self._list()

    async def list_when_quiet(self) -> tuple[pod_devices.PodDevices, ...] | None:
        """Return the active pods, or None when an allocation is or just was under way. Raises PodResourcesError."""
        async with self._listing:
            if self._allocations or self._clock() - self._quiet_since < QUIET_SECONDS:
                return None
            return await self._list()

    @contextlib.asynccontextmanager
    async def allocation(self) -> AsyncIterator[None]:
        """Surround the answer to Allocate: no List of ours runs meanwhile or shortly after."""
        async with self._listing:  # let a List that has begun end first
            self._allocations += 1
        try:
            yield
        finally:
            self._allocations -= 1
            self._quiet_since = self._clock()

    def steered(self) -> None:
        """Note that kubelet got a preference and is about to allocate."""
        self._quiet_since = self._clock()

    async def get(self, namespace: str, name: str) -> pod_devices.PodDevices:
        """Return one pod; raises PodUnknown, PodResourcesError."""
        request = podresources_pb2.GetPodResourcesRequest(pod_namespace=namespace, pod_name=name)
        try:
            answer = await self._stub.Get(request, timeout=CALL_SECONDS)
        except grpc.aio.AioRpcError as error:
            if "not found" in (error.details() or ""):  # kubelet gives no status code for it (server_v1.go, Get)
                raise errors.PodUnknown(f"kubelet does not know pod {namespace}/{name}") from error
            raise _unanswered("Get", error) from error
        return _pod(answer.pod_resources)

    async def _list(self) -> tuple[pod_devices.PodDevices, ...]:
        for tries_left in reversed(range(_RATE_LIMIT_TRIES)):
            try:
                answer = await self._stub.List(podresources_pb2.ListPodResourcesRequest(), timeout=CALL_SECONDS)
            except grpc.aio.AioRpcError as error:
                if error.code() is not grpc.StatusCode.RESOURCE_EXHAUSTED or not tries_left:
                    raise _unanswered("List", error) from error
                await self._sleep(_RATE_LIMIT_PAUSE)
            else:
                break
        return tuple(map(_pod, answer.pod_resources))


def _unanswered(call: str, error: grpc.aio.AioRpcError) -> errors.PodResourcesError:
    return errors.PodResourcesError(
        f"kubelet's PodResources API did not answer {call}: {error.code().name} {error.details()}; "
        "check that its socket is mounted and the API enabled"
    )


def _pod(pod: podresources_pb2.PodResources) -> pod_devices.PodDevices:
    containers = (pod_devices.ContainerDevices(each.name, dict(_devices(each))) for each in pod.containers)
    return pod_devices.PodDevices(pod.namespace, pod.name, tuple(containers))


def _devices(container: podresources_pb2.ContainerResources) -> Iterator[tuple[str, frozenset[str]]]:
    for resource in names.RESOURCES:  # kubelet lists one entry per NUMA node
        entries = (each.device_ids for each in container.devices if each.resource_name == resource)
        ids = frozenset(one for ids in entries for one in ids)
        if ids:
            yield resource, ids
