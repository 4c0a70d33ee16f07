"""How much whoever reaches the port may cost. Over sockets, so in real time."""

import asyncio
import contextlib
import errno
import pathlib
import socket
import ssl
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from kits.connecting import authorities
from neuronspan_agent import errors
from neuronspan_agent.serving import connections, listening

GET = b"GET /ok HTTP/1.1\r\nHost: x\r\n"
FEW = connections.Bounds(connections=16, backlog=4)


async def ok(_: web.Request) -> web.Response:
    return web.Response(text="ok")


async def read(request: web.Request) -> web.Response:
    return web.Response(text=str(len(await request.read())))


async def slow(_: web.Request) -> web.Response:
    await asyncio.sleep(60)
    raise AssertionError


ROUTES = [web.get("/ok", ok), web.post("/read", read), web.get("/slow", slow)]


class Caller:
    """Speaks bytes to a port."""

    def __init__(self, port: int, tls: ssl.SSLContext | None = None) -> None:
        self.port = port
        self.tls = tls

    async def opened(self, *parts: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        for part in parts:
            writer.write(part)
            await writer.drain()
        return reader, writer

    async def status(self, head: bytes, body: bytes = b"") -> int:
        """The status of the answer, 0 when the connection is ended without one."""
        reader, writer = await self.opened()
        try:
            writer.write(head + b"\r\n" + body)
            await writer.drain()
            line = await reader.readline()
        except ConnectionError:
            return 0
        finally:
            writer.close()
        return int(line.split()[1]) if line else 0


def served(work: Any, bounds: connections.Bounds | None = None, tls: ssl.SSLContext | None = None) -> Any:
    """Give this work a caller of a server; returns what it returns."""

    async def serve() -> Any:
        async with listening.serving(ROUTES, 0, bounds=bounds, tls=tls) as port:
            return await work(Caller(port))

    return asyncio.run(serve())


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
def test_both_ip_versions_are_served_at_one_port(host: str) -> None:
    if host == "[::1]" and not socket.has_dualstack_ipv6():
        pytest.fail("this machine has no IPv6: the test needs it")

    async def ask(caller: Caller) -> str:
        async with aiohttp.ClientSession() as session, session.get(f"http://{host}:{caller.port}/ok") as answer:
            return await answer.text()

    assert served(ask) == "ok"


def test_machine_without_ipv6_serves_ipv4(monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.create_server

    def refusing(address: tuple[str, int], *, family: int = socket.AF_INET, **named: Any) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address")
        return real(address, family=family, **named)

    monkeypatch.setattr(socket, "create_server", refusing)
    assert served(lambda caller: caller.status(GET)) == 200
    monkeypatch.setattr(socket, "has_dualstack_ipv6", lambda: False)
    assert served(lambda caller: caller.status(GET)) == 200


def test_taken_port_is_refused_with_the_way_out() -> None:
    async def twice(caller: Caller) -> None:
        async with listening.serving(ROUTES, caller.port):
            raise AssertionError

    with pytest.raises(errors.CannotListen, match=r"port \d+ cannot be used: .*; choose another"):
        served(twice)


async def _is_ended(reader: asyncio.StreamReader) -> bool:
    try:
        return await reader.read() == b""
    except ConnectionError:
        return True


@pytest.mark.parametrize("begun", [(), (GET,), (GET, b"Y"), (b"\x16\x03",)], ids=["silent", "half", "slow", "no http"])
def test_request_that_does_not_get_finished_is_ended(begun: tuple[bytes, ...]) -> None:
    async def wait(caller: Caller) -> bool:
        reader, writer = await caller.opened(*begun)
        await reader.read()
        writer.close()
        return True

    with contextlib.suppress(ConnectionError):
        assert served(wait, connections.Bounds(request_seconds=0.05, idle_seconds=60))


def test_idle_connection_is_ended_after_its_own_time() -> None:
    async def wait(caller: Caller) -> bytes:
        reader, writer = await caller.opened(GET + b"\r\n")
        answer = await reader.readuntil(b"ok")
        assert await _is_ended(reader)
        writer.close()
        return answer

    assert served(wait, connections.Bounds(request_seconds=60, idle_seconds=0.05)).startswith(b"HTTP/1.1 200")


def test_answer_has_a_deadline() -> None:
    head = b"GET /slow HTTP/1.1\r\nHost: x\r\n"
    assert served(lambda caller: caller.status(head), connections.Bounds(answer_seconds=0.05)) == 503


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (GET, 200),
        (b"GET /ok?" + b"a" * 5000 + b" HTTP/1.1\r\nHost: x\r\n", 400),
        (GET + b"A: " + b"a" * 9000 + b"\r\n", 400),
        (GET + b"".join(b"A%d: a\r\n" % index for index in range(65)), 400),
    ],
    ids=["within bounds", "long line", "long header", "many headers"],
)
def test_head_is_bounded(head: bytes, status: int) -> None:
    assert served(lambda caller: caller.status(head)) == status


@pytest.mark.parametrize("size", [65536, 65537])
@pytest.mark.parametrize("chunked", [False, True])
def test_body_is_bounded(size: int, *, chunked: bool) -> None:
    said = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % size
    body = b"%x\r\n%s\r\n0\r\n\r\n" % (size, b"a" * size) if chunked else b"a" * size
    head = b"POST /read HTTP/1.1\r\nHost: x\r\n" + said + b"\r\n"
    assert served(lambda caller: caller.status(head, body)) == (200 if size == 65536 else 413)


def test_small_body_that_unpacks_to_a_large_one_stays_small() -> None:
    head = b"POST /read HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\nContent-Length: 20\r\n"
    assert served(lambda caller: caller.status(head, b"a" * 20)) == 200


def test_flood_of_half_requests_keeps_nobody_from_being_answered() -> None:
    async def flood(caller: Caller) -> tuple[list[int], int]:
        opened = [await caller.opened(GET) for _ in range(50)]
        probes = []
        for _ in range(10):
            opened += [await caller.opened(GET) for _ in range(20)]
            probes.append(await caller.status(GET))
        left = [reader for reader, _ in opened if not reader.at_eof() and reader.exception() is None]
        for _, writer in opened:
            writer.transport.abort()
        return probes, len(left)

    probes, left = served(flood, FEW)
    assert probes == [200] * 10
    assert left <= FEW.connections


# --- with TLS --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> authorities.Authority:
    return authorities.Authority(tmp_path_factory.mktemp("authority"))


def _trusting(authority: authorities.Authority) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=authority.certificate)


@contextlib.asynccontextmanager
async def _answered(port: int, trusted: ssl.SSLContext) -> AsyncIterator[aiohttp.ClientResponse]:
    async with aiohttp.ClientSession() as session, session.get(f"https://localhost:{port}/ok", ssl=trusted) as answer:
        yield answer


def test_https_is_served_and_a_new_chain_counts_for_the_next_connection(
    authority: authorities.Authority, tmp_path: pathlib.Path
) -> None:
    other = authorities.Authority(tmp_path / "other")
    tls = authority.serving("DNS:localhost")

    async def ask(caller: Caller) -> None:
        async with _answered(caller.port, _trusting(authority)) as answer:
            assert await answer.text() == "ok"
        tls.load_cert_chain(*other.issued("DNS:localhost"))
        async with _answered(caller.port, _trusting(other)) as answer:
            assert await answer.text() == "ok"

    served(ask, tls=tls)


def test_half_handshakes_are_bounded_and_ended_like_half_requests(authority: authorities.Authority) -> None:
    trusted = _trusting(authority)

    async def flood(caller: Caller) -> None:
        opened = [await caller.opened(b"\x16\x03\x01") for _ in range(3 * FEW.connections)]
        async with _answered(caller.port, trusted) as answer:
            assert await answer.text() == "ok"
        assert sum(reader.at_eof() or reader.exception() is not None for reader, _ in opened) >= 2 * FEW.connections
        assert all([await _is_ended(reader) for reader, _ in opened])
        for _, writer in opened:
            writer.close()

    served(
        flood,
        connections.Bounds(connections=FEW.connections, backlog=FEW.backlog, request_seconds=0.3),
        tls=authority.serving("DNS:localhost"),
    )


def test_whoever_speaks_no_tls_is_ended_and_others_are_served(authority: authorities.Authority) -> None:
    async def mistake(caller: Caller) -> int:
        assert await caller.status(GET) == 0
        async with _answered(caller.port, _trusting(authority)) as answer:
            return answer.status

    assert served(mistake, tls=authority.serving("DNS:localhost")) == 200
