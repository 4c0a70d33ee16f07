"""What the operator knows of volumes, and what it goes without."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from kits.embedded import in_memory
from kits.manifests import volumes
from neuronspan_agent import errors, resources
from neuronspan_operator import metrics, tasks
from neuronspan_operator.cluster import storage_caches, world
from neuronspan_operator.objects.constraints import storage
from neuronspan_operator.objects.constraints.volumes import claims
from neuronspan_operator.scheduling.volumes import claiming

FORBIDDEN = errors.Forbidden("list persistentvolumes: 403", status=403)


def filled() -> in_memory.ApiServer:
    server = in_memory.ApiServer()
    server.put(resources.CLAIMS, volumes.make_claim())
    server.put(resources.VOLUMES, volumes.make_volume())
    server.put(resources.STORAGE_CLASSES, volumes.make_class())
    server.put(resources.CSI_NODES, volumes.make_csi_node())
    server.put(resources.CSI_DRIVERS, volumes.make_csi_driver())
    server.put(resources.CSI_CAPACITIES, volumes.make_capacity("a"))
    server.put(resources.VOLUME_ATTACHMENTS, volumes.make_attachment("pv-1"))
    return server


@contextlib.asynccontextmanager
async def running(server: in_memory.ApiServer) -> AsyncIterator[world.World]:
    known = world.World(server, metrics.Metrics())
    async with tasks.Parts(asyncio.Event()) as started:
        started.start("caches", known.run())
        await known.synced()
        yield known


async def test_all_kinds_are_known_by_their_names() -> None:
    async with running(filled()) as known:
        found = known.snapshot().storage
    assert (list(found.claims), list(found.volumes), list(found.classes)) == (["default/data"], ["pv-1"], ["slow"])
    assert (list(found.driver_nodes), list(found.drivers)) == (["w1"], [volumes.DRIVER])
    assert (list(found.capacities), list(found.attachments)) == (["kube-system/fast-a"], ["pv-1-w1"])
    assert (found.unread, found.selections) == ((), {})


async def test_kind_that_must_not_be_read_is_named_and_stops_nobody() -> None:
    server = filled()
    server.fail("list persistentvolumes", *[FORBIDDEN] * 100)
    async with running(server) as known:
        found = known.snapshot().storage
        assert found.unread == ("persistentvolumes",)
        assert list(found.claims) == ["default/data"]
        assert set((await known.readiness()).values()) == {""}


async def test_kind_that_is_allowed_later_is_read_and_told() -> None:
    server = filled()
    server.fail("list persistentvolumes", *[FORBIDDEN] * 20)
    server.remove(resources.VOLUMES, "pv-1")
    told: list[bool] = []
    async with running(server) as known:
        known.subscribe(lambda: told.append(True), resources.VOLUMES)
        await asyncio.sleep(3600)
        assert known.snapshot().storage.unread == ()
    assert told  # although there is none: pods with claims waited for that


async def test_own_selection_is_seen_at_once_and_remembered_for_its_grant() -> None:
    server = filled()
    async with running(server) as known:
        server.mute(resources.CLAIMS)
        claim = known.snapshot().storage.claims["default/data"]
        write = claiming.SelectNode(volumes.view(), claim, "w1", "now")
        answer = await server.merge_patch(resources.CLAIMS, "data", write.patch, "default")
        known.volumes.selected(write, answer)
        found = known.snapshot().storage
    assert found.claims["default/data"].selected_node == "w1"
    assert found.selections == {"uid-data": storage.Selection("w1", "now")}


async def test_selections_of_claims_that_are_gone_are_forgotten() -> None:
    server = filled()
    async with running(server) as known:
        gone = claims.read(volumes.make_claim("old"))
        known.volumes.selected(claiming.SelectNode(volumes.view(), gone, "w1", "now"), volumes.make_claim("old"))
        claim = known.snapshot().storage.claims["default/data"]
        known.volumes.selected(claiming.SelectNode(volumes.view(), claim, "w1", "now"), volumes.make_claim())
        assert list(known.snapshot().storage.selections) == ["uid-data"]


async def test_own_hold_of_a_volume_is_seen_at_once() -> None:
    server = filled()
    async with running(server) as known:
        server.mute(resources.VOLUMES)
        stored = known.snapshot().storage
        write = claiming.BindVolume(volumes.view(), stored.claims["default/data"], stored.volumes["pv-1"], "w1")
        known.volumes.held(write, await server.merge_patch(resources.VOLUMES, "pv-1", write.patch))
        holder = known.snapshot().storage.volumes["pv-1"].holder
    assert holder is not None
    assert (holder.name, holder.uid) == ("data", "uid-data")


@pytest.mark.parametrize("kind", storage_caches.KINDS, ids=lambda kind: kind.field)
def test_each_kind_fills_a_field_of_what_is_known(kind: storage_caches.Kind) -> None:
    assert kind.field in storage.Storage.__dataclass_fields__
