"""The API server of the cluster that this process is a pod of, as its service account: rest.InClusterConfig in Go."""

import pathlib
from collections.abc import Mapping

from neuronspan_agent import errors
from neuronspan_agent.connecting import entries, targets

FOLDER = pathlib.Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where kubelet puts what belongs to the service account."""
_HOST, _PORT = "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"
_WAY_OUT = "give a kubeconfig file outside a cluster, and mount a service account token inside one"


def is_possible(environment: Mapping[str, str]) -> bool:
    """Whether this looks like a pod with a service account."""
    return bool(environment.get(_HOST) and environment.get(_PORT)) and (FOLDER / "token").is_file()


def target(environment: Mapping[str, str]) -> targets.Target:
    """Return the API server of this pod's cluster; raises LoginFailed."""
    host, port = environment.get(_HOST, ""), environment.get(_PORT, "")
    missing = next((each for each in ("token", "ca.crt") if not (FOLDER / each).is_file()), "")
    problem = f"${_HOST} and ${_PORT} are not set" if not (host and port) else f"{FOLDER / missing} is not there"
    if missing or not (host and port):
        raise errors.LoginFailed(f"cannot log in with the service account of this pod: {problem}; {_WAY_OUT}")
    address = f"[{host}]" if ":" in host else host
    return targets.Target(
        cluster=entries.Cluster(server=f"https://{address}:{port}", authority=str(FOLDER / "ca.crt")),
        user=entries.User(token_file=str(FOLDER / "token")),
        namespace=_namespace(),
        source="the service account of this pod",
    )


def _namespace() -> str:
    path = FOLDER / "namespace"
    return path.read_text(encoding="utf-8").strip() if path.is_file() else ""
