"""Which connections a server keeps: so many, each for so long.

Law: a new connection always gets in, and the one that has waited longest goes. So whoever opens thousands of them ends
only their own and those of others that say nothing; kubelet's probe, which says all in its first packet, is answered.
Knows nothing of HTTP: what a request is, its server tells by ``working``. Deadlines are timers of the running loop.
"""

import asyncio
import collections
import contextlib
import dataclasses
import ssl
from collections.abc import Callable, Iterator


@dataclasses.dataclass(frozen=True, slots=True)
class Bounds:
    """What a server gives to whom it does not know; times in seconds, sizes in bytes."""

    connections: int = 256
    """At a moment; one costs about 60 KB, or 300 KB with TLS, whose buffer Python allots at once."""
    backlog: int = 64
    """Connections that the kernel accepts ahead, and at most so many come with each turn of the event loop. A request
    is seen within two turns of its connection, so this is well below half of ``connections``."""
    request_seconds: float = 10.0
    """From a connection, or the last answer's end, to a whole head of a request, TLS handshake included; between two
    requests it is ``idle_seconds``."""
    idle_seconds: float = 120.0
    """A kept-alive connection without a request: longer than Prometheus' usual interval of 60."""
    answer_seconds: float = 30.0
    """From a whole head to the answer; reading a body is part of it. kubelet and the API server give up earlier."""
    line_bytes: int = 4096
    """The request line."""
    header_bytes: int = 8190
    """One header: a token of a service account has less than 2 KB."""
    headers: int = 64
    """How many headers."""
    body_bytes: int = 65536
    """The body of a request."""


class Connections:
    """All connections of a server; ``protocol`` makes what answers on one, as `loop.create_server` wants it."""

    def __init__(self, bounds: Bounds, protocol: Callable[[], asyncio.Protocol], tls: ssl.SSLContext | None) -> None:
        self._bounds = bounds
        self._protocol = protocol
        self._tls = tls
        self._waiting: collections.OrderedDict[_Connection, None] = collections.OrderedDict()
        self._working: collections.OrderedDict[_Connection, None] = collections.OrderedDict()
        self._by_protocol: dict[asyncio.BaseProtocol, _Connection] = {}
        self._handshakes: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._waiting) + len(self._working)

    def accept(self) -> asyncio.Protocol:
        """Return the protocol of a new connection."""
        return _Connection(self, self._protocol(), self._tls)

    @contextlib.contextmanager
    def working(self, protocol: asyncio.BaseProtocol) -> Iterator[None]:
        """Say that a request on the connection of this protocol is being answered: it has no deadline and may stay."""
        connection = self._by_protocol.get(protocol)
        if connection is None:  # it is gone: whatever the answer is, nobody gets it
            yield
            return
        connection.deadline(None)
        self._waiting.pop(connection, None)
        self._working[connection] = None
        try:
            yield
        finally:
            if self._working.pop(connection, _GONE) is not _GONE:
                self._waiting[connection] = None
                connection.deadline(self._bounds.idle_seconds)

    def opened(self, connection: "_Connection") -> None:
        """Note that a connection has come; the oldest one that waits gives way if there are too many."""
        while len(self) >= self._bounds.connections:
            oldest = next(iter(self._waiting or self._working))
            oldest.abort()
        self._waiting[connection] = None
        self._by_protocol[connection.inner] = connection
        connection.deadline(self._bounds.request_seconds)

    def closed(self, connection: "_Connection") -> None:
        """Note that a connection is gone, or is about to be."""
        connection.deadline(None)
        self._waiting.pop(connection, None)
        self._working.pop(connection, None)
        self._by_protocol.pop(connection.inner, None)

    def close(self) -> None:
        """End all that is left."""
        for connection in [*self._waiting, *self._working]:
            connection.abort()

    def handshake(self, work: asyncio.Task[None]) -> None:
        """Keep a task alive until it ends."""
        self._handshakes.add(work)
        work.add_done_callback(self._handshakes.discard)


_GONE = object()


class _Connection(asyncio.Protocol):
    """Stands between a socket and the protocol that answers, and with TLS between TLS and that protocol, too."""

    def __init__(self, all_of_them: Connections, inner: asyncio.Protocol, tls: ssl.SSLContext | None) -> None:
        self._all = all_of_them
        self.inner = inner
        self._tls = tls
        self._made = False
        self._socket: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None

    def deadline(self, seconds: float | None) -> None:
        """End the connection in so many seconds, instead of whatever was said before; None: not at all."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if seconds is None else asyncio.get_running_loop().call_later(seconds, self.abort)

    def abort(self) -> None:
        """End it at once, without a word."""
        self._all.closed(self)
        if self._socket is not None:
            self._socket.abort()

    async def _encrypt(self, transport: asyncio.Transport, tls: ssl.SSLContext) -> None:
        try:
            encrypted = await asyncio.get_running_loop().start_tls(transport, self, tls, server_side=True)
        except (OSError, ConnectionError):  # no TLS, or none that we speak; ssl.SSLError is an OSError
            self.abort()
            return
        if encrypted is None or transport.is_closing():
            self.abort()
            return
        self._made = True
        self.inner.connection_made(encrypted)

    # --- asyncio.Protocol ----------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio."""
        if not isinstance(transport, asyncio.Transport):
            raise TypeError(transport)
        self._socket = transport
        self._all.opened(self)
        if self._tls is None:
            self._made = True
            self.inner.connection_made(transport)
            return
        transport.pause_reading()  # what comes first belongs to TLS, which reads on by itself
        self._all.handshake(asyncio.get_running_loop().create_task(self._encrypt(transport, self._tls)))

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio."""
        self._all.closed(self)
        if self._made:
            self.inner.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """See asyncio."""
        self.inner.data_received(data)

    def eof_received(self) -> bool | None:
        """See asyncio."""
        return self.inner.eof_received()

    def pause_writing(self) -> None:
        """See asyncio."""
        self.inner.pause_writing()

    def resume_writing(self) -> None:
        """See asyncio."""
        self.inner.resume_writing()
