"""Runs the programs that give credentials, by the protocol client.authentication.k8s.io.

Law: what kubectl does (k8s.io/client-go/plugin/pkg/client/auth/exec/exec.go): the program sees our standard error, and
our standard input only where it may ask the user something; what it printed is checked before any of it is used.
"""

import asyncio
import base64
import contextlib
import dataclasses
import datetime as dt
import json
import sys
from collections.abc import Mapping
from typing import Any

from neuronspan_agent import errors
from neuronspan_agent.connecting import entries

_SECONDS = 60.0
"""For a program that cannot ask anybody; one that can waits for people."""


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """What a program gave; PEM for the certificate and its key, both or none."""

    token: str = dataclasses.field(default="", repr=False)
    certificate: bytes = dataclasses.field(default=b"", repr=False)
    key: bytes = dataclasses.field(default=b"", repr=False)
    expires: dt.datetime | None = None
    """Timezone-aware; None: when the server refuses it."""


async def run(
    plugin: entries.Plugin, cluster: Mapping[str, Any], environment: Mapping[str, str], *, seconds: float = _SECONDS
) -> Answer:
    """Run a program; raises Unavailable with what to do. ``cluster`` is what it is told if it wants to know."""
    interactive = _is_interactive(plugin)
    spec = {"interactive": interactive} | ({"cluster": dict(cluster)} if plugin.provide_cluster_info else {})
    info = {"kind": "ExecCredential", "apiVersion": plugin.api_version, "spec": spec}
    surroundings = {**environment, **dict(plugin.environment), "KUBERNETES_EXEC_INFO": json.dumps(info)}
    try:
        process = await asyncio.create_subprocess_exec(
            plugin.command,
            *plugin.arguments,
            stdin=None if interactive else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            env=surroundings,
        )
    except (OSError, ValueError) as error:  # ValueError: a zero byte in a name
        raise errors.Unavailable(_not_started(plugin, error)) from error
    output = await _output(plugin, process, None if interactive else seconds)
    return read(plugin, output)


def read(plugin: entries.Plugin, output: bytes) -> Answer:
    """Return what a program printed; raises Unavailable. Pure."""
    try:
        said = json.loads(output)
    except (ValueError, RecursionError) as error:
        raise _wrong(plugin, f"printed no JSON: {error}") from error
    if not isinstance(said, dict) or said.get("kind") != "ExecCredential":
        raise _wrong(plugin, "printed no ExecCredential")
    if said.get("apiVersion") != plugin.api_version:
        wanted, given = plugin.api_version, said.get("apiVersion")
        raise _wrong(plugin, f"answers in {given} where the kubeconfig says {wanted}", "make them agree")
    status = said.get("status")
    if not isinstance(status, dict):
        raise _wrong(plugin, "gave no status")
    token, certificate, key, expires = (_text(plugin, status, name) for name in _FIELDS)
    if not (token or certificate or key):
        raise _wrong(plugin, "gave neither a token nor a client certificate")
    if bool(certificate) != bool(key):
        raise _wrong(plugin, "gave only one of certificate and key")
    return Answer(token, certificate.encode(), key.encode(), _time(plugin, expires))


def cluster_info(cluster: entries.Cluster, authority: bytes, proxy: str) -> Mapping[str, Any]:
    """Return what a program is told of the cluster (client-go's rest/exec.go)."""
    told = {
        "server": cluster.server,
        "tls-server-name": cluster.tls_server_name,
        "insecure-skip-tls-verify": cluster.insecure,
        "certificate-authority-data": base64.b64encode(authority).decode(),
        "proxy-url": proxy,
        "config": cluster.exec_config,
    }
    return {name: value for name, value in told.items() if value}


_FIELDS = "token", "clientCertificateData", "clientKeyData", "expirationTimestamp"


async def _output(plugin: entries.Plugin, process: asyncio.subprocess.Process, seconds: float | None) -> bytes:
    try:
        async with asyncio.timeout(seconds):
            output, _ = await process.communicate()
    except TimeoutError as error:
        raise _wrong(plugin, f"did not end within {seconds:g} s") from error
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if process.returncode:
        raise _wrong(plugin, f"ended with {process.returncode}", "see what it says above, or run it by hand")
    return output


def _is_interactive(plugin: entries.Plugin) -> bool:
    terminal = sys.stdin is not None and not sys.stdin.closed and sys.stdin.isatty()
    if plugin.interactive_mode == "Always" and not terminal:
        raise _wrong(plugin, "has to ask you something, and standard input is no terminal", "run the command in one")
    return terminal and plugin.interactive_mode != "Never"


def _not_started(plugin: entries.Plugin, error: Exception) -> str:
    why = error.strerror if isinstance(error, OSError) else str(error)
    hint = f": {' '.join(plugin.install_hint.split())}" if plugin.install_hint else ": install it, or set $PATH"
    return f"the program {plugin.command} that the kubeconfig logs in with cannot be started ({why}){hint}"


def _wrong(
    plugin: entries.Plugin, what: str, way_out: str = "run it by hand to see what it says"
) -> errors.Unavailable:
    return errors.Unavailable(f"the program {plugin.command} that the kubeconfig logs in with {what}: {way_out}")


def _text(plugin: entries.Plugin, status: Mapping[str, Any], name: str) -> str:
    value = status.get(name)
    if not isinstance(value, str | None):
        raise _wrong(plugin, f"gave {name} that is no text")
    return value or ""


def _time(plugin: entries.Plugin, text: str) -> dt.datetime | None:
    if not text:
        return None
    try:
        found = dt.datetime.fromisoformat(text)
    except ValueError as error:
        raise _wrong(plugin, f"gave expirationTimestamp {text!r}, which is no time") from error
    return found if found.tzinfo else found.replace(tzinfo=dt.UTC)
