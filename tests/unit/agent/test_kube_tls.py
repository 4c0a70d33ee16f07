"""Whom the door trusts: a server whose certificate comes from its authority and bears its name, and no other.

Over sockets, so in real time. Contexts are strict from the start, as those of Python 3.13 are.
"""

import asyncio
import contextlib
import pathlib
import ssl
from collections.abc import AsyncIterator
from typing import Any

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
                return await client.get(resources.NODES, "w1")

    return asyncio.run(ask())


@pytest.mark.parametrize("identifiers", [False, True])
def test_authority_is_accepted_without_key_identifiers_and_with_them(
    tmp_path: pathlib.Path, *, identifiers: bool
) -> None:
    authority = authorities.Authority(tmp_path / "own", identifiers=identifiers)
    assert asked(authority.serving("IP:127.0.0.1"), authority, tmp_path) == {"kind": "Node"}


@pytest.mark.parametrize(
    ("certificate", "said"),
    [
        ({"names": ("IP:127.0.0.2",)}, "is not for 127.0.0.1: use an address that it names"),
        ({"names": ("DNS:kubernetes.default.svc",)}, "is not for 127.0.0.1: use an address that it names"),
        ({"names": ("IP:127.0.0.1",), "expired": True}, "has expired: renew it"),
        ({"names": ("IP:127.0.0.1",), "own": True}, "is not from the certificate-authority of the kubeconfig"),
    ],
    ids=["another address", "a name", "expired", "signed by itself"],
)
def test_wrong_certificate_is_refused_with_what_is_wrong(
    tmp_path: pathlib.Path, certificate: dict[str, Any], said: str
) -> None:
    authority = authorities.Authority(tmp_path / "own")
    names = certificate.pop("names")
    with pytest.raises(errors.Unavailable, match="has a certificate that") as refusal:
        asked(authority.serving(*names, **certificate), authority, tmp_path)
    assert said in str(refusal.value)


@pytest.mark.parametrize("same_name", [False, True])
def test_certificate_of_another_authority_is_refused(tmp_path: pathlib.Path, *, same_name: bool) -> None:
    """One of the same name fails at its signature, one of another name at its issuer."""
    own = authorities.Authority(tmp_path / "own")
    other = authorities.Authority(tmp_path / "elsewhere" / "own" if same_name else tmp_path / "other")
    with pytest.raises(errors.Unavailable, match="is not from the certificate-authority of the kubeconfig"):
        asked(other.serving("IP:127.0.0.1"), own, tmp_path)
