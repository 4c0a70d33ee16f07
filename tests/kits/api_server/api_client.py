"""A plain synchronous client of the Kubernetes API for tests: one kept-alive connection, dicts in and out.

It knows no resource and raises nothing on a refusal, so that a test can assert on the API server's own words.
"""

import copy
import dataclasses
import http.client
import json
import ssl
import threading
import urllib.parse
from collections.abc import Mapping
from typing import Any, Self

MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
JSON_PATCH = "application/json-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"


@dataclasses.dataclass(frozen=True)
class Response:
    """What the API server answered."""

    status: int
    body: dict[str, Any]

    @property
    def message(self) -> str:
        """The server's sentence of a refusal, empty for a success."""
        return str(self.body.get("message", "")) if self.body.get("kind") == "Status" else ""

    def expect(self, *statuses: int) -> dict[str, Any]:
        """The body, provided that the status is one of these (any 2xx when none is given)."""
        accepted = self.status in statuses if statuses else self.status < http.HTTPStatus.MULTIPLE_CHOICES
        assert accepted, f"the API server answered {self.status}: {json.dumps(self.body)[:600]}"
        return self.body


@dataclasses.dataclass(frozen=True)
class Impersonation:
    """Whom the request shall come from; only a system:masters token may say so."""

    user: str
    groups: tuple[str, ...] = ()
    extra: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def headers(self) -> list[tuple[str, str]]:
        """The Impersonate-* headers."""
        extra = [(f"Impersonate-Extra-{urllib.parse.quote(key, safe='')}", value) for key, value in self.extra.items()]
        return [("Impersonate-User", self.user), *(("Impersonate-Group", group) for group in self.groups), *extra]


class Client:
    """Requests with one token; safe to share between threads."""

    def __init__(self, url: str, authority: str, token: str, impersonation: Impersonation | None = None) -> None:
        address = urllib.parse.urlsplit(url)
        trusting = ssl.create_default_context(cafile=authority)
        trusting.verify_flags &= ~ssl.VERIFY_X509_STRICT  # an authority of a test may have no key identifier
        self._connection = http.client.HTTPSConnection(
            str(address.hostname), address.port, timeout=30, context=trusting
        )
        self._impersonation = impersonation.headers() if impersonation else []
        self._token = token
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def acting_as(self, impersonation: Impersonation) -> Self:
        """Return a client on the same connection whose requests come from somebody else."""
        other = copy.copy(self)
        other._impersonation = impersonation.headers()
        return other

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def request(self, method: str, path: str, body: Any = None, content_type: str = "application/json") -> Response:
        """Send one request; a refusal is an answer, not an exception."""
        payload = None if body is None else json.dumps(body).encode()
        with self._lock:
            try:
                return self._send(method, path, payload, content_type)
            except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError, ssl.SSLEOFError):
                self._connection.close()  # the server restarted or dropped the idle connection
                return self._send(method, path, payload, content_type)

    def _send(self, method: str, path: str, payload: bytes | None, content_type: str) -> Response:
        self._connection.putrequest(method, path)
        headers = [("Authorization", f"Bearer {self._token}"), ("Accept", "application/json"), *self._impersonation]
        if payload is not None:
            headers += [("Content-Type", content_type), ("Content-Length", str(len(payload)))]
        for name, value in headers:
            self._connection.putheader(name, value)
        self._connection.endheaders(payload)
        answer = self._connection.getresponse()
        text = answer.read()
        is_json = "json" in (answer.getheader("Content-Type") or "")
        return Response(answer.status, json.loads(text) if is_json else {"text": text.decode()})

    def get(self, path: str) -> dict[str, Any]:
        """GET that must succeed."""
        return self.request("GET", path).expect()

    def create(self, path: str, manifest: Mapping[str, Any]) -> dict[str, Any]:
        """POST that must succeed."""
        return self.request("POST", path, manifest).expect()

    def replace(self, path: str, manifest: Mapping[str, Any]) -> dict[str, Any]:
        """PUT that must succeed."""
        return self.request("PUT", path, manifest).expect()

    def patch(self, path: str, patch: Any, content_type: str = MERGE_PATCH) -> dict[str, Any]:
        """PATCH that must succeed."""
        return self.request("PATCH", path, patch, content_type).expect()

    def delete(self, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """DELETE that must succeed; gone already is a success too."""
        return self.request("DELETE", path, body).expect(200, 202, 404)
