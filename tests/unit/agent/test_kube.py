"""The door to the API server: statuses become errors, every wait has an end. Over a socket, so in real time."""

import asyncio
import contextlib
import json
import pathlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web

from kits.api_server import kubeconfig
from kits.connecting import authorities
from neuronspan_agent import errors, kube, resources

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
EVENT = {"type": "ADDED", "object": {"metadata": {"name": "w1", "resourceVersion": "7"}}}


@contextlib.asynccontextmanager
async def listening(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """Answer everything with this handler; yields host and port."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    try:
        yield f"127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@contextlib.asynccontextmanager
async def served(handler: Handler, folder: pathlib.Path, call_seconds: float = 10) -> AsyncIterator[kube.Client]:
    """A client of a server that answers everything with this handler."""
    authority = authorities.Authority(folder / "authority")
    async with listening(handler, authority.serving("IP:127.0.0.1")) as address:
        path = kubeconfig.written(folder, f"https://{address}", authority.certificate)
        async with await kube.connect("test", path, call_seconds=call_seconds) as client:
            yield client


def _authority(folder: pathlib.Path) -> pathlib.Path:
    return authorities.Authority(folder / "authority").certificate


def refusing(status: int, **body: Any) -> Handler:
    async def handler(_: web.Request) -> web.StreamResponse:
        return web.json_response({"kind": "Status", "code": status, **body}, status=status)

    return handler


async def hang(_: web.Request) -> web.StreamResponse:
    await asyncio.sleep(60)  # the client gives up long before
    raise AssertionError


@pytest.mark.parametrize(
    ("status", "error"),
    [(400, errors.Invalid), (401, errors.Forbidden), (403, errors.Forbidden), (404, errors.NotFound),
     (409, errors.Conflict), (410, errors.Gone), (422, errors.Invalid), (429, errors.Unavailable),
     (500, errors.Unavailable), (503, errors.Unavailable)],
)  # fmt: skip
def test_client_turns_a_status_into_an_error(
    tmp_path: pathlib.Path, status: int, error: type[errors.KubernetesError]
) -> None:
    async def ask() -> None:
        async with served(refusing(status, message="because", reason="Why"), tmp_path) as client:
            await client.get(resources.NODES, "w1")

    with pytest.raises(error, match=f"GET /api/v1/nodes/w1: {status} because") as refusal:
        asyncio.run(ask())
    assert (refusal.value.status, refusal.value.reason) == (status, "Why")


def test_client_sends_paths_queries_types_and_the_token(tmp_path: pathlib.Path) -> None:
    seen: list[tuple[str, str, str, str, Any]] = []
    programs: set[str] = set()

    async def handler(request: web.Request) -> web.StreamResponse:
        body = await request.json() if request.can_read_body else None
        kind = request.headers["Content-Type"]
        programs.add(request.headers["User-Agent"])
        seen.append((request.method, str(request.rel_url), kind, request.headers["Authorization"], body))
        return web.json_response({})

    async def ask() -> None:
        async with served(handler, tmp_path) as client:
            await client.list_page(resources.PODS, resources.Selector(labels="a=b"), limit=5, continuation="c/d")
            await client.merge_patch(resources.NEURON_POOLS, "a", {"status": {}}, subresource="status")
            await client.json_patch(resources.PODS, "web", [{"op": "test"}], "ns")
            await client.delete(resources.NEURON_NODES, "w1", resource_version="7")
            await client.evict("web", "ns", uid="u")

    asyncio.run(ask())
    assert {each[3] for each in seen} == {"Bearer secret"}
    assert programs == {"test"}
    sent = [(method, url, kind) for method, url, kind, _, _ in seen]
    assert sent == [
        ("GET", "/api/v1/pods?labelSelector=a%3Db&limit=5&continue=c/d", "application/json"),
        ("PATCH", "/apis/neuronspan.dev/v1alpha1/neuronpools/a/status", "application/merge-patch+json"),
        ("PATCH", "/api/v1/namespaces/ns/pods/web", "application/json-patch+json"),
        ("DELETE", "/apis/neuronspan.dev/v1alpha1/neuronnodes/w1", "application/json"),
        ("POST", "/api/v1/namespaces/ns/pods/web/eviction", "application/json"),
    ]
    assert seen[3][4]["preconditions"] == {"resourceVersion": "7"}
    assert seen[4][4]["deleteOptions"] == {"preconditions": {"uid": "u"}}


def test_client_gives_up_on_a_server_that_does_not_answer(tmp_path: pathlib.Path) -> None:
    async def ask() -> None:
        async with served(hang, tmp_path, call_seconds=0.2) as client:
            await client.get(resources.NODES, "w1")

    with pytest.raises(errors.Unavailable, match="gave no answer in time"):
        asyncio.run(ask())


LATIN = "<html>Zurück später</html>".encode("latin-1")


def answering(status: int, body: bytes) -> Handler:
    async def handler(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status, body=body)

    return handler


@pytest.mark.parametrize(
    ("body", "said"),
    [(b"<html>Welcome</html>", "not JSON"), (LATIN, "not JSON"), (b'["Welcome"]', "no Kubernetes object")],
)
def test_client_reports_a_page_of_a_proxy_in_words(tmp_path: pathlib.Path, body: bytes, said: str) -> None:
    async def ask() -> None:
        async with served(answering(200, body), tmp_path) as client:
            await client.get(resources.NODES, "w1")

    with pytest.raises(errors.Unavailable, match=said):
        asyncio.run(ask())


@pytest.mark.parametrize("body", [b"", LATIN, b'["no"]', b'{"code": "E_UPSTREAM"}', b'{"code": 0}', b'{"code": 503}'])
def test_client_reads_a_refusal_that_is_no_status_object_by_its_status_line(
    tmp_path: pathlib.Path, body: bytes
) -> None:
    async def ask() -> None:
        async with served(answering(410, body), tmp_path) as client:
            await client.get(resources.NODES, "w1")

    with pytest.raises(errors.Gone) as refusal:
        asyncio.run(ask())
    assert refusal.value.status == 410


def test_client_calls_through_the_proxy_that_the_environment_names(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, bool]] = []

    async def proxy(request: web.Request) -> web.StreamResponse:
        asked.append((str(request.url), "Authorization" in request.headers))
        return web.json_response(EVENT["object"])

    async def ask() -> None:
        async with listening(proxy) as address:
            monkeypatch.setenv("HTTP_PROXY", address)
            path = kubeconfig.written(tmp_path, "http://api.invalid:80", _authority(tmp_path))
            async with await kube.connect("test", path) as behind:
                await behind.get(resources.NODES, "w1")

    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    asyncio.run(ask())
    assert asked == [("http://api.invalid/api/v1/nodes/w1", False)]  # nothing secret is said without TLS


def test_call_asks_no_thread_for_anything(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy interpreter lets a thread wait, and the call with it."""
    asked: list[object] = []

    async def ask() -> None:
        async with served(answering(200, b"{}"), tmp_path) as client:
            await client.get(resources.NODES, "w1")
            loop = asyncio.get_running_loop()
            real = loop.run_in_executor

            def watched(*work: Any) -> Any:
                asked.append(work)
                return real(*work)

            monkeypatch.setattr(loop, "run_in_executor", watched)
            await client.get(resources.NODES, "w1")

    asyncio.run(ask())
    assert asked == []


def test_client_reports_a_server_that_is_not_there(tmp_path: pathlib.Path) -> None:
    async def ask() -> None:
        path = kubeconfig.written(tmp_path, "https://127.0.0.1:1", _authority(tmp_path))
        async with await kube.connect("test", path) as client:
            await client.get(resources.NODES, "w1")

    with pytest.raises(
        errors.Unavailable, match=r"GET /api/v1/nodes/w1: https://127\.0\.0\.1:1 refused the connection"
    ):
        asyncio.run(ask())


def streaming(*chunks: bytes, then_silent: bool = False) -> Handler:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for chunk in chunks:
            await response.write(chunk)
            await asyncio.sleep(0.01)  # so that they arrive one by one
        if then_silent:
            await asyncio.sleep(60)  # the client gives up long before
        return response

    return handler


def events_of(handler: Handler, folder: pathlib.Path, silence_seconds: float = 10) -> list[dict[str, Any]]:
    """Watch until the stream ends."""
    found: list[dict[str, Any]] = []

    async def watch() -> None:
        async with served(handler, folder) as client:
            stream = client.watch(
                resources.NODES, resource_version="1", silence_seconds=silence_seconds, stream_seconds=5
            )
            async with contextlib.aclosing(stream) as events:
                async for event in events:
                    found.append(event)  # noqa: PERF401  what came before an error counts

    asyncio.run(watch())
    return found


def test_watch_joins_lines_from_pieces_and_drops_an_unfinished_one(tmp_path: pathlib.Path) -> None:
    line = json.dumps(EVENT).encode() + b"\n"
    assert events_of(streaming(line[:10], line[10:] + line, line[:20]), tmp_path) == [EVENT, EVENT]


def test_watch_passes_over_empty_lines(tmp_path: pathlib.Path) -> None:
    line = json.dumps(EVENT).encode() + b"\n"
    assert events_of(streaming(b"\n" + line + b"\n", line), tmp_path) == [EVENT, EVENT]


@pytest.mark.parametrize("line", [b"<html>", LATIN, b'"ADDED"'])
def test_watch_reports_what_is_no_event_in_words(tmp_path: pathlib.Path, line: bytes) -> None:
    with pytest.raises(errors.Unavailable, match="watch nodes: the answer is"):
        events_of(streaming(line + b"\n"), tmp_path)


def test_watch_gives_up_on_a_silent_stream(tmp_path: pathlib.Path) -> None:
    with pytest.raises(errors.Unavailable, match=r"watch nodes: https.* gave no answer in time"):
        events_of(streaming(json.dumps(EVENT).encode() + b"\n", then_silent=True), tmp_path, silence_seconds=0.2)


@pytest.mark.parametrize(("code", "error"), [(410, errors.Gone), (500, errors.Unavailable)])
def test_watch_turns_an_error_event_into_an_error(
    tmp_path: pathlib.Path, code: int, error: type[errors.KubernetesError]
) -> None:
    event = {"type": "ERROR", "object": {"kind": "Status", "code": code, "message": "too old resource version"}}
    with pytest.raises(error, match="too old"):
        events_of(streaming(json.dumps(event).encode() + b"\n"), tmp_path)


def test_watch_turns_a_refusal_into_an_error(tmp_path: pathlib.Path) -> None:
    with pytest.raises(errors.Gone):
        events_of(refusing(410, message="too old"), tmp_path)


def test_connect_says_how_to_log_in_when_it_cannot(tmp_path: pathlib.Path) -> None:
    with pytest.raises(errors.LoginFailed, match="service account of this pod"):
        asyncio.run(kube.connect("test"))
    with pytest.raises(errors.LoginFailed, match=f"there is no kubeconfig {tmp_path}/absent"):
        asyncio.run(kube.connect("test", str(tmp_path / "absent")))


@pytest.mark.parametrize("text", ["", "clusters: [", "[1]", "\x00"], ids=["empty", "no-yaml", "a-list", "binary"])
def test_connect_says_that_a_kubeconfig_cannot_be_read(tmp_path: pathlib.Path, text: str) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(text)
    with pytest.raises(errors.LoginFailed, match=f"kubeconfig {path}"):
        asyncio.run(kube.connect("test", str(path)))


def test_connect_says_that_the_authority_is_no_certificate(tmp_path: pathlib.Path) -> None:
    authority = tmp_path / "authority.pem"
    authority.write_text("nonsense")
    path = kubeconfig.written(tmp_path, "https://127.0.0.1:1", authority)
    with pytest.raises(errors.LoginFailed, match=f"certificate-authority {authority} holds no certificate"):
        asyncio.run(kube.connect("test", path))
