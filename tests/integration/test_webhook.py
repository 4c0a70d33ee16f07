"""The webhook beside a real API server: what it answers, whose certificate it trusts, and what happens without it."""

import asyncio
import base64
import datetime as dt
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import aiohttp
import pytest

from kits.api_server import admission as admission_kit
from kits.api_server import api_client, chart
from kits.api_server import control_plane as control_plane_kit
from kits.webhook import replicas
from kits.world import running_operator
from neuronspan import names
from neuronspan_operator.webhook import identities, issuing, keeping

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

VALUES = {"admission": {"mode": "webhook"}}
PODS = admission_kit.PODS
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
FAILED = 'failed calling webhook "requests.neuronspan.dev"'
ROUND = 0.2


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[control_plane_kit.ControlPlane]:
    """An API server with the chart in it, and no operator."""
    with control_plane_kit.running(tmp_path_factory.mktemp("webhook")) as running:
        chart.release(running, "install", values=VALUES)
        yield running


@pytest.fixture(autouse=True)
def _rounds_are_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "ROUND_SECONDS", ROUND)


@pytest.fixture
def running(plane: control_plane_kit.ControlPlane) -> Iterator[replicas.Running]:
    """One replica, which the API server finds."""
    with replicas.serving(plane, VALUES) as served:
        replicas.endpoints(plane, served.port)
        admission_kit.wait_for(lambda: asks(plane).status == 201, "the API server to trust the webhook")
        yield served


def asks(plane: control_plane_kit.ControlPlane, cores: str = "4") -> api_client.Response:
    """Try a pod that asks for cores, and store nothing."""
    pod = admission_kit.pod({names.CORES_ANNOTATION: cores}, name="asks")
    return plane.request("POST", f"{PODS}?dryRun=All", pod)


def book(plane: control_plane_kit.ControlPlane) -> identities.Book:
    """What the Secret holds."""
    data = plane.request("GET", replicas.SECRET).body.get("data") or {}
    return identities.from_secret(data, issuing.read, issuing.is_certificate)


def bundles(plane: control_plane_kit.ControlPlane) -> set[str]:
    """Whom the API server trusts."""
    found = [each for path in replicas.CONFIGURATIONS for each in plane.request("GET", path).expect()["webhooks"]]
    return {base64.b64decode(each["clientConfig"].get("caBundle", "")).decode() for each in found}


def deployment(cores: str) -> dict[str, Any]:
    pod = admission_kit.pod({names.CORES_ANNOTATION: cores})
    template = {"metadata": {"labels": {"a": "b"}, **pod["metadata"]}, "spec": pod["spec"]}
    spec = {"selector": {"matchLabels": {"a": "b"}}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec}


def test_pod_that_asks_gets_its_common_form(plane: control_plane_kit.ControlPlane, running: replicas.Running) -> None:
    pod = asks(plane).expect()
    assert pod["spec"]["schedulerName"] == "neuronspan"
    assert pod["metadata"]["labels"] == {names.MANAGED_LABEL: names.MANAGED_VALUE}
    assert pod["metadata"]["annotations"][names.CONTAINER_ANNOTATION] == "app"
    assert pod["spec"]["containers"][0]["resources"]["limits"] == {admission_kit.CORES: "4"}


def test_request_that_cannot_be_meant_is_refused(
    plane: control_plane_kit.ControlPlane, running: replicas.Running
) -> None:
    refused = asks(plane, "many")
    assert refused.status == 422
    assert refused.message.startswith('admission webhook "requests.neuronspan.dev" denied the request: annotation ')
    assert "whole number of NeuronCores from 1 to 128" in admission_kit.words(refused)
    workload = plane.request("POST", f"{DEPLOYMENTS}?dryRun=All", deployment("many"))
    assert workload.status == 422
    assert admission_kit.words(workload).startswith("in the pod template: ")


def test_pod_that_does_not_ask_is_never_sent(plane: control_plane_kit.ControlPlane, running: replicas.Running) -> None:
    before = running.reviews()
    foreign = admission_kit.pod({"example.com/cores": "4"}, name="foreign")
    assert plane.request("POST", f"{PODS}?dryRun=All", foreign).status == 201
    assert running.reviews() == before
    asks(plane).expect()
    assert running.reviews() > before


def test_without_the_webhook_only_pods_that_ask_are_refused(plane: control_plane_kit.ControlPlane) -> None:
    with replicas.serving(plane, VALUES) as served:
        replicas.endpoints(plane, served.port)
        admission_kit.wait_for(lambda: asks(plane).status == 201, "the API server to trust the webhook")
        stored = admission_kit.pod({names.CORES_ANNOTATION: "2"}, name="runs")
        plane.request("POST", PODS, stored).expect()
    refused = asks(plane)  # nobody listens any more
    assert refused.status == 500
    assert FAILED in refused.message
    label = {"metadata": {"labels": {"team": "a"}}}
    for name, pod in (("foreign", admission_kit.pod(name="foreign")), ("runs", None)):
        if pod is not None:
            plane.request("POST", PODS, pod).expect()
        plane.request("PATCH", f"{PODS}/{name}", label, api_client.MERGE_PATCH).expect()
        plane.request("DELETE", f"{PODS}/{name}?gracePeriodSeconds=0").expect()
    plane.request(
        "POST", f"{DEPLOYMENTS}?dryRun=All", deployment("many")
    ).expect()  # a courtesy, and its pods are refused


def test_operator_that_has_no_endpoints_yet_lets_everything_else_through(plane: control_plane_kit.ControlPlane) -> None:
    replicas.endpoints(plane)
    assert FAILED in asks(plane).message
    own = {"metadata": {"name": "operator", "namespace": chart.NAMESPACE}}
    template = chart.render(VALUES, apis=()).one("Deployment", "operator")["spec"]["template"]
    spec = {**template["spec"], "priorityClassName": None}
    answer = plane.request("POST", f"/api/v1/namespaces/{chart.NAMESPACE}/pods?dryRun=All", {**own, "spec": spec})
    assert answer.status == 201, answer.body


async def test_whole_operator_is_ready_when_it_answers_and_answers_until_its_end(
    plane: control_plane_kit.ControlPlane,
) -> None:
    deployment = chart.render(VALUES, apis=()).one("Deployment", "operator")
    settings = replicas.settings_of(deployment)
    flags = [f"--{name}={getattr(settings, name.replace('-', '_'))}" for name in ("namespace", "webhook-service")]
    async with running_operator.whole(
        plane, *flags, "--webhook=true", "--webhook-port=0", "--webhook-drain-seconds=3"
    ) as operator:
        await running_operator.until(lambda: operator.webhook is not None and not operator.webhook.problem)
        assert operator.webhook is not None
        replicas.endpoints(plane, operator.webhook.port)
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{operator.port}/readyz") as answer,
        ):
            assert (await answer.json())["webhook"] == "ok"
        await asyncio.to_thread(admission_kit.wait_for, lambda: asks(plane).status == 201)
        operator.stop.set()
        await asyncio.sleep(1)  # it has given up its lease
        assert (await asyncio.to_thread(asks, plane)).status == 201


def test_two_replicas_serve_one_certificate(plane: control_plane_kit.ControlPlane) -> None:
    plane.request("DELETE", replicas.SECRET)
    with replicas.serving(plane, VALUES) as first, replicas.serving(plane, VALUES) as second:
        current = book(plane).current
        assert current is not None
        admission_kit.wait_for(lambda: first.certificate() == second.certificate() == current.certificate)
        replicas.endpoints(plane, first.port, second.port)
        admission_kit.wait_for(lambda: asks(plane).status == 201)
        assert bundles(plane) == {book(plane).trusted}


@pytest.mark.parametrize(
    "spoil",
    [
        lambda plane: plane.request("DELETE", replicas.SECRET),
        lambda plane: plane.request(
            "PATCH", replicas.SECRET, {"data": {"tls.key": "eA==", "ca.crt": None}}, api_client.MERGE_PATCH
        ),
    ],
    ids=["deleted", "corrupted"],
)
def test_spoilt_secret_is_repaired_and_nobody_notices(
    plane: control_plane_kit.ControlPlane,
    running: replicas.Running,
    spoil: Callable[[control_plane_kit.ControlPlane], api_client.Response],
) -> None:
    before, trusted = book(plane), bundles(plane)
    spoil(plane).expect()
    admission_kit.wait_for(lambda: book(plane) == before, "the Secret to be as before")
    assert bundles(plane) == trusted
    asks(plane).expect()


def test_authority_of_another_is_refused_by_the_api_server_and_repaired(
    plane: control_plane_kit.ControlPlane, running: replicas.Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "ROUND_SECONDS", 5.0)  # time to look
    written = [{"op": "remove", "path": "/webhooks/0/clientConfig/caBundle"}]
    plane.request("PATCH", replicas.CONFIGURATIONS[0], written, api_client.JSON_PATCH).expect()
    admission_kit.wait_for(lambda: "" not in bundles(plane), "the last quick round")
    other = issuing.issue("other", ["x"], dt.datetime.now(dt.UTC))
    bundle = base64.b64encode(other.authority.encode()).decode()
    wrong = [{"op": "replace", "path": "/webhooks/0/clientConfig/caBundle", "value": bundle}]
    plane.request("PATCH", replicas.CONFIGURATIONS[0], wrong, api_client.JSON_PATCH).expect()
    admission_kit.wait_for(lambda: asks(plane).status == 500, "the API server to refuse the certificate")
    assert "certificate signed by unknown authority" in asks(plane).message
    admission_kit.wait_for(lambda: asks(plane).status == 201, "the operator to have its authority trusted again")


def test_certificate_is_renewed_and_nobody_notices(plane: control_plane_kit.ControlPlane) -> None:
    plane.request("DELETE", replicas.SECRET)
    clock = dt.datetime.now(dt.UTC) - dt.timedelta(days=61)
    with replicas.serving(plane, VALUES, now=lambda: clock) as served:
        replicas.endpoints(plane, served.port)
        admission_kit.wait_for(lambda: asks(plane).status == 201)
        old = served.certificate()
        clock = dt.datetime.now(dt.UTC)
        admission_kit.wait_for(lambda: book(plane).following is not None, "a successor")
        following = book(plane).following
        assert following is not None
        admission_kit.wait_for(lambda: all(following.authority in each for each in bundles(plane)))
        assert served.certificate() == old
        asks(plane).expect()
        clock += dt.timedelta(minutes=61)
        admission_kit.wait_for(lambda: served.certificate() == following.certificate, "the successor to be served")
        asks(plane).expect()
        assert all(old_authority in each for old_authority in [book(plane).former] for each in bundles(plane))


def test_certificate_in_files_is_read_again(
    plane: control_plane_kit.ControlPlane, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("neuronspan_operator.webhook.mounted.ROUND_SECONDS", ROUND)
    first, second = (issuing.issue("theirs", ["a"], dt.datetime.now(dt.UTC)) for _ in range(2))

    def write(identity: identities.Identity) -> None:
        (tmp_path / "tls.crt").write_text(identity.certificate)
        (tmp_path / "tls.key").write_text(identity.key)

    write(first)
    with replicas.serving(plane, VALUES, f"--webhook-certificates={tmp_path}") as served:
        assert served.certificate() == first.certificate
        write(second)
        admission_kit.wait_for(lambda: served.certificate() == second.certificate)


def test_upgrade_keeps_trust_and_certificate(plane: control_plane_kit.ControlPlane, running: replicas.Running) -> None:
    before, trusted = book(plane), bundles(plane)
    chart.release(plane, "upgrade", values={**VALUES, "commonLabels": {"team": "a"}})
    assert (book(plane), bundles(plane)) == (before, trusted)
    asks(plane).expect()


def test_change_of_mode_and_uninstallation_leave_nothing(tmp_path: pathlib.Path) -> None:
    with control_plane_kit.running(tmp_path) as plane:
        chart.release(plane, "install", values=VALUES)
        with replicas.serving(plane, VALUES):
            assert book(plane).current is not None
        chart.release(plane, "upgrade", values={"admission": {"mode": "none"}})
        for path in (*replicas.CONFIGURATIONS, replicas.SECRET):
            assert plane.request("GET", path).status == 404, path
        chart.release(plane, "upgrade", values=VALUES)
        assert all(plane.request("GET", path).status == 200 for path in (*replicas.CONFIGURATIONS, replicas.SECRET))
        chart.release(plane, "uninstall", "--no-hooks")
        for path in (*replicas.CONFIGURATIONS, replicas.SECRET):
            assert plane.request("GET", path).status == 404, path
