"""The embedded API server beside the real one: one list of requests, the same answers and the same events."""

import dataclasses
import json
import random
import ssl
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from kits.api_server import api_client
from kits.api_server import control_plane as control_plane_kit
from kits.embedded import http_server

pytestmark = pytest.mark.integration

Manifest = dict[str, Any]
_OWN = ("uid", "creationTimestamp", "resourceVersion", "managedFields", "selfLink")
_TIMES = (
    "lastTransitionTime",
    "lastProbeTime",
    "lastUpdateTime",
    "deletionTimestamp",
    "startTime",
    "lastPhaseTransitionTime",
)
_STEPS = 60
_NAMES = ("a", "b", "c")
_NODES = "/apis/neuronspan.dev/v1alpha1/neuronnodes"


@dataclasses.dataclass(frozen=True)
class Request:
    """One request, as both servers get it; ``with_version`` puts the version that each has itself into the body."""

    method: str
    path: str
    body: Any = None
    form: str = "application/json"
    with_version: bool = False


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[api_client.Client]:
    with http_server.running(tmp_path_factory.mktemp("embedded")) as client:
        yield client


def _asked(client: api_client.Client, request: Request) -> api_client.Response:
    body = request.body
    if request.with_version:
        found = client.request("GET", request.path.removesuffix("/status").removesuffix("/binding"))
        version = found.body.get("metadata", {}).get("resourceVersion", "1")
        body = {**body, "metadata": {**body.get("metadata", {}), "resourceVersion": version}}
    return client.request(request.method, request.path, body, request.form)


def _plain(value: Any) -> Any:
    """Return what two servers must say alike: no identities, no times, no bookkeeping of field managers."""
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if not isinstance(value, Mapping):
        return value
    own = _OWN if "resourceVersion" in value or "uid" in value else ()
    return {
        key: bool(each) if key in _TIMES else _plain(each)
        for key, each in value.items()
        if key not in own and each is not None
    }


def _answer(response: api_client.Response) -> tuple[int, Any]:
    body = response.body
    if body.get("kind") == "Status":
        return response.status, (body["status"], body.get("reason"))
    return response.status, _plain(body)


def _differences(small: Any, real: Any, path: str = "") -> list[str]:
    """Return where the small server's answer differs from the real one's."""
    if isinstance(small, Mapping) and isinstance(real, Mapping):
        keys = dict.fromkeys((*real, *small))
        return [line for key in keys for line in _differences(small.get(key), real.get(key), f"{path}.{key}")]
    if isinstance(small, list | tuple) and isinstance(real, list | tuple) and len(small) == len(real):
        pairs = enumerate(zip(small, real, strict=True))
        return [line for place, (one, other) in pairs for line in _differences(one, other, f"{path}[{place}]")]
    return [] if small == real else [f"{path} is {small!r} and should be {real!r}"]


# --- what is drawn ----------------------------------------------------------------------------------------------------


def _pod(draw: random.Random, name: str) -> Manifest:
    amounts = draw.choice([{}, {"limits": {"cpu": "1", "memory": "1Gi"}}, {"requests": {"cpu": "100m"}}])
    container: Manifest = {"name": "app", "image": draw.choice(["x", "x:1", "r/x:latest"]), "resources": amounts}
    if draw.random() < 0.3:
        container["ports"] = [{"containerPort": 80}]
    if draw.random() < 0.3:
        container["env"] = [{"name": "N", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]
    volumes = draw.choice([{}, {"volumes": [{"name": "v"}, {"name": "c", "configMap": {"name": "m"}}]}])
    tolerations = draw.choice([{}, {"tolerations": [{"operator": "Exists"}]}, {"tolerations": [{"key": "k"}]}])
    finalizers = draw.choice([[], [], ["example.org/held"]])
    spec = {"containers": [container], **volumes, **tolerations}
    return {"metadata": {"name": name, "labels": {"app": "x"}, "finalizers": finalizers}, "spec": spec}


def _template() -> Manifest:
    return {"metadata": {"labels": {"app": "x"}}, "spec": {"containers": [{"name": "app", "image": "x"}]}}


def _workload(draw: random.Random, name: str) -> Manifest:
    spec = {"selector": {"matchLabels": {"app": "x"}}, "template": _template()}
    return {"metadata": {"name": name}, "spec": {**spec, **draw.choice([{}, {"replicas": 3}])}}


def _grant(pod: str, first: int, count: int, state: str) -> Manifest:
    resource = "aws.amazon.com/neuroncore"
    return {"podUID": pod, "container": "app", "first": first, "count": count, "resource": resource, "state": state}


def _grants(draw: random.Random) -> list[Manifest]:
    states = ("Granted", "Granted", "Confirmed", "Releasing")
    return [
        _grant(draw.choice("pqr"), draw.randrange(0, 34, 2), draw.choice((1, 2, 4)), draw.choice(states))
        for _ in range(draw.randrange(3))
    ]


def _neuron_node(draw: random.Random, name: str) -> Manifest:
    hardware = {
        "instanceType": "trn1.32xlarge",
        "devices": 16,
        "coresPerDevice": 2,
        "logicalCoreSize": 1,
        "hbmBytesPerCore": 17179869184,
        "topology": draw.choice(["torus", "torus", "torus", "knot"]),
    }
    cores = draw.choice([32, 32, 32, 31, "32", 0])
    spec = {"hardware": hardware, "cores": cores, "grants": _grants(draw), "unknown": 1}
    kind = {"apiVersion": "neuronspan.dev/v1alpha1", "kind": "NeuronNode"}
    return {**kind, "metadata": {"name": name}, "spec": spec, "status": {"epoch": "dropped"}}


def _of_pods(draw: random.Random, root: str, name: str) -> Request:
    pods, path = f"{root}/pods", f"{root}/pods/{name}"
    target = {"kind": "Node", "name": "n"}
    held = [{"op": "test", "path": "/metadata/labels/app", "value": draw.choice("xy")}]
    change = [*held, {"op": "add", "path": "/metadata/labels/json", "value": "1"}]
    conditions = [{"type": draw.choice(("Ready", "Other", "Third")), "status": draw.choice(("True", "False"))}]
    status = {"status": {"conditions": conditions, "phase": draw.choice(("Pending", "Running"))}}
    return draw.choice(
        [
            Request("POST", pods, _pod(draw, name)),
            Request("POST", pods, _pod(draw, name)),
            Request(
                "POST", f"{path}/binding", {"metadata": {"name": name, "annotations": {"g": "1"}}, "target": target}
            ),
            Request("POST", f"{path}/binding", {"metadata": {"name": name}, "target": target}, with_version=True),
            Request(
                "PATCH", path, {"metadata": {"labels": {"l": draw.choice(["1", "2", None])}}}, api_client.MERGE_PATCH
            ),
            Request("PATCH", path, {"metadata": {"resourceVersion": "1"}}, api_client.MERGE_PATCH),
            Request("PATCH", path, {"metadata": {"finalizers": None}}, api_client.MERGE_PATCH),
            Request("PATCH", path, {"spec": {"nodeName": "elsewhere"}}, api_client.MERGE_PATCH),
            Request("PATCH", path, change, api_client.JSON_PATCH),
            Request("PATCH", f"{path}/status", status, api_client.STRATEGIC_PATCH),
            Request("PATCH", f"{path}/status", status, api_client.STRATEGIC_PATCH, with_version=True),
            Request("DELETE", path),
            Request("DELETE", path, {"gracePeriodSeconds": draw.choice((0, 5))}),
            Request("DELETE", path, {"preconditions": {"uid": "another"}}),
            Request("GET", path),
            Request("GET", f"{pods}?labelSelector=app%20in%20(x,y),l!=1"),
            Request("GET", f"{pods}?fieldSelector=spec.nodeName%3Dn"),
        ]
    )


def _of_workloads(draw: random.Random, root: str, name: str) -> Request:
    plural = draw.choice(("deployments", "replicasets", "statefulsets"))
    path = f"{root.replace('/api/v1', '/apis/apps/v1')}/{plural}"
    replicas = {"spec": {"replicas": draw.randrange(4)}}
    image = {"spec": {"template": {"spec": {"containers": [{"name": "app", "image": draw.choice("xyz")}]}}}}
    other = {"spec": {"template": {"spec": {"containers": [{"name": "more", "image": "m"}]}}}}
    manifest = _workload(draw, name)
    if plural == "statefulsets":
        manifest["spec"]["serviceName"] = "s"
    return draw.choice(
        [
            Request("POST", path, manifest),
            Request("POST", path, manifest),
            Request("GET", f"{path}/{name}/scale"),
            Request("PATCH", f"{path}/{name}/scale", replicas, api_client.MERGE_PATCH),
            Request("PATCH", f"{path}/{name}", replicas, api_client.MERGE_PATCH),
            Request("PATCH", f"{path}/{name}", image, api_client.STRATEGIC_PATCH),
            Request("PATCH", f"{path}/{name}", other, api_client.STRATEGIC_PATCH),
            Request("PATCH", f"{path}/{name}/status", {"status": {"replicas": 2}}, api_client.MERGE_PATCH),
            Request("DELETE", f"{path}/{name}", {"propagationPolicy": "Background"}),
            Request("DELETE", f"{path}/{name}", {"propagationPolicy": "Foreground"}),
            Request("PATCH", f"{path}/{name}", {"metadata": {"finalizers": None}}, api_client.MERGE_PATCH),
            Request("GET", path),
        ]
    )


def _of_ledgers(draw: random.Random, root: str, name: str) -> Request:
    named = f"{root.rpartition('/')[2]}-{name}"
    path = f"{_NODES}/{named}"
    grants = {"spec": {"grants": _grants(draw)}}
    epoch = {"status": {"epoch": draw.choice("xyz"), "unknown": 1}}
    return draw.choice(
        [
            Request("POST", _NODES, _neuron_node(draw, named)),
            Request("PATCH", path, grants, api_client.MERGE_PATCH),
            Request("PATCH", path, grants, api_client.MERGE_PATCH, with_version=True),
            Request("PATCH", path, {"metadata": {"resourceVersion": "1"}, **grants}, api_client.MERGE_PATCH),
            Request("PUT", path, _neuron_node(draw, named)),
            Request("PUT", path, _neuron_node(draw, named), with_version=True),
            Request("PATCH", path, {"spec": {"cores": 16}}, api_client.MERGE_PATCH),
            Request("PATCH", path, grants, api_client.STRATEGIC_PATCH),
            Request("PATCH", f"{path}/status", epoch, api_client.MERGE_PATCH),
            Request("DELETE", path),
            Request("GET", path),
        ]
    )


_MAKERS: tuple[Callable[[random.Random, str, str], Request], ...] = (_of_pods, _of_workloads, _of_ledgers)


def _events(client: api_client.Client, path: str, version: str) -> list[Any]:
    """Return what a watch tells of what happened since a version."""
    connection = client._connection
    address = f"https://{connection.host}:{connection.port}{path}?watch=true&resourceVersion={version}&timeoutSeconds=1"
    request = urllib.request.Request(address, headers={"Authorization": f"Bearer {client._token}"})
    context: ssl.SSLContext = connection._context  # type: ignore[attr-defined]
    with urllib.request.urlopen(request, context=context) as stream:  # noqa: S310  always https
        events = [json.loads(line) for line in stream.read().splitlines()]
    return [(event["type"], _plain(event["object"])) for event in events]


@pytest.fixture(scope="module")
def apart(tmp_path_factory: pytest.TempPathFactory) -> Iterator[control_plane_kit.ControlPlane]:
    """A real API server for this module alone: the drawn objects would be known to the operators of other tests."""
    with control_plane_kit.running(tmp_path_factory.mktemp("apart")) as plane:
        if not plane.serves(*control_plane_kit.POLICIES):  # 1.30 has no generation of pods, for one
            pytest.skip("this API server is older than the one compared with, Kubernetes 1.36")
        yield plane


@pytest.mark.parametrize("seed", range(8))
def test_the_embedded_api_server_answers_and_tells_what_the_real_one_does(
    seed: int, small: api_client.Client, apart: control_plane_kit.ControlPlane
) -> None:
    draw = random.Random(seed)  # noqa: S311  the same list of requests each time
    namespace = f"both-{seed}"
    root = f"/api/v1/namespaces/{namespace}"
    with apart.client() as real:
        begun = []
        for client in (real, small):
            client.create("/api/v1/namespaces", {"metadata": {"name": namespace}})
            begun.append(client.get(f"{root}/pods")["metadata"]["resourceVersion"])
        for step in range(_STEPS):
            request = draw.choice(_MAKERS)(draw, root, draw.choice(_NAMES))
            answers = [_answer(_asked(client, request)) for client in (real, small)]
            different = _differences(answers[1], answers[0])
            assert not different, f"step {step} of seed {seed}: {request}"
        told = [_events(client, f"{root}/pods", version) for client, version in zip((real, small), begun, strict=True)]
        kinds = [[(kind, seen["metadata"]["name"]) for kind, seen in events] for events in told]
        assert kinds[1] == kinds[0]
        assert not _differences(told[1], told[0])
