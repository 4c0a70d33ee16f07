"""Who only ever hears of changes knows what a snapshot of the same moment says, whatever happens meanwhile."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import hypothesis
from hypothesis import strategies

from kits.embedded import in_memory
from kits.manifests import builders, pool_views, volumes
from kits.world import virtual_time
from neuronspan_agent import errors, mirror, resources
from neuronspan_operator import metrics, tasks
from neuronspan_operator.cluster import world
from neuronspan_operator.objects import pod_changes, pods, pools
from neuronspan_operator.objects.constraints import storage
from neuronspan_operator.planning import facts, plans, snapshot
from neuronspan_operator.scheduling.volumes import claiming

NAMES = "a", "b", "c"


def _make_member(name: str, pool: str) -> dict[str, Any]:
    made = builders.make_neuron_node(name)
    made["metadata"]["labels"] = {pools.POOL_LABEL: pool}
    return made


_MAKERS: Mapping[resources.Resource, Callable[[str, str], dict[str, Any]]] = {
    resources.PODS: lambda name, word: builders.make_pod(name, cores=2, owner=word),
    resources.NODES: lambda name, word: builders.make_node(name, labels={"rack": word}),
    resources.NEURON_NODES: _make_member,
    resources.NEURON_POOLS: lambda name, word: pool_views.manifest(name, nodeSelector={"rack": word}),
    resources.NAMESPACES: lambda name, word: {"metadata": {"name": name, "labels": {"team": word}}},
    resources.BUDGETS: lambda name, word: {
        "metadata": {"name": name, "namespace": "default"},
        "status": {"disruptionsAllowed": 1 + (word == "y")},
    },
    resources.CLAIMS: lambda name, word: volumes.make_claim(name, of_class=word),
    resources.STORAGE_CLASSES: lambda name, word: volumes.make_class(name, provisioner=word),
}
_KINDS = strategies.sampled_from(sorted(_MAKERS, key=str))


class Reader:
    """Knows what changes told, and nothing else."""

    def __init__(self) -> None:
        self.kinds: dict[str, dict[str, Any]] = {
            kind: {} for kind in ("pods", "nodes", "members", "pools", "namespaces", "budgets")
        }
        self.gone: set[str] = set()
        self.storage = storage.EMPTY

    def take(self, changes: facts.Changes) -> None:
        for kind, known in self.kinds.items():
            for key, value in getattr(changes, kind).items():
                if value is None:
                    known.pop(key, None)
                else:
                    known[key] = value
        for uid, gone in changes.gone.items():
            (self.gone.add if gone else self.gone.discard)(uid)
        self.storage = changes.storage or self.storage

    def snapshot(self) -> plans.Snapshot:
        return snapshot.of(
            self.kinds["pods"],
            self.kinds["nodes"],
            self.kinds["members"],
            self.kinds["pools"],
            namespaces=self.kinds["namespaces"],
            known_budgets=self.kinds["budgets"],
            gone=frozenset(self.gone),
            stored=self.storage,
        )


class Story:
    """What happens to a cluster and its reader; each step is drawn."""

    def __init__(self, server: in_memory.ApiServer, known: world.World) -> None:
        self.server = server
        self.known = known
        self.reader = Reader()
        self.pool_reader = Reader()

    # --- others ------------------------------------------------------------------------------------------------

    async def put(self, kind: resources.Resource, name: str, word: str) -> None:
        self.server.put(kind, _MAKERS[kind](name, word))

    async def remove(self, kind: resources.Resource, name: str, word: str) -> None:
        with contextlib.suppress(KeyError):
            namespace = "default" if kind in {resources.PODS, resources.CLAIMS, resources.BUDGETS} else ""
            self.server.remove(kind, name, namespace, silently=word == "y")

    async def end_streams(self, _kind: resources.Resource, _name: str, word: str) -> None:
        self.server.end_streams(errors.Gone("too old", status=410) if word == "y" else None)

    async def mute(self, kind: resources.Resource, _name: str, _word: str) -> None:
        self.server.mute(kind)

    async def catch_up(self, _kind: resources.Resource, _name: str, _word: str) -> None:
        self.server.catch_up()

    async def restore(self, kind: resources.Resource, name: str, word: str) -> None:
        """Etcd goes back to what it was before two writes."""
        back = self.server.backup()
        await self.put(kind, name, word)
        await asyncio.sleep(0.01)
        await self.remove(kind, name, "")
        back()
        self.server.end_streams()

    async def time(self, _kind: resources.Resource, name: str, _word: str) -> None:
        await asyncio.sleep({"a": 0.01, "b": 6.0, "c": 310.0}[name])

    # --- this process; half of the time the watch does not show it -------------------------------------------------

    def fall_behind(self, kind: resources.Resource, word: str) -> None:
        if word == "y":
            self.server.mute(kind)

    async def write_pod(self, _kind: resources.Resource, name: str, word: str) -> None:
        self.fall_behind(resources.PODS, word)
        pod = self.known.snapshot().pods.get(f"uid-{name}")
        if pod is None:
            return
        with contextlib.suppress(errors.KubernetesError):
            patch = {"metadata": {"resourceVersion": pod.resource_version, "annotations": {"word": word}}}
            self.known.saw_pod(pod, await self.server.strategic_patch(resources.PODS, name, patch, "default", "status"))

    async def bind(self, _kind: resources.Resource, name: str, word: str) -> None:
        self.fall_behind(resources.PODS, word)
        pod = self.known.snapshot().pods.get(f"uid-{name}")
        if pod is None:
            return
        with contextlib.suppress(errors.KubernetesError):
            await self.server.bind(name, "default", pod_changes.binding(pod, word, {}))
            self.known.bound_pod(pod, pod_changes.bound(pod, word, {}))

    async def write_member(self, _kind: resources.Resource, name: str, word: str) -> None:
        self.fall_behind(resources.NEURON_NODES, word)
        member = self.known.member(name)
        if member is None:
            return
        with contextlib.suppress(errors.KubernetesError):
            patch = {"metadata": {"resourceVersion": member.view.resource_version, "annotations": {"word": word}}}
            answer = await self.server.merge_patch(resources.NEURON_NODES, name, patch)
            self.known.saw_neuron_node(member.view.resource_version, answer)

    async def write_pool(self, _kind: resources.Resource, name: str, word: str) -> None:
        self.fall_behind(resources.NEURON_POOLS, word)
        pool = self.known.known_pools().get(name)
        if pool is None:
            return
        with contextlib.suppress(errors.KubernetesError):
            answer = await self.server.merge_patch(
                resources.NEURON_POOLS, name, {"metadata": {"annotations": {"word": word}}}
            )
            self.known.saw_pool(pool, answer)

    async def select(self, _kind: resources.Resource, name: str, word: str) -> None:
        self.fall_behind(resources.CLAIMS, word)
        claim = self.known.volumes.known().claims.get(f"default/{name}")
        if claim is None:
            return
        write = claiming.SelectNode(pods.read(builders.make_pod()), claim, word, "now")
        with contextlib.suppress(errors.KubernetesError):
            answer = await self.server.merge_patch(resources.CLAIMS, name, write.patch, "default")
            self.known.volumes.selected(write, answer)

    async def inquire(self, kind: resources.Resource, name: str, word: str) -> None:
        self.fall_behind(resources.PODS, word)
        if kind not in {resources.PODS, resources.NODES}:
            await self.put(resources.PODS, name, word)
        try:
            self.known.found_pod(await self.server.get(resources.PODS, name, "default"))
        except errors.NotFound:
            self.known.lost_pod(f"uid-{name}")

    async def forget(self, _kind: resources.Resource, name: str, _word: str) -> None:
        self.known.forget_lost_pods({f"uid-{name}"})

    # --- the reader --------------------------------------------------------------------------------------------

    async def look(self, _kind: resources.Resource, name: str, _word: str) -> None:
        if name == "a":  # a new reader
            self.reader = Reader()
            self.reader.take(self.known.everything())
        if name == "b":  # the other one looks when it likes
            self.pool_reader.take(self.known.changes_of_nodes(self.pool_reader))
            return
        self.compare()

    def compare(self) -> None:
        """Whether changes and snapshot agree, whichever is asked first."""
        self.reader.take(self.known.changes())
        assert self.reader.snapshot() == self.known.snapshot()
        assert not self.known.changes(), "nothing happened since"
        self.pool_reader.take(self.known.changes_of_nodes(self.pool_reader))
        for kind in ("nodes", "members", "pools"):
            assert self.pool_reader.kinds[kind] == self.reader.kinds[kind]
        assert not self.known.changes_of_nodes(self.pool_reader), "nothing happened since"


_STEPS = [
    Story.put, Story.put, Story.put, Story.remove, Story.end_streams, Story.mute, Story.catch_up, Story.restore,
    Story.time, Story.write_pod, Story.bind, Story.write_member, Story.write_pool, Story.select, Story.inquire,
    Story.forget, Story.look,
]  # fmt: skip


@contextlib.asynccontextmanager
async def running() -> AsyncIterator[Story]:
    server = in_memory.ApiServer()
    for kind, make in _MAKERS.items():
        server.put(kind, make("a", "x"))
    known = world.World(server, metrics.Metrics(), mirror.Pace(relist_seconds=600.0))
    async with tasks.Parts(asyncio.Event()) as started:
        started.start("caches", known.run())
        await known.synced()
        await asyncio.sleep(0.01)  # the watches begin
        yield Story(server, known)


@hypothesis.given(
    strategies.lists(
        strategies.tuples(
            strategies.sampled_from(_STEPS),
            _KINDS,
            strategies.sampled_from(NAMES),
            strategies.sampled_from(["x", "y"]),
            strategies.booleans(),
            strategies.booleans(),
        ),
        max_size=30,
    )
)
@hypothesis.settings(max_examples=150)
def test_changes_tell_what_a_snapshot_of_the_same_moment_says(steps: list[Any]) -> None:
    async def play() -> None:
        async with running() as story:
            story.compare()
            for step, kind, name, word, settles, looks in steps:
                await step(story, kind, name, word)
                if settles:
                    await asyncio.sleep(0.01)
                if looks:
                    story.compare()
            story.compare()

    with asyncio.Runner(loop_factory=virtual_time.VirtualTimeLoop) as runner:
        runner.run(play())
