"""Whom the door trusts: a server whose certificate comes from its authority and bears its name, and no other.

Over sockets, so in real time. Contexts are strict from the start, as those of Python 3.13 are.
"""

import asyncio
import contextlib
import pathlib
import ssl
import subprocess
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from kits.api_server import kubeconfig
from neuronspan_agent import errors, kube, resources

CURVE = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc")
WITHOUT_IDENTIFIERS = "subjectKeyIdentifier=none", "authorityKeyIdentifier=none"


@pytest.fixture(autouse=True)
def _strict(monkeypatch: pytest.MonkeyPatch) -> None:
    made = ssl.create_default_context

    def strict(*arguments: object, **named: object) -> ssl.SSLContext:
        context = made(*arguments, **named)  # type: ignore[arg-type]  # whatever the client gives
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        return context

    monkeypatch.setattr(ssl, "create_default_context", strict)


class Authority:
    """Issues certificates without key identifiers, as some clusters do."""

    def __init__(self, folder: pathlib.Path) -> None:
        folder.mkdir()
        self._folder = folder
        self._key, self.certificate = folder / "ca.key", folder / "ca.pem"
        self._request("/CN=authority", self._key, self.certificate, "basicConstraints=critical,CA:TRUE")

    def server(self, name: str) -> ssl.SSLContext:
        """Return what a server of this name needs."""
        key, certificate = self._folder / "server.key", self._folder / "server.pem"
        signed = ("-CA", str(self.certificate), "-CAkey", str(self._key))
        self._request("/CN=server", key, certificate, f"subjectAltName={name}", *signed)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        return context

    @staticmethod
    def _request(subject: str, key: pathlib.Path, certificate: pathlib.Path, extension: str, *signed: str) -> None:
        extensions = [part for each in (extension, *WITHOUT_IDENTIFIERS) for part in ("-addext", each)]
        output = ("-keyout", str(key), "-out", str(certificate))
        empty = ("-config", "/dev/null", "-subj", subject)
        command = ["openssl", "req", "-x509", *empty, *CURVE, *output, *extensions, *signed]
        subprocess.run(command, check=True, capture_output=True)


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


def asked(tls: ssl.SSLContext, trusted: Authority, folder: pathlib.Path) -> kube.Manifest:
    """Ask a server on 127.0.0.1 for a node, trusting this authority."""

    async def ask() -> kube.Manifest:
        async with served(tls) as port:
            path = kubeconfig.written(folder, f"https://127.0.0.1:{port}", trusted.certificate)
            async with await kube.connect("test", path) as client:
                assert not (await client.credentials()).insecure
                return await client.get(resources.NODES, "w1")

    return asyncio.run(ask())


def test_authority_without_key_identifiers_is_accepted(tmp_path: pathlib.Path) -> None:
    authority = Authority(tmp_path / "own")
    assert asked(authority.server("IP:127.0.0.1"), authority, tmp_path) == {"kind": "Node"}


def test_certificate_of_another_authority_is_refused(tmp_path: pathlib.Path) -> None:
    own, other = Authority(tmp_path / "own"), Authority(tmp_path / "other")
    with pytest.raises(errors.Unavailable, match="signature failure"):
        asked(other.server("IP:127.0.0.1"), own, tmp_path)


@pytest.mark.parametrize("name", ["IP:127.0.0.2", "DNS:kubernetes.default.svc"])
def test_certificate_for_another_name_is_refused(tmp_path: pathlib.Path, name: str) -> None:
    authority = Authority(tmp_path / "own")
    with pytest.raises(errors.Unavailable, match="IP address mismatch"):
        asked(authority.server(name), authority, tmp_path)
