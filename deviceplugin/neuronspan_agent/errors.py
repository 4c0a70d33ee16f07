# ruff: noqa: N818 - the names say what happened (Conflict), the base class says that it is an error
"""Everything that can go wrong here, as one tree; errors of other libraries are converted where they enter.

AgentError
├── InvalidSettings    flags or environment; names every problem at once
├── CannotListen       the port to serve at cannot be used
├── LoginFailed        no usable kubeconfig or service account
│   └── NoKubeconfig   there is no such file
└── KubernetesError    the API server's answer to one call
    ├── Invalid        400, 422: the object or the patch is refused; also a JSON patch whose test fails
    ├── Forbidden      401, 403
    ├── NotFound       404
    ├── Conflict       409: another client wrote first (or created first)
    ├── Gone           410: this resourceVersion is too old to watch from
    └── Unavailable    everything that may pass: no connection, no answer in time, 429, 5xx

The trees of operator and device plugin grow from AgentError too.
"""

from collections.abc import Mapping, Sequence
from typing import Any


class AgentError(Exception):
    """The agent cannot do what it was asked."""


class InvalidSettings(AgentError):
    """One or more settings are wrong; ``problems`` has one sentence each."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("settings are not usable:\n" + "\n".join(f"- {each}" for each in problems))
        self.problems = tuple(problems)


class CannotListen(AgentError):
    """The port to serve at cannot be used."""


class LoginFailed(AgentError):
    """There are no credentials for an API server."""


class NoKubeconfig(LoginFailed):
    """None of the kubeconfig files is there."""


class KubernetesError(AgentError):
    """The API server refused a call, or did not answer it.

    ``status`` is the HTTP status (0 without an answer), ``reason`` the server's code like AlreadyExists.
    """

    def __init__(self, message: str, *, status: int = 0, reason: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason


class Invalid(KubernetesError):
    """The API server will never accept this request as it is."""


class Forbidden(KubernetesError):
    """The agent's service account may not do this."""


class NotFound(KubernetesError):
    """There is no such object."""


class Conflict(KubernetesError):
    """The object changed since it was read, or exists already."""


class Gone(KubernetesError):
    """The server no longer knows this resourceVersion: list again."""


class Unavailable(KubernetesError):
    """The same call may succeed later."""


_BY_STATUS: Mapping[int, type[KubernetesError]] = {
    400: Invalid,
    401: Forbidden,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Gone,
    422: Invalid,
}


def of_status(call: str, status: Mapping[str, Any]) -> KubernetesError:
    """Return the error for a ``Status`` object of the API server, as an answer or as an ERROR event of a watch."""
    code = int(status.get("code") or 0)
    kind = _BY_STATUS.get(code, Unavailable)
    return kind(f"{call}: {code} {status.get('message', '')}".rstrip(), status=code, reason=status.get("reason") or "")
