"""A real cluster for tests and the demo: objects as dicts, commands in pods and nodes, waiting for conditions.

Reads go to the API server over one kept-alive connection, because waiting reads often; changes go through kubectl,
which knows every kind. Nothing sleeps for a fixed time: `wait_for` polls, and says at its end what it waited for.
"""

import base64
import contextlib
import http.client
import json
import pathlib
import re
import ssl
import time
import urllib.parse
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import yaml

from cluster import errors, kind_cluster

POLL_SECONDS = 0.3
CALL_SECONDS = 120.0
EXEC_ATTEMPTS = 3
CORE_RESOURCES = frozenset({"configmaps", "events", "namespaces", "nodes", "pods", "secrets", "services"})
APP_RESOURCES = frozenset({"daemonsets", "deployments", "replicasets", "statefulsets"})
CUSTOM_VERSION = "v1alpha1"


class AccessError(Exception):
    """The API server refused a read; the message carries its words."""


class NotFoundError(AccessError):
    """There is no such object."""


class Cluster:
    """One kind cluster by name, as the administrator."""

    def __init__(self, name: str) -> None:
        self._kind = kind_cluster.Cluster(name)
        self._reader = _Reader(self._kind.kubeconfig)

    @property
    def name(self) -> str:
        """The kind cluster's name."""
        return self._kind.name

    @property
    def kubeconfig(self) -> pathlib.Path:
        """The administrator's kubeconfig file."""
        return self._kind.kubeconfig

    def close(self) -> None:
        """Close the connection to the API server."""
        self._reader.close()

    # --- reading -------------------------------------------------------------------------------------------------

    def list(self, resource: str, namespace: str | None = None, *, labels: str = "") -> list[dict[str, Any]]:
        """All objects of a resource (`pods`, `jobs.batch`, `neuronnodes.neuronspan.dev`), of one namespace or all."""
        query = f"?{urllib.parse.urlencode({'labelSelector': labels})}" if labels else ""
        items: list[dict[str, Any]] = self._reader.get(path_of(resource, namespace) + query)["items"]
        return items

    def get(self, resource: str, name: str, namespace: str | None = None) -> dict[str, Any]:
        """One object; NotFoundError when there is none."""
        return self._reader.get(f"{path_of(resource, namespace)}/{name}")

    def exists(self, resource: str, name: str, namespace: str | None = None) -> bool:
        """Whether there is such an object."""
        try:
            self.get(resource, name, namespace)
        except NotFoundError:
            return False
        return True

    # --- changing ------------------------------------------------------------------------------------------------

    def kubectl(self, *words: str, stdin: str = "", seconds: float = CALL_SECONDS) -> str:
        """Run kubectl; ClusterError carries its words when it fails."""
        return self._kind.kubectl(*words, stdin=stdin.encode(), timeout=seconds)

    def apply(self, manifest: Mapping[str, Any], namespace: str | None = None) -> None:
        """Create or update one object."""
        self.apply_all([manifest], namespace)

    def apply_all(self, manifests: Iterable[Mapping[str, Any]], namespace: str | None = None) -> None:
        """Create or update objects in one call, as a user's `kubectl apply` would."""
        objects = {"apiVersion": "v1", "kind": "List", "items": list(manifests)}
        self.kubectl("apply", *_in(namespace), "--filename", "-", stdin=json.dumps(objects))

    def delete(self, resource: str, name: str, namespace: str | None = None, *, force: bool = False) -> None:
        """Ask for deletion and return at once; gone already is fine. `force`: the object goes, whatever runs."""
        at_once = ("--force", "--grace-period=0") if force else ()
        self.kubectl("delete", resource, name, *_in(namespace), "--wait=false", "--ignore-not-found", *at_once)

    # --- inside --------------------------------------------------------------------------------------------------

    def execute(self, namespace: str, pod: str, *command: str, container: str = "") -> str:
        """The standard output of a command in a container of a pod.

        Tried up to three times when the node's runtime could not even start it, as busy machines have it now and then.
        """
        chosen = ("--container", container) if container else ()
        words = ("exec", "--namespace", namespace, pod, *chosen, "--", *command)
        for _ in range(EXEC_ATTEMPTS - 1):
            try:
                return self.kubectl(*words)
            except errors.CommandFailed as error:
                if not was_never_started(error.tail):
                    raise
        return self.kubectl(*words)

    def logs(self, namespace: str, pod: str, *, container: str = "", previous: bool = False) -> str:
        """What a container has printed so far, or before its last restart."""
        chosen = ("--container", container) if container else ()
        before = ("--previous",) if previous else ()
        return self.kubectl("logs", "--namespace", namespace, pod, *chosen, *before)

    def node_execute(self, node: str, *command: str, stdin: str = "", seconds: float = CALL_SECONDS) -> str:
        """The standard output of a command on a node, as its root."""
        return self._kind.on_node(node, *command, stdin=stdin.encode() if stdin else None, timeout=seconds)

    # --- waiting -------------------------------------------------------------------------------------------------

    def wait_for(self, condition: Callable[[], bool], *, seconds: float, what: Callable[[], str]) -> None:
        """Poll until `condition` holds; AssertionError with `what()` when it does not in time.

        An API server that is away for a moment (restarts are tested) counts as "not yet".
        """
        deadline = time.monotonic() + seconds
        while not self._holds(condition):
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {seconds:g} s: {what()}")
            time.sleep(POLL_SECONDS)

    @staticmethod
    def _holds(condition: Callable[[], bool]) -> bool:
        with contextlib.suppress(OSError, http.client.HTTPException):
            return condition()
        return False


Disturbance: TypeAlias = Callable[[Cluster, str], None]
"""Something done to a node while pods run on it."""


def of_kind(name: str) -> Cluster:
    """The kind cluster of this name; ClusterError when there is none."""
    kind_cluster.Cluster(name).require()
    return Cluster(name)


def was_never_started(complaint: str) -> bool:
    """Whether kubectl exec failed because the runtime did not get as far as the command, which may then be tried again.

    containerd puts "OCI runtime exec failed" before what runc says of its own steps (`setns`, `read init-p`), but also
    of a command that does not exist or may not be run: that is an answer, and stays one. Of a command that ran kubectl
    tells the exit code, whatever was printed before.
    """
    by_runtime = re.search(r"OCI runtime exec failed|setns process", complaint)
    answered = re.search(
        r"command terminated with exit code|executable file not found|no such file or directory|permission denied",
        complaint,
    )
    return by_runtime is not None and answered is None


def path_of(resource: str, namespace: str | None = None) -> str:
    """The API path of a resource by its plural, singular or `plural.group` name."""
    plural, _, group = resource.partition(".")
    if not plural.endswith("s"):
        plural += "s"
    if plural in CORE_RESOURCES and not group:
        prefix = "/api/v1"
    elif plural in APP_RESOURCES:
        prefix = "/apis/apps/v1"
    elif group == "batch" or plural == "jobs":
        prefix = "/apis/batch/v1"
    elif group:
        prefix = f"/apis/{group}/{CUSTOM_VERSION}"
    else:
        raise AccessError(f"no API path known for {resource}: write it as plural.group, or add it to cluster_access")
    return f"{prefix}/namespaces/{namespace}/{plural}" if namespace else f"{prefix}/{plural}"


def _in(namespace: str | None) -> Sequence[str]:
    return ("--namespace", namespace) if namespace else ()


class _Reader:
    """GET with the client certificate of a kubeconfig that kind wrote."""

    def __init__(self, kubeconfig: pathlib.Path) -> None:
        self._connection: http.client.HTTPSConnection | None = None
        self._kubeconfig = kubeconfig

    def get(self, path: str) -> dict[str, Any]:
        try:
            status, text = self._send(path)
        except (http.client.HTTPException, OSError):
            self.close()  # the server dropped the idle connection, or restarted: once more on a new one
            status, text = self._send(path)
        body: dict[str, Any] = json.loads(text) if text.startswith(b"{") else {"message": text.decode()}
        if status == http.HTTPStatus.NOT_FOUND:
            raise NotFoundError(f"{path}: {body.get('message')}")
        if status != http.HTTPStatus.OK:
            raise AccessError(f"{path}: {status} {body.get('message')}")
        return body

    def __del__(self) -> None:
        """Close with the last reference too: a script that just ends leaves no open socket to complain about."""
        self.close()

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _send(self, path: str) -> tuple[int, bytes]:
        if self._connection is None:
            self._connection = self._connect()
        self._connection.request("GET", path, headers={"Accept": "application/json"})
        answer = self._connection.getresponse()
        return answer.status, answer.read()

    def _connect(self) -> http.client.HTTPSConnection:
        content = yaml.safe_load(self._kubeconfig.read_text(encoding="utf-8"))
        server, user = content["clusters"][0]["cluster"], content["users"][0]["user"]
        authority = base64.b64decode(server["certificate-authority-data"]).decode()
        context = ssl.create_default_context(cadata=authority)
        identity = self._kubeconfig.with_name("client.pem")  # ssl reads certificates from files only
        identity.touch(mode=0o600)
        parts = (user["client-certificate-data"], user["client-key-data"])
        identity.write_bytes(b"".join(base64.b64decode(part) for part in parts))
        context.load_cert_chain(identity)
        address = urllib.parse.urlsplit(server["server"])
        return http.client.HTTPSConnection(str(address.hostname), address.port, timeout=30, context=context)
