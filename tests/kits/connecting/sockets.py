"""Connections without sockets, and what is behind each of them."""

import asyncio

from neuronspan_agent.serving import connections

BOUNDS = connections.Bounds(connections=3, request_seconds=10, idle_seconds=100)


class Socket(asyncio.Transport):
    """Tells whether it was broken, and its protocol, as asyncio does."""

    def __init__(self, protocol: asyncio.Protocol) -> None:
        super().__init__()
        self.protocol = protocol
        self._broken = False
        protocol.connection_made(self)

    def broken(self) -> bool:
        return self._broken

    def abort(self) -> None:
        self._broken = True
        self.protocol.connection_lost(None)


class Kept:
    """Connections, and what is behind each of them."""

    def __init__(self, bounds: connections.Bounds = BOUNDS) -> None:
        self.answering: list[asyncio.Protocol] = []
        self.connections = connections.Connections(bounds, self._protocol, None)

    def _protocol(self) -> asyncio.Protocol:
        self.answering.append(asyncio.Protocol())
        return self.answering[-1]

    def connect(self, count: int = 1) -> list[Socket]:
        return [Socket(self.connections.accept()) for _ in range(count)]
