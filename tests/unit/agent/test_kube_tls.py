"""Whom the door trusts: a server whose certificate comes from its authority and bears its name, and no other.

Over sockets, so in real time. Contexts are strict from the start, as those of Python 3.13 are.
"""

import asyncio
import contextlib
import pathlib
import ssl
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from kits.api_server import kubeconfig
from kits.connecting import authorities
from neuronspan_agent import errors, kube, resources


@pytest.fixture(autouse=True)
def _strict(monkeypatch: pytest.MonkeyPatch) -> None:
    made = ssl.create_default_context

    def strict(*arguments: object, **named: object) -> ssl.SSLContext:
        context = made(*arguments, **named)  # type: ignore[arg-type]  # whatever the client gives
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        return context

    monkeypatch.setattr(ssl, "create_default_context", strict)


@contextlib.asynccontextmanager
async def served(tls: ssl.SSLContext) -> AsyncIterator[int]:
    """Serve one node to whoever asks; yields the port."""

    async def handler(_: web.Request) -> web.StreamResponse:
        return web.json_response({"kind": "Node"})

    app = web.Application()
    app.router.add_get("/api/v1/nodes/w1", handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


def asked(tls: ssl.SSLContext, trusted: authorities.Authority, folder: pathlib.Path) -> kube.Manifest:
    """Ask a server on 127.0.0.1 for a node, trusting this authority."""

    async def ask() -> kube.Manifest:
        async with served(tls) as port:
            path = kubeconfig.written(folder, f"https://127.0.0.1:{port}", trusted.certificate)
            async with await kube.connect("test", path) as client:
                assert not (await client.credentials()).insecure
                return await client.get(resources.NODES, "w1")

    return asyncio.run(ask())


def test_authority_without_key_identifiers_is_accepted(tmp_path: pathlib.Path) -> None:
    authority = authorities.Authority(tmp_path / "own")
    assert asked(authority.serving("IP:127.0.0.1"), authority, tmp_path) == {"kind": "Node"}


def test_certificate_of_another_authority_is_refused(tmp_path: pathlib.Path) -> None:
    own, other = authorities.Authority(tmp_path / "own"), authorities.Authority(tmp_path / "other")
    with pytest.raises(errors.Unavailable, match="certificate verify failed"):
        asked(other.serving("IP:127.0.0.1"), own, tmp_path)


@pytest.mark.parametrize("name", ["IP:127.0.0.2", "DNS:kubernetes.default.svc"])
def test_certificate_for_another_name_is_refused(tmp_path: pathlib.Path, name: str) -> None:
    authority = authorities.Authority(tmp_path / "own")
    with pytest.raises(errors.Unavailable, match="IP address mismatch"):
        asked(authority.serving(name), authority, tmp_path)
