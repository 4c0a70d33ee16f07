"""Claims and volumes on a real API server: what is read of them, and what the operator writes."""

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from kits.api_server import api_client
from kits.api_server import control_plane as control_plane_kit
from kits.world import running_operator, stand_in
from neuronspan_agent import backoff, kube
from neuronspan_operator import metrics, reasons, tasks
from neuronspan_operator.cluster import world
from neuronspan_operator.objects import pods
from neuronspan_operator.objects.constraints import storage
from neuronspan_operator.reconciling import claim_writes
from neuronspan_operator.scheduling import cluster_state
from neuronspan_operator.scheduling.volumes import claiming
from neuronspan_operator.telling import refusals

pytestmark = pytest.mark.integration

CLAIMS = "/api/v1/namespaces/default/persistentvolumeclaims"
VOLUMES = "/api/v1/persistentvolumes"
PODS = "/api/v1/namespaces/default/pods"
STORAGE = "/apis/storage.k8s.io/v1"
CAPACITIES = f"{STORAGE}/namespaces/default/csistoragecapacities"
DRIVER = "ebs.csi.aws.com"
SINCE = "2026-01-31T10:00:00.000000Z"


def claim(name: str, of_class: str) -> dict[str, Any]:
    spec = {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": of_class,
        "resources": {"requests": {"storage": "1Gi"}},
    }
    return {"metadata": {"name": name}, "spec": spec}


def volume(name: str) -> dict[str, Any]:
    zone = {"key": "kubernetes.io/hostname", "operator": "In", "values": ["w1"]}
    spec = {
        "capacity": {"storage": "1Gi"},
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "slow",
        "csi": {"driver": DRIVER, "volumeHandle": f"vol-{name}"},
        "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [zone]}]}},
    }
    return {"metadata": {"name": name}, "spec": spec}


def of_class(name: str, provisioner: str) -> dict[str, Any]:
    return {"metadata": {"name": name}, "provisioner": provisioner, "volumeBindingMode": "WaitForFirstConsumer"}


def pod(*claims: str) -> dict[str, Any]:
    named = [{"name": each, "persistentVolumeClaim": {"claimName": each}} for each in claims]
    limits = {"limits": {"aws.amazon.com/neuroncore": "1"}}
    spec = {"containers": [{"name": "app", "image": "app", "resources": limits}], "volumes": named}
    return {"metadata": {"name": "web"}, "spec": {**spec, "schedulerName": "neuronspan"}}


@pytest.fixture
def server(cluster: stand_in.StandIn) -> Iterator[api_client.Client]:
    """The API server with two classes and a driver; everything about volumes is gone afterwards."""
    client = cluster.client
    cluster.add_node("w1")
    cluster.add_node("w2")
    client.create(f"{STORAGE}/storageclasses", of_class("slow", "kubernetes.io/no-provisioner"))
    client.create(f"{STORAGE}/storageclasses", of_class("fast", DRIVER))
    yield client
    for collection in (CLAIMS, VOLUMES):
        for item in client.get(collection)["items"]:  # nobody else here takes their finalizers off
            path = f"{collection}/{item['metadata']['name']}"
            client.patch(path, {"metadata": {"finalizers": None}})
            client.delete(path)
    for kind in ("storageclasses", "csinodes", "csidrivers", "volumeattachments"):
        client.delete(f"{STORAGE}/{kind}")
    client.delete(CAPACITIES)


@dataclasses.dataclass
class Setup:
    """The operator's caches and its writer of claims."""

    known: world.World
    meters: metrics.Metrics
    refused: refusals.Refusals
    writer: claim_writes.ClaimWriter

    @property
    def storage(self) -> storage.Storage:
        return self.known.snapshot().storage

    def pod(self) -> pods.PodView:
        return next(each for each in self.known.snapshot().pods.values() if each.name == "web")

    def need(self, node: str = "w1") -> claiming.Claiming:
        snapshot = self.known.snapshot()
        seen = cluster_state.Cluster(snapshot.nodes.values(), {}, snapshot.storage)
        return claiming.of(self.pod(), node, seen, SINCE)

    async def sees(self, *names: str) -> None:
        def complete() -> bool:
            found = {each.name for each in self.known.snapshot().pods.values()}
            found |= {*self.storage.volumes, *(each.name for each in self.storage.claims.values())}
            return found >= set(names)

        await running_operator.until(complete, what=f"{names} in the caches")

    async def write(self, need: claiming.Claiming) -> None:
        for each in need.writes:
            await self.writer.write(each)

    def count(self, outcome: reasons.Outcome) -> float:
        return self.meters.registry.get_sample_value("neuronspan_claim_writes_total", {"outcome": outcome}) or 0.0


@contextlib.asynccontextmanager
async def operating(plane: control_plane_kit.ControlPlane) -> AsyncIterator[Setup]:
    meters, refused = metrics.Metrics(), refusals.Refusals()
    async with await kube.connect("test", plane.kubeconfig) as client:
        known = world.World(client, meters)
        failures = backoff.Backoff(asyncio.get_running_loop().time)
        room = asyncio.Semaphore(4)
        writer = claim_writes.ClaimWriter(client, known.volumes, failures, refused, meters, room=room)
        async with tasks.Parts(asyncio.Event()) as started:
            started.start("caches", known.run())
            await known.synced()
            yield Setup(known, meters, refused, writer)


async def test_every_kind_is_read(control_plane: control_plane_kit.ControlPlane, server: api_client.Client) -> None:
    owner = server.get("/api/v1/nodes/w1")["metadata"]["uid"]
    reference = {"apiVersion": "v1", "kind": "Node", "name": "w1", "uid": owner}
    server.create(CLAIMS, claim("data", "slow"))
    server.create(VOLUMES, volume("pv-1"))
    driver = {"name": DRIVER, "nodeID": "i-1", "topologyKeys": None, "allocatable": {"count": 25}}
    metadata = {"name": "w1", "ownerReferences": [reference]}
    server.create(f"{STORAGE}/csinodes", {"metadata": metadata, "spec": {"drivers": [driver]}})
    server.create(f"{STORAGE}/csidrivers", {"metadata": {"name": DRIVER}, "spec": {"storageCapacity": True}})
    capacity = {"metadata": {"name": "c"}, "storageClassName": "fast", "capacity": "5Gi", "nodeTopology": {}}
    server.create(CAPACITIES, capacity)
    attachment = {"attacher": DRIVER, "nodeName": "w1", "source": {"persistentVolumeName": "pv-1"}}
    server.create(f"{STORAGE}/volumeattachments", {"metadata": {"name": "a"}, "spec": attachment})
    async with operating(control_plane) as setup:
        found = setup.storage
    assert found.unread == ()
    assert found.claims["default/data"].requested == 1 << 30
    assert found.volumes["pv-1"].reachable({"kubernetes.io/hostname": "w1"})
    assert not found.volumes["pv-1"].reachable({"kubernetes.io/hostname": "w2"})
    assert found.classes["fast"].waits
    assert found.driver_nodes["w1"].limits == {DRIVER: 25}
    assert found.drivers[DRIVER].tracks_capacity
    assert found.capacities["default/c"].largest == 5 << 30
    assert (found.attachments["a"].node, found.attachments["a"].volume_name) == ("w1", "pv-1")


async def test_claims_are_written_until_the_pod_is_ready(
    control_plane: control_plane_kit.ControlPlane, server: api_client.Client
) -> None:
    for name, kind in (("data", "slow"), ("new", "fast")):
        server.create(CLAIMS, claim(name, kind))
    server.create(VOLUMES, volume("pv-1"))
    server.patch(f"{VOLUMES}/pv-1/status", {"status": {"phase": "Available"}})
    server.create(PODS, pod("data", "new"))
    async with operating(control_plane) as setup:
        await setup.sees("web", "data", "new", "pv-1")
        assert {each.claim.name for each in setup.need("w2").writes} == set()  # pv-1 cannot be reached from there
        await setup.write(setup.need())
        held = server.get(f"{VOLUMES}/pv-1")
        assert held["spec"]["claimRef"]["name"] == "data"
        assert held["metadata"]["annotations"]["pv.kubernetes.io/bound-by-controller"] == "yes"
        selected = server.get(f"{CLAIMS}/new")["metadata"]["annotations"]
        assert selected["volume.kubernetes.io/selected-node"] == "w1"
        waiting = setup.need()
        assert (waiting.writes, waiting.flaw, len(waiting.waits_for)) == ((), "", 2)

        # the provisioner makes a volume, and the controller of volumes binds both
        server.create(VOLUMES, volume("pv-2"))
        for name, bound in (("data", "pv-1"), ("new", "pv-2")):
            completed = {"annotations": {"pv.kubernetes.io/bind-completed": "yes"}}
            server.patch(f"{CLAIMS}/{name}", {"metadata": completed, "spec": {"volumeName": bound}})
        await running_operator.until(lambda: setup.need().ready, what="ready to be bound")
        assert setup.count(reasons.Outcome.WRITTEN) == 2


async def test_provisioner_that_takes_the_node_away_ends_the_grant_and_the_next_one_starts_anew(
    control_plane: control_plane_kit.ControlPlane, server: api_client.Client
) -> None:
    server.create(CLAIMS, claim("new", "fast"))
    server.create(PODS, pod("new"))
    async with operating(control_plane) as setup:
        await setup.sees("web", "new")
        await setup.write(setup.need())
        server.patch(f"{CLAIMS}/new", {"metadata": {"annotations": {"volume.kubernetes.io/selected-node": None}}})
        await running_operator.until(lambda: setup.need().flaw, what="the failure")
        snapshot = setup.known.snapshot()
        seen = cluster_state.Cluster(snapshot.nodes.values(), {}, snapshot.storage)
        later = claiming.of(setup.pod(), "w1", seen, "2026-01-31T10:00:09.000000Z")
        assert [str(each) for each in later.writes] == ["select node w1 for persistentvolumeclaim new"]


@pytest.mark.parametrize("changed", ["claim", "volume"])
async def test_write_that_was_planned_on_an_older_object_changes_nothing(
    control_plane: control_plane_kit.ControlPlane, server: api_client.Client, changed: str
) -> None:
    server.create(CLAIMS, claim("data", "fast" if changed == "claim" else "slow"))
    server.create(VOLUMES, volume("pv-1"))
    server.patch(f"{VOLUMES}/pv-1/status", {"status": {"phase": "Available"}})
    server.create(PODS, pod("data"))
    async with operating(control_plane) as setup:
        await setup.sees("web", "data", "pv-1")
        need = setup.need()
        path = f"{CLAIMS}/data" if changed == "claim" else f"{VOLUMES}/pv-1"
        server.patch(path, {"metadata": {"labels": {"of": "another"}}})
        await setup.write(need)
        assert setup.count(reasons.Outcome.CONFLICT) == 1
    assert "claimRef" not in server.get(f"{VOLUMES}/pv-1")["spec"]
    annotations = server.get(f"{CLAIMS}/data")["metadata"].get("annotations", {})
    assert "volume.kubernetes.io/selected-node" not in annotations


async def test_volume_that_another_claim_took_is_not_taken_away(
    control_plane: control_plane_kit.ControlPlane, server: api_client.Client
) -> None:
    server.create(CLAIMS, claim("data", "slow"))
    server.create(VOLUMES, volume("pv-1"))
    server.patch(f"{VOLUMES}/pv-1/status", {"status": {"phase": "Available"}})
    server.create(PODS, pod("data"))
    async with operating(control_plane) as setup:
        await setup.sees("web", "data", "pv-1")
        need = setup.need()
        other = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": "default", "name": "other"}
        server.patch(f"{VOLUMES}/pv-1", {"spec": {"claimRef": other}})
        await setup.write(need)
        assert server.get(f"{VOLUMES}/pv-1")["spec"]["claimRef"]["name"] == "other"
        await running_operator.until(lambda: setup.need().flaw, what="no volume left")
