"""Registers the plugin with kubelet, and notices when kubelet no longer knows it.

Law: serve first, register then: kubelet dials back before it answers. Every server has a socket name that was never
used before, because kubelet tells two instances of a resource apart by nothing else (kubernetes#121994).
"""

import asyncio
import dataclasses
import os
import pathlib
import socket as sockets
import stat
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import grpc
import grpc.aio

from neuronspan import names
from neuronspan_deviceplugin import errors, reasons
from neuronspan_deviceplugin.api import deviceplugin_pb2 as api
from neuronspan_deviceplugin.api import deviceplugin_pb2_grpc as api_grpc

API_VERSION = "v1beta1"
CALL_SECONDS = 15.0
"""kubelet itself gives up dialling us after 10 s."""
STREAM_SECONDS = 10.0
"""kubelet opens ListAndWatch right after Register."""
LONGEST_PATH = 107
"""Longest path of a unix socket on Linux."""
_SOCKET_PREFIX = "neuronspan-"
_SHORT = {names.CORE_RESOURCE: "cores", names.DEVICE_RESOURCE: "devices"}
_OPTIONS = (("grpc.default_authority", "localhost"),)  # no keepalive: kubelet answers eager pings by hanging up


@dataclasses.dataclass(frozen=True, slots=True)
class Fingerprint:
    """What tells one socket file from its successor."""

    device: int
    inode: int
    changed_ns: int


def fingerprint(path: pathlib.Path) -> Fingerprint | None:
    """Return the fingerprint of a socket; None when there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    if not stat.S_ISSOCK(status.st_mode):
        return None
    return Fingerprint(status.st_dev, status.st_ino, status.st_ctime_ns)


def socket_name(resource: str, token: str) -> str:
    """Return the socket's file name; ``token`` is new for every server."""
    return f"{_SOCKET_PREFIX}{_SHORT[resource]}-{token}.sock"


def sweep(directory: pathlib.Path) -> list[str]:
    """Remove our sockets on which no process listens any more; gives their names."""
    stale = [each for each in directory.glob(f"{_SOCKET_PREFIX}*.sock") if not _is_served(each)]
    for each in stale:
        each.unlink(missing_ok=True)
    return [each.name for each in stale]


async def register(kubelet_socket: pathlib.Path, endpoint: str, resource: str) -> None:
    """Register the socket (its file name) for the resource; raises RegistrationFailed."""
    request = api.RegisterRequest(
        version=API_VERSION,
        endpoint=endpoint,
        resource_name=resource,
        options=api.DevicePluginOptions(pre_start_required=True, get_preferred_allocation_available=True),
    )
    async with grpc.aio.insecure_channel(f"unix://{kubelet_socket}", options=_OPTIONS) as channel:
        stub = api_grpc.RegistrationStub(channel)  # type: ignore[no-untyped-call] # generated
        try:
            await stub.Register(request, timeout=CALL_SECONDS)
        except grpc.aio.AioRpcError as error:
            raise errors.RegistrationFailed(
                f"kubelet did not register {resource} at {endpoint}: {error.code().name} {error.details()}"
            ) from error


@dataclasses.dataclass(frozen=True, slots=True)
class Watched:
    """What was true when the plugin registered."""

    kubelet_socket: pathlib.Path
    own_socket: pathlib.Path
    kubelet: Fingerprint | None
    own: Fingerprint | None

    @classmethod
    def now(cls, kubelet_socket: pathlib.Path, own_socket: pathlib.Path) -> "Watched":
        """Remember both sockets as they are."""
        return cls(kubelet_socket, own_socket, fingerprint(kubelet_socket), fingerprint(own_socket))

    def lost(self) -> reasons.RegistrationCause | None:
        """Compare with now. A kubelet that is merely away is no loss yet: there is none to register with."""
        kubelet = fingerprint(self.kubelet_socket)
        if kubelet is not None and kubelet != self.kubelet:
            return reasons.RegistrationCause.KUBELET_RESTARTED
        if fingerprint(self.own_socket) != self.own:
            return reasons.RegistrationCause.SOCKET_GONE
        return None


async def unless_changed(watched: Watched, attempt: Coroutine[Any, Any, None], poll_seconds: float) -> None:
    """Run the attempt, and give it up when a socket changes: a kubelet that ended never answers. Raises its errors.

    Raises RegistrationFailed when a socket changed meanwhile.
    """
    task = asyncio.ensure_future(attempt)
    try:
        while not (await asyncio.wait({task}, timeout=poll_seconds))[0]:
            found = watched.lost()
            if found is not None:
                raise errors.RegistrationFailed(f"given up while registering: {found}")
        task.result()
    finally:
        task.cancel()


async def until_lost(
    watched: Watched, stream_lost: Callable[[], Awaitable[None]], poll_seconds: float
) -> reasons.RegistrationCause:
    """Wait until the plugin has to register again; ``stream_lost`` ends when kubelet's stream did."""
    stream = asyncio.ensure_future(_until(stream_lost))
    try:
        while True:
            done, _ = await asyncio.wait({stream}, timeout=poll_seconds)
            found = watched.lost()
            if found is not None:
                return found
            if done:
                return reasons.RegistrationCause.STREAM_LOST
    finally:
        stream.cancel()


async def pause(
    kubelet_socket: pathlib.Path, seconds: float, poll_seconds: float, sleep: Callable[[float], Awaitable[None]]
) -> None:
    """Wait before the next attempt, but not longer than until another kubelet is there."""
    before, left = fingerprint(kubelet_socket), seconds
    while left > 0 and fingerprint(kubelet_socket) == before:
        await sleep(min(left, poll_seconds))
        left -= poll_seconds


async def _until(lost: Callable[[], Awaitable[None]]) -> None:
    await lost()


def check_path(path: pathlib.Path) -> None:
    """Raise RegistrationFailed when the path is too long for a socket."""
    length = len(os.fsencode(path))
    if length > LONGEST_PATH:
        raise errors.RegistrationFailed(
            f"socket path {path} has {length} bytes, the most is {LONGEST_PATH}: use a shorter kubelet directory"
        )


def _is_served(path: pathlib.Path) -> bool:
    with sockets.socket(sockets.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            return False
        except OSError:  # not ours to judge
            return True
    return True
