"""The operator's webhook beside a real API server, which reaches it as in a cluster: by Service, name and certificate.

Only the webhook of the operator runs, and nothing that gives out cores: tests of admission play the operator.
It logs in as the chart's service account, and has the settings of the chart's Deployment.
"""

import asyncio
import contextlib
import dataclasses
import datetime as dt
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from kits.api_server import chart
from kits.api_server import control_plane as control_plane_kit
from kits.connecting import left_open
from kits.world import running_operator
from neuronspan_agent import kube
from neuronspan_operator import application, config, metrics
from neuronspan_operator.webhook import server

Manifest = dict[str, Any]
SERVICE = f"{chart.RELEASE}-webhook"
SECRET = f"/api/v1/namespaces/{chart.NAMESPACE}/secrets/{chart.RELEASE}-webhook-certificate"
SLICES = f"/apis/discovery.k8s.io/v1/namespaces/{chart.NAMESPACE}/endpointslices"
ENDPOINTS = f"/api/v1/namespaces/{chart.NAMESPACE}/endpoints"
CONFIGURATIONS = tuple(
    f"/apis/admissionregistration.k8s.io/v1/{plural}/{SERVICE}"
    for plural in ("mutatingwebhookconfigurations", "validatingwebhookconfigurations")
)
_SECONDS = 30.0
_HOUR = 3600


def own_address() -> str:
    """Return an address of this machine that is not its loopback: an EndpointSlice takes no other."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # for documentation only; of UDP nothing is sent by this
        return str(probe.getsockname()[0])


def settings_of(deployment: Manifest, *flags: str) -> config.Settings:
    """Return the settings that a Deployment gives the operator, with these flags over them."""
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    environment = {each["name"]: each["value"] for each in container["env"] if "value" in each}
    return config.load([f"--namespace={chart.NAMESPACE}", *flags], environment)


def log_in(plane: control_plane_kit.ControlPlane) -> str:
    """Return a kubeconfig with a token of the operator's service account."""
    path = f"/api/v1/namespaces/{chart.NAMESPACE}/serviceaccounts/{chart.RELEASE}-operator/token"
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": _HOUR}}
    token = plane.request("POST", path, request).expect()["status"]["token"]
    return plane.write_kubeconfig(token=token)


def endpoints(plane: control_plane_kit.ControlPlane, *ports: int) -> None:
    """Say where the Service's pods are, one per port: nobody else does, without a controller manager.

    API servers below 1.34 look them up in Endpoints, newer ones in EndpointSlices.
    """
    for index in range(max(len(ports), 4)):
        plane.request("DELETE", f"{SLICES}/{SERVICE}-{index}")
    for index, port in enumerate(ports):
        manifest = {
            "metadata": {"name": f"{SERVICE}-{index}", "labels": {"kubernetes.io/service-name": SERVICE}},
            "addressType": "IPv4",
            "ports": [{"name": "webhook", "port": port, "protocol": "TCP"}],
            "endpoints": [{"addresses": [own_address()], "conditions": {"ready": True}}],
        }
        plane.request("POST", SLICES, manifest).expect()
    subsets = [
        {"addresses": [{"ip": own_address()}], "ports": [{"name": "webhook", "port": port, "protocol": "TCP"}]}
        for port in ports
    ]
    plane.request("DELETE", f"{ENDPOINTS}/{SERVICE}")
    plane.request("POST", ENDPOINTS, {"metadata": {"name": SERVICE}, "subsets": subsets}).expect()


@dataclasses.dataclass
class Running:
    """A webhook in a thread of its own."""

    webhook: server.Webhook
    meters: metrics.Metrics

    @property
    def port(self) -> int:
        return self.webhook.port

    def reviews(self) -> int:
        """Return how many reviews it has answered."""
        samples = [sample for metric in self.meters.reviews.collect() for sample in metric.samples]
        return int(sum(each.value for each in samples if each.name.endswith("_total")))

    def certificate(self) -> str:
        """Return the certificate that a new connection meets, as PEM."""
        return ssl.get_server_certificate(("127.0.0.1", self.port), timeout=_SECONDS)


@contextlib.contextmanager
def serving(
    plane: control_plane_kit.ControlPlane,
    values: Mapping[str, Any],
    *flags: str,
    now: Callable[[], dt.datetime] = application.now,
) -> Iterator[Running]:
    """Run the webhook of the release with these values, without endpoints; ready when it has a certificate."""
    deployment = chart.render(values, apis=()).one("Deployment", "operator")
    flags = (f"--kubeconfig={log_in(plane)}", "--webhook-port=0", "--webhook-drain-seconds=0", *flags)
    settings = settings_of(deployment, *flags)
    started: list[Running | BaseException] = []
    is_up, stop = threading.Event(), threading.Event()

    async def run() -> None:
        meters = metrics.Metrics()
        async with await kube.connect("webhook", settings.kubeconfig) as client:
            webhook = server.Webhook(settings, client, meters, now=now)
            async with webhook.serving():
                keeping = asyncio.create_task(webhook.keep())
                await running_operator.until(lambda: not webhook.problem, seconds=_SECONDS, what="a certificate")
                started.append(Running(webhook, meters))
                is_up.set()
                await asyncio.to_thread(stop.wait)
                keeping.cancel()
                await asyncio.wait({keeping})
        await left_open.closed()

    def main() -> None:
        try:
            asyncio.run(run())
        except BaseException as error:  # noqa: BLE001 - handed to the test
            started.append(error)
            is_up.set()

    thread = threading.Thread(target=main, name="webhook")
    thread.start()
    try:
        assert is_up.wait(_SECONDS), "the webhook did not become ready"
        (running,) = started
        if isinstance(running, BaseException):
            raise running
        yield running
    finally:
        stop.set()
        thread.join()
