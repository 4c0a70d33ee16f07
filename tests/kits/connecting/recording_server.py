"""An API server that notes who asks it, and a proxy that notes whom it is asked for; both on threads of their own."""

import contextlib
import dataclasses
import http.server
import json
import select
import socket
import ssl
import threading
from collections.abc import Iterator
from typing import Any

from kits.connecting import authorities


@dataclasses.dataclass(frozen=True)
class Request:
    """How a request was made: what says who made it."""

    path: str
    authorization: str
    acting: tuple[tuple[str, str], ...]
    certificate: str
    """The common name of the client's certificate."""
    name: str
    """The server name that the client's TLS asked for; none for an address."""


@dataclasses.dataclass
class RecordingServer:
    """What was seen, and where to ask."""

    url: str = ""
    requests: list[Request] = dataclasses.field(default_factory=list)
    proxy: str = ""
    proxied: list[str] = dataclasses.field(default_factory=list)

    def last(self, path: str) -> Request | None:
        """The newest request for this path; forgets all."""
        found = [each for each in self.requests if each.path == path]
        self.requests.clear()
        return found[-1] if found else None


@contextlib.contextmanager
def running(authority: authorities.Authority, *names: str) -> Iterator[RecordingServer]:
    """Serve with a certificate for these names, and a proxy beside it."""
    recorded = RecordingServer()
    asked: dict[int, str] = {}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            certificate: Any = self.connection.getpeercert()
            subject = dict(part[0] for part in certificate["subject"]) if certificate else {}
            acting = [(name.lower(), value) for name, value in self.headers.items() if name.startswith("Impersonate")]
            recorded.requests.append(
                Request(
                    self.path.partition("?")[0],
                    self.headers.get("Authorization", ""),
                    tuple(sorted(acting)),
                    subject.get("commonName", ""),
                    asked.get(id(self.connection), ""),
                )
            )
            body = json.dumps({"kind": "List", "apiVersion": "v1", "items": [], "metadata": {}}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    tls = authority.serving(*names)
    tls.load_verify_locations(authority.certificate)
    tls.verify_mode = ssl.CERT_OPTIONAL
    tls.sni_callback = lambda connection, name, _: asked.update({id(connection): name or ""})

    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True

        def get_request(self) -> tuple[socket.socket, Any]:
            connection, address = super().get_request()
            return tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), address

        def handle_error(self, *_: object) -> None:
            """Say nothing of clients that refuse us."""

    with Server(("127.0.0.1", 0), Handler) as server, _proxy(recorded.proxied) as recorded.proxy:
        recorded.url = f"https://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield recorded
        finally:
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def _proxy(proxied: list[str]) -> Iterator[str]:
    """Tunnel to wherever CONNECT says; everything is on this machine whatever its name is."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_CONNECT(self) -> None:
            proxied.append(self.path)
            port = int(self.path.rpartition(":")[2])
            with socket.create_connection(("127.0.0.1", port)) as there:
                self.send_response(200)
                self.end_headers()
                _pass(self.connection, there)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def _pass(one: socket.socket, other: socket.socket) -> None:
    while True:
        for ready in select.select([one, other], [], [])[0]:
            data = ready.recv(65536)
            if not data:
                return
            (other if ready is one else one).sendall(data)
