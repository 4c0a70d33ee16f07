"""Every call of every round fails, gets lost after it landed, comes too late or is the last one of its process.

Each scene is played once undisturbed, which shows the calls it makes; then once for each of them and each mishap.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Sequence

import pytest

from kits.embedded import in_memory
from kits.manifests import builders, domain, volumes
from kits.world import frail_server, rehearsal, virtual_time
from neuronspan import names
from neuronspan_agent import resources
from neuronspan_operator.objects import pod_changes, pods

GANG = {names.POD_GROUP_ANNOTATION: "gang", names.POD_GROUP_SIZE_ANNOTATION: "3"}
LONG_AGO = "2026-01-31T08:00:00.000000Z"
FENCE = "2026-01-31T08:30:00.000000Z"
IDLE_ROUNDS = 3
FEWEST_CALLS = 4


def _give_back(server: in_memory.ApiServer) -> None:
    """Play the plugins: no process of any pod is left whose grant is being released."""
    for manifest in server.all(resources.NEURON_NODES):
        over = [each["podUID"] for each in manifest["spec"]["grants"] if each["state"] == "Releasing"]
        if over != manifest["status"]["released"]:
            manifest["status"]["released"] = over
            server.put(resources.NEURON_NODES, manifest)


Scene = Callable[[rehearsal.Rehearsal], None]


def plain(play: rehearsal.Rehearsal) -> None:
    play.add_node("w1")
    play.add_node("w2")
    for name in ("one", "two", "three"):
        play.add_pod(name, cores=16)


def gang(play: rehearsal.Rehearsal) -> None:
    play.add_node("w1")
    play.add_node("w2")
    for name in ("g1", "g2", "g3"):
        play.add_pod(name, cores=16, annotations=GANG)


def taken_back(play: rehearsal.Rehearsal) -> None:
    """A pod whose granted node was cordoned, and one that has its fence already."""
    play.add_node("w1", cordoned=True)
    play.add_node("w2")
    entries = [domain.grant("0-3", "old", since=LONG_AGO), domain.grant("4-7", "half", since=LONG_AGO)]
    play.server.put(resources.NEURON_NODES, builders.make_neuron_node("w1", entries))
    play.add_pod("old")
    play.add_pod("half", fence=FENCE)


def volume(play: rehearsal.Rehearsal) -> None:
    play.add_node("w1")
    play.server.put(resources.STORAGE_CLASSES, volumes.make_class("slow", provisioner="kubernetes.io/no-provisioner"))
    play.server.put(resources.CLAIMS, volumes.make_claim())
    play.server.put(resources.VOLUMES, volumes.make_volume())
    play.server.put(resources.PODS, volumes.make_pod("web", ["data"]))


def ended(play: rehearsal.Rehearsal) -> None:
    """A pod that is gone, one bound elsewhere by somebody else, and one that takes their place."""
    play.add_node("w1")
    play.add_node("w2", cordoned=True)
    entries = [domain.grant("0-15", "gone", since=LONG_AGO), domain.grant("16-31", "moved", since=LONG_AGO)]
    play.server.put(resources.NEURON_NODES, builders.make_neuron_node("w1", entries))
    play.add_pod("moved", cores=16, node="w2")
    play.add_pod("next", cores=32)


def _bind_volumes(server: in_memory.ApiServer) -> None:
    """Play the controller of volumes."""
    for manifest in server.all(resources.VOLUMES):
        holder = manifest["spec"].get("claimRef")
        if holder and not server.stored(resources.CLAIMS, holder["name"], "default")["spec"].get("volumeName"):
            claim = server.stored(resources.CLAIMS, holder["name"], "default")
            claim["spec"]["volumeName"] = manifest["metadata"]["name"]
            claim["metadata"]["annotations"] = {"pv.kubernetes.io/bind-completed": "yes"}
            claim["status"] = {"phase": "Bound"}
            server.put(resources.CLAIMS, claim)


SCENES: Sequence[Scene] = (plain, gang, taken_back, volume, ended)


@contextlib.contextmanager
def _survived() -> Iterator[None]:
    try:
        yield
    except* frail_server.ProcessDiedError:
        pass


async def _play(server: frail_server.FrailServer) -> None:
    """Run one process until it has nothing to do for a while, or until it dies."""
    play = rehearsal.Rehearsal(server)
    async with play.running():
        idle = 0
        while idle < IDLE_ROUNDS:
            before = len(server.made)
            with _survived():
                await play.round()
            if server.dead:
                return
            idle = 0 if len(server.made) > before else idle + 1
            await play.pass_time(20)
            _give_back(server)
            _bind_volumes(server)


def _assert_settled(server: frail_server.FrailServer) -> None:
    books = frail_server.books(server)
    for manifest in server.all(resources.PODS):
        pod = pods.read(manifest)
        holders = [name for name, book in books.items() if book.of_pod(pod.uid)]
        assert pod.node_name, f"{pod.name} was lost: {manifest['status']}"
        if pod.grant_annotation is None:
            continue  # bound by somebody else
        assert holders == [pod.node_name], f"{pod.name} is on {pod.node_name} and has cores on {holders}"
        told = {each.container: each.span for each in books[pod.node_name].of_pod(pod.uid)}
        served = {each.env for each in books[pod.node_name].of_pod(pod.uid)}
        assert served == {each.env for each in pod.requests}, f"{pod.name} got what it does not ask for any more"
        assert pod.annotated_grant() == pod_changes.grant_content(pod.node_name, told)
    known = {each["metadata"]["uid"] for each in server.all(resources.PODS)}
    leaked = [grant for book in books.values() for grant in book.grants if grant.pod_uid not in known]
    assert leaked == []


async def _disturbed(
    scene: Scene, mishap: frail_server.Mishap | None = None, number: int = 0
) -> frail_server.FrailServer:
    """Play a scene whose call of that number, counted from 1, meets a mishap; who died starts again."""
    server = frail_server.FrailServer()
    scene(rehearsal.Rehearsal(server))
    server.mishap, server.countdown = mishap, number
    await _play(server)
    if server.dead:
        server.dead = False
        await _play(server)
    return server


def _run(scene: Scene, mishap: frail_server.Mishap | None = None, number: int = 0) -> frail_server.FrailServer:
    """Do it on a clock that jumps."""
    (factory,) = virtual_time.LOOP_FACTORIES.values()
    with asyncio.Runner(loop_factory=factory) as runner:
        server = runner.run(_disturbed(scene, mishap, number))
    _assert_settled(server)
    return server


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
@pytest.mark.parametrize("mishap", [*frail_server.MISHAPS, *frail_server.CHANGES], ids=str)
def test_no_call_may_fail_get_lost_or_be_the_last_one_so_that_anything_is_lost_or_given_twice(
    scene: Scene, mishap: frail_server.Mishap
) -> None:
    calls = _run(scene).made
    assert len(calls) >= FEWEST_CALLS
    for number, call in enumerate(calls, start=1):
        try:
            server = _run(scene, mishap, number)
        except AssertionError as error:
            raise AssertionError(f"{mishap} at call {number}, {call}: {error}") from error
        assert server.made[number - 1] == call
