"""What is told of changes: each once, and only what changed."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from kits.embedded import in_memory
from kits.manifests import builders, volumes
from neuronspan_agent import resources
from neuronspan_operator import metrics, tasks
from neuronspan_operator.cluster import absences, expectations, world
from neuronspan_operator.planning import facts


@contextlib.asynccontextmanager
async def running(server: in_memory.ApiServer) -> AsyncIterator[world.World]:
    known = world.World(server, metrics.Metrics())
    async with tasks.Parts(asyncio.Event()) as started:
        started.start("caches", known.run())
        await known.synced()
        await settle()  # the watches begin
        yield known


def filled() -> in_memory.ApiServer:
    server = in_memory.ApiServer()
    server.put(resources.NODES, builders.make_node())
    server.put(resources.NEURON_NODES, builders.make_neuron_node())
    for name in ("web", "db"):
        server.put(resources.PODS, builders.make_pod(name, cores=2))
    return server


async def settle() -> None:
    await asyncio.sleep(0.01)


async def test_everything_is_told_first_and_nothing_twice() -> None:
    async with running(filled()) as known:
        found = known.changes()
        assert (set(found.pods), set(found.nodes), set(found.members)) == ({"uid-web", "uid-db"}, {"w1"}, {"w1"})
        assert known.changes() == facts.Changes()


async def test_only_what_changed_is_told() -> None:
    server = filled()
    async with running(server) as known:
        known.changes()
        server.put(resources.PODS, builders.make_pod("web", cores=2, phase="Running"))
        server.remove(resources.PODS, "db", "default")
        await settle()
        found = known.changes()
        assert {uid: pod and pod.phase for uid, pod in found.pods.items()} == {"uid-web": "Running", "uid-db": None}
        assert found.gone == {"uid-db": True}
        assert (found.nodes, found.members, found.storage) == ({}, {}, None)


async def test_own_write_is_told_once_when_the_watch_shows_it_too() -> None:
    server = filled()
    async with running(server) as known:
        known.changes()
        server.mute(resources.NEURON_NODES)
        answer = await server.merge_patch(resources.NEURON_NODES, "w1", {"metadata": {"labels": {"a": "b"}}})
        known.saw_neuron_node("2", answer)
        told = known.changes().members["w1"]
        server.catch_up()
        await settle()
        assert known.changes().members == {"w1": told}  # the same again: whoever compares finds nothing


async def test_new_reader_is_told_everything() -> None:
    server = filled()
    async with running(server) as known:
        known.changes()
        server.put(resources.PODS, builders.make_pod("late", cores=2))
        await settle()
        assert set(known.everything().pods) == {"uid-web", "uid-db", "uid-late"}
        assert known.changes() == facts.Changes()


async def test_own_write_is_told_to_every_reader_of_nodes_once() -> None:
    server = filled()
    async with running(server) as known:
        known.changes()
        assert set(known.changes_of_nodes("pools").nodes) == {"w1"}
        server.mute(resources.NEURON_NODES)
        answer = await server.merge_patch(resources.NEURON_NODES, "w1", {"metadata": {"labels": {"a": "b"}}})
        known.saw_neuron_node("2", answer)
        told = known.changes().members
        assert set(told) == {"w1"}
        assert known.changes_of_nodes("pools") == facts.Changes(members=told)
        assert not known.changes_of_nodes("pools")


async def test_pod_that_was_found_is_told_until_the_answer_is_too_old() -> None:
    server = filled()
    async with running(server) as known:
        known.changes()
        server.mute(resources.PODS)
        known.found_pod(server.put(resources.PODS, builders.make_pod("late", cores=2)))
        assert set(known.changes().pods) == {"uid-late"}
        await asyncio.sleep(absences.FOUND_SECONDS)
        assert known.changes().pods == {"uid-late": None}
        assert known.changes() == facts.Changes()


async def test_own_write_that_the_server_has_lost_is_taken_back_in_the_end() -> None:
    """Etcd was restored from a backup of before the write."""
    server = filled()
    async with running(server) as known:
        pod = known.changes().pods["uid-web"]
        assert pod is not None
        restore = server.backup()
        server.mute(resources.PODS)
        server.put(resources.NODES, builders.make_node("w2"))
        patch = {"metadata": {"annotations": {"a": "b"}}}
        known.saw_pod(pod, await server.strategic_patch(resources.PODS, "web", patch, "default", "status"))
        written = known.changes().pods["uid-web"]
        assert written is not None
        assert written.resource_version != pod.resource_version
        restore()
        await asyncio.sleep(expectations.LIFETIME_SECONDS)
        assert known.changes().pods == {"uid-web": pod}


async def test_pods_that_were_forgotten_are_told_to_be_gone_no_more() -> None:
    server = filled()
    async with running(server) as known:
        known.changes()
        known.lost_pod("uid-x")
        known.lost_pod("uid-y")
        assert known.changes().gone == {"uid-x": True, "uid-y": True}
        known.forget_lost_pods({"uid-x"})
        assert known.changes().gone == {"uid-y": False}


async def test_volumes_are_told_whole_and_only_when_something_about_them_changed() -> None:
    server = filled()
    async with running(server) as known:
        before = known.changes().storage
        assert before is not None
        server.put(resources.CLAIMS, volumes.make_claim())
        await settle()
        after = known.changes().storage
        assert after is not None
        assert list(after.claims) == ["default/data"]
        assert after.classes is before.classes
        assert known.changes().storage is None
