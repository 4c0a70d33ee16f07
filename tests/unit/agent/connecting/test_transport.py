"""Calls over TLS: who is said to call, what is sent once more, and what is said of servers that cannot be reached."""

import asyncio
import concurrent.futures
import contextlib
import dataclasses
import pathlib
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from kits.connecting import authorities, login_programs
from neuronspan_agent import errors, kube, resources
from neuronspan_agent.connecting import entries, targets


@dataclasses.dataclass
class Server:
    """Notes who calls, and answers as a test wants it."""

    authority: authorities.Authority
    url: str = ""
    seen: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    accepted: set[str] = dataclasses.field(default_factory=set)
    """Values of Authorization; all of them when there is none."""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        said = request.headers.get("Authorization", "")
        acting = [(name, value) for name, value in request.headers.items() if name.startswith("Impersonate")]
        transport = request.transport
        certificate = transport.get_extra_info("peercert") if transport else None
        subject = dict(part[0] for part in certificate["subject"])["commonName"] if certificate else ""
        self.seen.append({"said": said, "acting": acting, "certificate": subject})
        if self.accepted and said not in self.accepted:
            return web.json_response({"kind": "Status", "code": 401, "message": "Unauthorized"}, status=401)
        return web.json_response({"kind": "Node"})

    def cluster(self, **changes: Any) -> entries.Cluster:
        said = {"server": self.url, "authority": str(self.authority.certificate)}
        return entries.Cluster(**said | changes)

    def target(self, user: entries.User | None = None, **cluster: Any) -> targets.Target:
        wanted = targets.Wanted(cluster=self.cluster(**cluster), user=user or entries.User())
        return targets.choose(entries.Kubeconfig(where="/config"), wanted, {})


@contextlib.asynccontextmanager
async def serving(folder: pathlib.Path, name: str = "IP:127.0.0.1") -> AsyncIterator[Server]:
    server = Server(authorities.Authority(folder / "authority"))
    tls = server.authority.serving(name)
    tls.load_verify_locations(server.authority.certificate)
    tls.verify_mode = ssl.CERT_OPTIONAL
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    server.url = f"https://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield server
    finally:
        await runner.cleanup()


def played(folder: pathlib.Path, play: Callable[[Server], Awaitable[None]], name: str = "IP:127.0.0.1") -> None:
    async def run() -> None:
        async with serving(folder, name) as server:
            await play(server)

    asyncio.run(run())


async def asked(target: targets.Target, times: int = 1) -> None:
    async with await kube.reach("test", target) as client:
        for _ in range(times):
            await client.get(resources.NODES, "w1")


def test_call_says_who_calls_and_as_whom_to_act(tmp_path: pathlib.Path) -> None:
    user = entries.User(username="me", password="p", act_as="other", act_as_groups=("a", "b"))

    async def play(server: Server) -> None:
        await asked(server.target(user))
        (seen,) = server.seen
        assert seen["said"] == "Basic bWU6cA=="
        groups = [("Impersonate-Group", "a"), ("Impersonate-Group", "b")]
        assert seen["acting"] == [("Impersonate-User", "other"), *groups]

    played(tmp_path, play)


@pytest.mark.parametrize("data", [False, True])
def test_client_certificate_is_shown(tmp_path: pathlib.Path, *, data: bool) -> None:
    async def play(server: Server) -> None:
        certificate, key = server.authority.issued(common_name="me")
        user = entries.User(certificate=str(certificate), key=str(key))
        if data:
            user = entries.User(certificate_data=certificate.read_bytes(), key_data=key.read_bytes())
        await asked(server.target(user))
        assert server.seen[0]["certificate"] == "me"

    played(tmp_path, play)


def test_certificate_of_a_program_is_shown_and_a_new_one_replaces_it(tmp_path: pathlib.Path) -> None:
    program = login_programs.LoginProgram(tmp_path)

    def gives(server: Server, name: str) -> None:
        certificate, key = server.authority.issued(common_name=name)
        expired = "2026-01-01T00:00:00Z"  # so it is run for each call
        program.gives(
            clientCertificateData=certificate.read_text(), clientKeyData=key.read_text(), expirationTimestamp=expired
        )

    async def play(server: Server) -> None:
        gives(server, "one")
        async with await kube.reach("test", server.target(entries.User(plugin=program.plugin()))) as client:
            await client.get(resources.NODES, "w1")
            gives(server, "two")
            await client.get(resources.NODES, "w1")
        assert [each["certificate"] for each in server.seen] == ["one", "two"]

    played(tmp_path, play)


def test_call_that_is_refused_is_sent_again_with_what_is_said_now(tmp_path: pathlib.Path) -> None:
    token = tmp_path / "token"
    token.write_text("old")

    async def play(server: Server) -> None:
        server.accepted = {"Bearer new"}
        async with await kube.reach("test", server.target(entries.User(token_file=str(token)))) as client:
            with pytest.raises(errors.Forbidden, match=r"401 Unauthorized: .* does not know who this is; are the cred"):
                await client.get(resources.NODES, "w1")
            token.write_text("new")
            await client.get(resources.NODES, "w1")
        assert [each["said"] for each in server.seen] == ["Bearer old", "Bearer new"]

    played(tmp_path, play)


def test_program_is_asked_once_more_when_its_token_is_refused(tmp_path: pathlib.Path) -> None:
    program = login_programs.LoginProgram(tmp_path)
    program.gives(token="bad")

    async def play(server: Server) -> None:
        server.accepted = {"Bearer good"}
        with pytest.raises(errors.Forbidden):
            await asked(server.target(entries.User(plugin=program.plugin())))
        assert [each["said"] for each in server.seen] == ["Bearer bad"] * 2  # and then no more
        assert program.runs() == 2

    played(tmp_path, play)


def test_program_that_fails_is_a_failed_login(tmp_path: pathlib.Path) -> None:
    program = login_programs.LoginProgram(tmp_path)
    program.prints("", status=1)

    async def play(server: Server) -> None:
        with pytest.raises(errors.LoginFailed, match=r"cannot log in with the kubeconfig /config: .* ended with 1"):
            await asked(server.target(entries.User(plugin=program.plugin())))

    played(tmp_path, play)


def test_name_of_the_certificate_can_be_said(tmp_path: pathlib.Path) -> None:
    async def play(server: Server) -> None:
        await asked(server.target(tls_server_name="kube.example.com"))
        with pytest.raises(errors.Unavailable, match=r"a certificate that is not for other\.example\.com"):
            await asked(server.target(tls_server_name="other.example.com"))
        await asked(server.target(insecure=True, authority=""))

    played(tmp_path, play, "DNS:kube.example.com")


def test_session_of_another_loop_calls_as_the_same_user(tmp_path: pathlib.Path) -> None:
    token = tmp_path / "token"
    token.write_text("t")
    user = entries.User(token_file=str(token), act_as="other")

    async def play(server: Server) -> None:
        home = asyncio.get_running_loop()
        async with await kube.reach("test", server.target(user, tls_server_name="kube")) as client:

            async def elsewhere() -> list[int]:
                def through(work: Any) -> Awaitable[Any]:
                    return asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, home))

                found = []
                async with client.session(through) as session:
                    for _ in range(2):
                        async with session.get(f"{server.url}/") as answer:
                            found.append(answer.status)
                        server.accepted = {"Bearer new"}
                        token.write_text("new")
                    async with session.get(f"{server.url}/") as answer:
                        found.append(answer.status)
                    token.unlink()
                    with pytest.raises(aiohttp.ClientError):
                        await session.get("https://127.0.0.1:1/")
                return found

            assert await _in_a_thread(elsewhere) == [200, 401, 200]
        assert [each["said"] for each in server.seen] == ["Bearer t", "Bearer t", "Bearer new"]
        assert {tuple(each["acting"]) for each in server.seen} == {(("Impersonate-User", "other"),)}

    played(tmp_path, play, "DNS:kube")


async def _in_a_thread(work: Callable[[], Awaitable[Any]]) -> Any:
    outcome = concurrent.futures.Future[Any]()

    async def run() -> Any:
        return await work()

    def thread() -> None:
        try:
            outcome.set_result(asyncio.run(run()))
        except BaseException as error:  # noqa: BLE001  it is raised where the outcome is awaited
            outcome.set_exception(error)

    threading.Thread(target=thread, daemon=True).start()
    return await asyncio.wrap_future(outcome)


# --- what is said of servers and proxies that cannot be reached ------------------------------------------------------


@contextlib.asynccontextmanager
async def speaking(answer: bytes) -> AsyncIterator[str]:
    """Something that answers whatever it is sent with these bytes; yields its host and port."""

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(speak, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


def refusal(cluster: entries.Cluster, **environment: str) -> str:
    """What is said when this server is asked for a node."""

    async def ask() -> None:
        wanted = targets.Wanted(cluster=cluster)
        await asked(targets.choose(entries.Kubeconfig(where="/config"), wanted, environment))

    with pytest.raises(errors.Unavailable) as caught:
        asyncio.run(ask())
    said = str(caught.value)
    assert said.startswith("GET /api/v1/nodes/w1: ")
    assert "\n" not in said
    return said.removeprefix("GET /api/v1/nodes/w1: ")


def spoken(answer: bytes, cluster: Callable[[str], entries.Cluster]) -> str:
    async def ask() -> str:
        async with speaking(answer) as address:
            return await asyncio.to_thread(refusal, cluster(address))

    return asyncio.run(ask())


def test_nobody_there(monkeypatch: pytest.MonkeyPatch) -> None:
    assert refusal(entries.Cluster(server="https://127.0.0.1:1", insecure=True)).startswith(
        "https://127.0.0.1:1 refused the connection"
    )

    async def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", unknown)
    assert refusal(entries.Cluster(server="https://api.invalid", insecure=True)).startswith(
        "https://api.invalid has no address: is its name right"
    )


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.0 400 Bad Request\r\n\r\n", "does not speak TLS as we do"),
        (b"", "gave no answer"),
    ],
)
def test_server_that_speaks_no_tls(answer: bytes, words: str) -> None:
    assert words in spoken(answer, lambda address: entries.Cluster(server=f"https://{address}", insecure=True))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n",
            "write user and password into its",
        ),
        (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", "answered 403 Forbidden: may it connect"),
    ],
)
def test_proxy_that_refuses(answer: bytes, words: str) -> None:
    def behind(address: str) -> entries.Cluster:
        return entries.Cluster(server="https://api.invalid", insecure=True, proxy_url=f"http://me:secret@{address}")

    said = spoken(answer, behind)
    assert said.startswith("the proxy http://127.0.0.1:")
    assert words in said
    assert "secret" not in said


def test_proxy_that_is_not_there() -> None:
    said = refusal(entries.Cluster(server="https://api.invalid", insecure=True), HTTPS_PROXY="http://127.0.0.1:1")
    assert said.startswith("the proxy http://127.0.0.1:1 cannot be reached (")
    assert "correct proxy-url, $HTTPS_PROXY or $NO_PROXY" in said
