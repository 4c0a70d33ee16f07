"""What the API server answers when it does not do what it was asked: statuses with Kubernetes' codes and reasons."""

import http
from collections.abc import Mapping
from typing import Any

_REASONS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    409: "Conflict",
    410: "Expired",
    415: "UnsupportedMediaType",
    422: "Invalid",
    429: "TooManyRequests",
    500: "InternalError",
}


class Refusal(Exception):  # noqa: N818  it says what happened
    """The request is refused; ``status`` is the object to answer with."""

    def __init__(self, code: int, message: str, *, reason: str = "", details: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason or _REASONS.get(code, "Unknown")
        self.details = dict(details or {})

    @property
    def status(self) -> dict[str, Any]:
        """The Status object that tells it."""
        told = {"status": "Failure", "message": str(self), "reason": self.reason, "code": self.code}
        return {"kind": "Status", "apiVersion": "v1", "metadata": {}, **told, "details": self.details}


def success(kind: str, group: str, name: str, uid: str, code: int = http.HTTPStatus.OK) -> dict[str, Any]:
    """Return the Status object of something that was done and has no object of its own to show."""
    details = {"name": name, **({"group": group} if group else {}), "kind": kind, "uid": uid}
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": code, "details": details}


def bad_request(message: str) -> Refusal:
    """Return the refusal of a request that makes no sense."""
    return Refusal(400, message)


def not_found(resource: str, name: str) -> Refusal:
    """Return the refusal of a request about an object that is not there."""
    return Refusal(404, f'{resource} "{name}" not found', details=_about(resource, name))


def already_exists(resource: str, name: str) -> Refusal:
    """Return the refusal to create what is there."""
    return Refusal(409, f'{resource} "{name}" already exists', reason="AlreadyExists", details=_about(resource, name))


def conflict(resource: str, name: str, why: str) -> Refusal:
    """Return the refusal of a write that stands on something that has changed."""
    message = f'Operation cannot be fulfilled on {resource} "{name}": {why}'
    return Refusal(409, message, details=_about(resource, name))


def invalid(kind: str, name: str, *problems: str) -> Refusal:
    """Return the refusal of an object that cannot be stored; each problem names the field and what is wrong."""
    told = problems[0] if len(problems) == 1 else f"[{', '.join(problems)}]"
    return Refusal(422, f'{kind} "{name}" is invalid: {told}', details={"name": name, "kind": kind})


def expired(version: int, oldest: int) -> Refusal:
    """Return the refusal to watch from before the history that is kept."""
    return Refusal(410, f"too old resource version: {version} ({oldest})")


def _about(resource: str, name: str) -> dict[str, str]:
    plural, _, group = resource.partition(".")
    return {"name": name, "kind": plural, **({"group": group} if group else {})}
