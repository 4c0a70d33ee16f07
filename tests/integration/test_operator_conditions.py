"""What pods are told, against the real API server: whose condition stays, which write is refused, what lives on."""

import datetime as dt
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from kits.api_server import control_plane as control_plane_kit
from kits.world import stand_in
from neuronspan_agent import errors, kube, resources
from neuronspan_operator import metrics, reasons
from neuronspan_operator.objects import pods
from neuronspan_operator.planning import plans
from neuronspan_operator.telling import conditions, notices, recorder, refusals

pytestmark = pytest.mark.integration

NO_ROOM = plans.Waiting(reasons.WaitingReason.NO_ROOM, "0/1 nodes are available.")
START = dt.datetime(2026, 1, 31, 9, tzinfo=dt.UTC)


class Desk:
    """A teller before the real server, and what the server answered."""

    def __init__(self, client: kube.Client) -> None:
        self.client = client
        self.meters = metrics.Metrics()
        self.answers: list[pods.PodView] = []
        self.passed = dt.timedelta()
        self.teller = conditions.Teller(client, self, refusals.Refusals(), self.meters, now=self.now)

    def now(self) -> dt.datetime:
        return START + self.passed

    def saw_pod(self, before: pods.PodView, manifest: Mapping[str, Any]) -> None:
        assert before.uid == manifest["metadata"]["uid"]
        self.answers.append(pods.read(manifest))

    async def tell(self, pod: pods.PodView, why: plans.Waiting = NO_ROOM) -> None:
        self.teller.tell({pod.uid: why}, {pod.uid: pod}.get)
        await self.teller.flush()

    def count(self, outcome: str) -> float:
        labels = {"outcome": outcome}
        return self.meters.registry.get_sample_value("neuronspan_pod_conditions_total", labels) or 0.0


@pytest.fixture
async def desk(control_plane: control_plane_kit.ControlPlane) -> AsyncIterator[Desk]:
    async with await kube.connect("test", control_plane.kubeconfig) as client:
        yield Desk(client)


async def submit(desk: Desk, name: str = "web", **spec: Any) -> pods.PodView:
    container = {"name": "app", "image": "none"}
    manifest = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {"schedulerName": "neuronspan", "containers": [container], **spec},
    }
    return pods.read(await desk.client.create(resources.PODS, manifest, "default"))


def condition(cluster: stand_in.StandIn, kind: str = "PodScheduled") -> dict[str, Any]:
    found: dict[str, dict[str, Any]] = {
        each["type"]: each for each in cluster.pod("web")["status"].get("conditions", [])
    }
    return found.get(kind, {})


def binding(pod: pods.PodView) -> dict[str, Any]:
    metadata = {"name": pod.name, "uid": pod.uid, "resourceVersion": pod.resource_version}
    target = {"apiVersion": "v1", "kind": "Node", "name": "w1"}
    return {"apiVersion": "v1", "kind": "Binding", "metadata": metadata, "target": target}


async def test_condition_is_stored_beside_those_of_others_and_keeps_its_time(
    desk: Desk, cluster: stand_in.StandIn
) -> None:
    await submit(desk)
    theirs = {"type": "example.com/Ready", "status": "True", "message": "theirs"}
    cluster.patch_pod("web", {"status": {"conditions": [theirs]}}, status=True)
    await desk.tell(pods.read(cluster.pod("web")))
    assert condition(cluster)["reason"] == "Unschedulable"
    assert condition(cluster)["message"] == "0/1 nodes are available. (NoRoom)"
    assert condition(cluster, "example.com/Ready")["message"] == "theirs"
    later = Desk(desk.client)
    later.passed = dt.timedelta(hours=1)
    await later.tell(pods.read(cluster.pod("web")), plans.Waiting(reasons.WaitingReason.POD_GROUP, "2 are missing."))
    assert (condition(cluster)["reason"], condition(cluster)["lastTransitionTime"]) == (
        "PodGroup",
        "2026-01-31T09:00:00Z",
    )
    assert condition(cluster, "example.com/Ready")["message"] == "theirs"


async def test_condition_of_an_older_pod_or_of_another_of_its_name_is_refused(
    desk: Desk, cluster: stand_in.StandIn
) -> None:
    older = await submit(desk)
    cluster.patch_pod("web", {"metadata": {"labels": {"changed": "yes"}}})
    await desk.tell(older)
    assert (condition(cluster), desk.count("stale")) == ({}, 1)
    cluster.delete_pods(["web"])
    await submit(desk)
    other = Desk(desk.client)
    await other.tell(older)
    assert (condition(cluster), other.count("stale")) == ({}, 1)


async def test_binding_made_before_the_condition_is_refused_and_one_made_after_it_ends_the_waiting(
    desk: Desk, cluster: stand_in.StandIn
) -> None:
    cluster.add_node("w1")
    before = await submit(desk)
    await desk.tell(before)
    with pytest.raises(errors.Conflict):
        await desk.client.bind("web", "default", binding(before))
    await desk.client.bind("web", "default", binding(desk.answers[-1]))
    assert (condition(cluster)["status"], condition(cluster).get("reason")) == ("True", None)


async def test_condition_of_a_gated_pod_is_the_api_servers(desk: Desk, cluster: stand_in.StandIn) -> None:
    gated = await submit(desk, schedulingGates=[{"name": "example.com/quota"}])
    assert gated.unscheduled is not None
    assert gated.unscheduled.reason == "SchedulingGated"
    assert not notices.is_told(gated)
    await desk.tell(gated)
    assert condition(cluster)["reason"] == "SchedulingGated"


async def test_pod_whose_gates_are_gone_says_why_it_waits(desk: Desk, cluster: stand_in.StandIn) -> None:
    await submit(desk, schedulingGates=[{"name": "example.com/quota"}])
    cluster.patch_pod("web", {"spec": {"schedulingGates": []}})
    await desk.tell(pods.read(cluster.pod("web")))
    assert condition(cluster)["reason"] == "Unschedulable"


async def test_event_is_renewed_by_whoever_leads(desk: Desk, cluster: stand_in.StandIn) -> None:
    """The API server counts an Event's time to live from its last write: TTLFunc in registry/core/event/storage."""
    pod = await submit(desk)
    for hours, count in ((0, 1), (1, 2), (1, 2)):
        desk.passed = dt.timedelta(hours=hours)
        teller = recorder.Recorder(desk.client, desk.meters, instance="test", now=desk.now)
        teller.tell([notices.waits(pod, NO_ROOM)])
        await teller.flush()
        (event,) = cluster.client.get("/api/v1/namespaces/default/events")["items"]
        assert (event["reason"], event["message"]) == ("FailedScheduling", "0/1 nodes are available. (NoRoom)")
        assert (event["count"], event["lastTimestamp"]) == (count, f"2026-01-31T{9 + hours:02}:00:00Z")
