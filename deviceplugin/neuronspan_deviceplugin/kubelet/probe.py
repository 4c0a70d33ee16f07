"""Whether kubelet could reach this agent now.

Law: the probe dials our own sockets through the file system, as kubelet does, so a removed socket shows at once.
"""

import pathlib

import grpc
import grpc.aio

from neuronspan_deviceplugin.api import deviceplugin_pb2 as api
from neuronspan_deviceplugin.api import deviceplugin_pb2_grpc as api_grpc

CALL_SECONDS = 2.0
_OPTIONS = (
    ("grpc.default_authority", "localhost"),
    ("grpc.use_local_subchannel_pool", 1),  # a connection from before would hide that the socket is gone
)


async def problem(socket: pathlib.Path | None) -> str:
    """Return why kubelet cannot reach the registered socket, None while it is not registered; "" when it can."""
    if socket is None:
        return "is not registered with kubelet"
    async with grpc.aio.insecure_channel(f"unix://{socket}", options=_OPTIONS) as channel:
        stub = api_grpc.DevicePluginStub(channel)  # type: ignore[no-untyped-call] # generated
        try:
            await stub.GetDevicePluginOptions(api.Empty(), timeout=CALL_SECONDS)
        except grpc.aio.AioRpcError as error:
            return f"socket {socket} does not answer: {error.code().name}"
    return ""
