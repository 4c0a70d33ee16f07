"""A real etcd and kube-apiserver as host processes: the API server's own rules in tests, ready in seconds.

No kubelet, no scheduler, no controller manager: tests play their parts. Binaries come from `make tools`.
"""

import contextlib
import dataclasses
import hashlib
import http
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from cluster import tools
from kits.api_server import api_client

ADMIN_TOKEN = "admin"
"""Bearer token of a user in system:masters."""
USER_TOKEN = "user"
"""Bearer token of user `nobody`, who has no rights beyond those of every authenticated user."""
POLICIES = ("admissionregistration.k8s.io/v1", "mutatingadmissionpolicies")
"""What an API server serves that has policies which change pods: Kubernetes 1.36."""
RESOURCE_CLAIMS = ("resource.k8s.io/v1", "resourceclaims")
"""What an API server serves that keeps a pod's resource claims: Kubernetes 1.34."""
CRDS = pathlib.Path(__file__).parents[3] / "charts" / "neuronspan" / "crds"

_CRD_PATH = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_STARTUP_SECONDS = 60.0  # normally 3; the rest is for a machine that compiles at the same time


class ToolsMissingError(Exception):
    """A binary of the control plane is not on this machine."""


class ControlPlaneError(Exception):
    """The control plane did not come up; the message carries the end of its log."""


def find_tool(name: str) -> str:
    """The path of a binary: in $NEURONSPAN_TOOLS, else where `make tools` puts the versions of this checkout."""
    chosen = os.environ.get("NEURONSPAN_TOOLS")  # noqa: TID251  the kit's one setting; there is no config.py in tests
    folder = pathlib.Path(chosen) if chosen else tools.bin_directory()
    if (folder / name).is_file():
        return str(folder / name)
    raise ToolsMissingError(
        f"{name} is not in {folder}: run `make tools`, "
        "or let NEURONSPAN_TOOLS name the folder that holds etcd and kube-apiserver"
    )


@dataclasses.dataclass(frozen=True)
class Tls:
    """What the API server shows instead of a certificate that it makes itself: file and key, and others by name."""

    authority: pathlib.Path
    certificate: tuple[pathlib.Path, pathlib.Path]
    by_name: Mapping[str, tuple[pathlib.Path, pathlib.Path]] = dataclasses.field(default_factory=dict)

    def flags(self) -> list[str]:
        """The API server's flags."""
        named = [f"--tls-sni-cert-key={file},{key}:{name}" for name, (file, key) in self.by_name.items()]
        clients = f"--client-ca-file={self.authority}"
        return [
            f"--tls-cert-file={self.certificate[0]}",
            f"--tls-private-key-file={self.certificate[1]}",
            clients,
            *named,
        ]


@dataclasses.dataclass
class ControlPlane:
    """A running API server; everything a client needs to reach it."""

    url: str
    directory: pathlib.Path
    apiserver: "subprocess.Popen[bytes]"
    tls: "Tls | None" = None
    _clients: list[api_client.Client] = dataclasses.field(default_factory=list)

    @property
    def authority(self) -> str:
        """The file with the certificate that signed the server's."""
        if self.tls is not None:
            return str(self.tls.authority)
        return str(self.directory / "certificates" / "apiserver.crt")

    @property
    def kubeconfig(self) -> str:
        """A kubeconfig file of the administrator."""
        return self.write_kubeconfig()

    def write_kubeconfig(self, *, url: str | None = None, token: str = ADMIN_TOKEN) -> str:
        """Write a kubeconfig for this token, and for this address when a proxy stands in between."""
        server = url or self.url
        cluster = {"server": server, "certificate-authority": self.authority}
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "clusters": [{"name": "test", "cluster": cluster}],
            "users": [{"name": "test", "user": {"token": token}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        }
        digest = hashlib.sha256(f"{server} {token}".encode()).hexdigest()[:16]
        path = self.directory / f"kubeconfig-{digest}"
        path.write_text(json.dumps(content))  # JSON is YAML
        return str(path)

    def client(
        self, *, token: str = ADMIN_TOKEN, impersonation: api_client.Impersonation | None = None
    ) -> api_client.Client:
        """A client of its own connection, closed with the control plane."""
        client = api_client.Client(self.url, self.authority, token, impersonation)
        self._clients.append(client)
        return client

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        content_type: str = "application/json",
        *,
        token: str = ADMIN_TOKEN,
    ) -> api_client.Response:
        """One request; a refusal is an answer, not an exception."""
        with api_client.Client(self.url, self.authority, token) as client:
            return client.request(method, path, body, content_type)

    def apply_crd(self, manifest: Mapping[str, Any]) -> None:
        """Create this CRD, or bring it up to date, and wait until it is served."""
        name = str(manifest["metadata"]["name"])
        with api_client.Client(self.url, self.authority, ADMIN_TOKEN) as client:
            query = "?fieldManager=tests&force=true"
            client.patch(f"{_CRD_PATH}/{name}{query}", manifest, api_client.APPLY_PATCH)
            wait_for(lambda: _established(client.get(f"{_CRD_PATH}/{name}")), f"CRD {name} to be established")
            spec = manifest["spec"]
            collections = [
                f"/apis/{spec['group']}/{each['name']}/{spec['names']['plural']}" for each in spec["versions"]
            ]
            for path in collections:  # established, and yet "storage is (re)initializing" for a moment
                wait_for(
                    lambda path=path: client.request("GET", path).status == http.HTTPStatus.OK, f"answer at {path}"
                )

    def serves(self, group_version: str, plural: str) -> bool:
        """Whether the API server serves these resources: `apps/v1` or `v1`, and their plural or `pods/resize`."""
        found = self.request("GET", f"/apis/{group_version}" if "/" in group_version else f"/api/{group_version}").body
        return any(resource["name"] == plural for resource in found.get("resources") or [])

    def pause(self) -> None:
        """Freeze the API server: connections stay open and nothing answers."""
        self.apiserver.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.apiserver.pid, os.WSTOPPED)  # it may answer until it has really stopped

    def unpause(self) -> None:
        """Let a frozen API server go on."""
        self.apiserver.send_signal(signal.SIGCONT)


@contextlib.contextmanager
def running(directory: pathlib.Path, crds: pathlib.Path = CRDS, *, tls: Tls | None = None) -> Iterator[ControlPlane]:
    """Start etcd and kube-apiserver in this empty directory, apply the chart's CRDs, stop everything at the end."""
    binaries = {name: find_tool(name) for name in ("etcd", "kube-apiserver")}  # all missing ones fail before any start
    client_port, peer_port, secure_port = free_ports(3)
    with contextlib.ExitStack() as stack:
        etcd = _etcd_command(binaries["etcd"], directory, client_port, peer_port)
        stack.enter_context(process("etcd", etcd, directory))
        command = _apiserver_command(binaries["kube-apiserver"], directory, client_port, secure_port)
        command += tls.flags() if tls is not None else []
        apiserver = stack.enter_context(process("kube-apiserver", command, directory))
        plane = ControlPlane(f"https://127.0.0.1:{secure_port}", directory, apiserver, tls)
        _wait_until_ready(plane)
        for manifest in _manifests(crds):
            plane.apply_crd(manifest)
        yield plane
        for client in plane._clients:
            client.close()


def _manifests(folder: pathlib.Path) -> Iterator[dict[str, Any]]:
    for path in sorted(folder.glob("*.yaml")):
        yield from (manifest for manifest in yaml.safe_load_all(path.read_text()) if manifest)


def _etcd_command(binary: str, directory: pathlib.Path, client_port: int, peer_port: int) -> list[str]:
    client, peer = f"http://127.0.0.1:{client_port}", f"http://127.0.0.1:{peer_port}"
    return [
        binary,
        f"--data-dir={directory / 'etcd'}",
        "--unsafe-no-fsync",  # the data lives as long as the test session
        "--log-level=warn",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
    ]


def _apiserver_command(binary: str, directory: pathlib.Path, etcd_port: int, secure_port: int) -> list[str]:
    tokens = directory / "tokens.csv"
    tokens.write_text(f'{ADMIN_TOKEN},admin,1,"system:masters"\n{USER_TOKEN},nobody,2,""\n')
    key = directory / "service-accounts.key"
    curve = ["-name", "prime256v1"]
    subprocess.run(["openssl", "ecparam", *curve, "-genkey", "-noout", "-out", key], check=True, capture_output=True)
    return [
        binary,
        f"--etcd-servers=http://127.0.0.1:{etcd_port}",
        "--bind-address=127.0.0.1",
        f"--secure-port={secure_port}",
        f"--cert-dir={directory / 'certificates'}",  # the server makes its own certificate there
        f"--token-auth-file={tokens}",
        "--authorization-mode=RBAC",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={key}",
        f"--service-account-signing-key-file={key}",
        "--service-cluster-ip-range=10.0.0.0/24",
        "--endpoint-reconciler-type=none",
        "--enable-aggregator-routing=true",  # webhooks are found by their endpoints: no proxy serves cluster addresses
        # without a controller manager nobody would make service accounts or take the taint off again
        "--disable-admission-plugins=ServiceAccount,TaintNodesByCondition",
        "--enable-priority-and-fairness=false",
        "--max-requests-inflight=0",
        "--max-mutating-requests-inflight=0",
        "--shutdown-watch-termination-grace-period=0s",
    ]


@contextlib.contextmanager
def process(name: str, command: list[str], directory: pathlib.Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a server that ends with this process at the latest; its output is ``<name>.log`` in the directory."""
    setpriv = shutil.which("setpriv")  # a killed pytest takes its servers with it, where util-linux is installed
    tied = [setpriv, "--pdeathsig", "KILL", *command] if setpriv else command
    with (directory / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(tied, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        try:
            yield process
        finally:
            process.send_signal(signal.SIGCONT)  # a paused process hears nothing else
            process.kill()  # nothing worth saving: a graceful stop of the API server would wait for its watchers
            process.wait()


def free_ports(count: int) -> list[int]:
    """Return TCP ports of this host that nobody listens on."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for candidate in sockets:
            candidate.bind(("127.0.0.1", 0))
        return [int(candidate.getsockname()[1]) for candidate in sockets]


def _wait_until_ready(plane: ControlPlane) -> None:
    def is_ready() -> bool:
        if (code := plane.apiserver.poll()) is not None:
            log = (plane.directory / "kube-apiserver.log").read_text()[-3000:]
            raise ControlPlaneError(f"kube-apiserver ended with {code}:\n{log}")
        try:
            ready = plane.request("GET", "/readyz").status == http.HTTPStatus.OK
            return ready and plane.request("GET", "/api/v1/namespaces/default").status == http.HTTPStatus.OK
        except OSError:  # not listening yet, or no certificate yet
            return False

    wait_for(is_ready, f"kube-apiserver; its logs are in {plane.directory}")


def _established(crd: Mapping[str, Any]) -> bool:
    conditions = crd.get("status", {}).get("conditions") or []  # null for a moment
    return any(condition["type"] == "Established" and condition["status"] == "True" for condition in conditions)


def wait_for(condition: Any, what: str) -> None:
    """Wait until the condition holds; raises ControlPlaneError."""
    deadline = time.monotonic() + _STARTUP_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise ControlPlaneError(f"no {what} within {_STARTUP_SECONDS:g} s")
        time.sleep(0.05)  # other processes start in real time: polling is all there is
