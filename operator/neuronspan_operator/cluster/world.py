"""What the operator knows of the cluster: a cache of each kind, with its own writes laid over them.

Law: a reader never sees an object older than what this process wrote. Nothing is decided here. ``changes`` costs what
changed since it was asked before; what ``snapshot`` answers costs all there is, and is for what is seldom asked.
"""

import asyncio
import dataclasses
import functools
from collections.abc import Callable, Container, Hashable, Mapping
from typing import Any, TypeVar

from neuronspan_agent import mirror, resources
from neuronspan_operator import metrics
from neuronspan_operator.cluster import absences, expectations, layers, storage_caches
from neuronspan_operator.objects import budgets, nodes, pods, pools
from neuronspan_operator.objects.constraints import pod_terms
from neuronspan_operator.planning import facts, plans, snapshot

Listener = Callable[[], None]
T = TypeVar("T")


class World:
    """Pods, Nodes, Namespaces, NeuronNodes, NeuronPools, disruption budgets and all about volumes.

    Run ``run`` as a task. Budgets that must not be read stop nobody: the Eviction API holds them all the same.
    """

    def __init__(self, client: mirror.Reader, meters: metrics.Metrics, pace: mirror.Pace | None = None) -> None:
        self._client = client
        self._meters = meters
        self._pace = pace or mirror.Pace()
        self._listeners: dict[resources.Resource, list[Listener]] = {}
        clock = asyncio.get_running_loop().time
        self._absences = absences.Absences(clock)
        self._gone: set[str] = set()  # as ``changes`` told it
        self._fed = False
        own_pods = expectations.Expectations[pods.PodView](lambda pod: pod.resource_version, clock)
        own_members = expectations.Expectations[pools.Member](lambda each: each.view.resource_version, clock)
        own_pools = expectations.Expectations[pools.PoolView](lambda pool: pool.resource_version, clock)
        self._pods = self._layers(resources.PODS, pods.read_known, resources.pod_uid_of, own_pods, self._deleted)
        self._nodes = self._layers(resources.NODES, nodes.read)
        self._members = self._layers(resources.NEURON_NODES, pools.read_member, own=own_members)
        self._namespaces = self._layers(resources.NAMESPACES, pod_terms.namespace_labels)
        self._pools = self._layers(resources.NEURON_POOLS, pools.read, own=own_pools)
        self._budgets = self._layers(resources.BUDGETS, budgets.read, resources.full_name)
        self.volumes = storage_caches.StorageCaches(self._cache, clock)
        for kind in storage_caches.KINDS:
            self.subscribe(functools.partial(self.volumes.touch, kind.field), kind.resource)

    async def run(self) -> None:
        """Keep all caches up to date, for ever."""
        async with asyncio.TaskGroup() as group:
            for cache in (*self._caches.values(), self._budgets.cache, *self.volumes.caches.values()):
                group.create_task(cache.run())

    async def synced(self) -> None:
        """Wait until every cache holds a complete list; for those of volumes only as long as that makes sense."""
        for cache in self._caches.values():
            await cache.synced.wait()
        await self.volumes.listed()

    async def readiness(self) -> dict[str, str]:
        """Return for each resource that nothing goes without what its cache lacks: a complete list, or nothing."""
        return {str(each): "" if cache.is_synced else "not listed yet" for each, cache in self._caches.items()}

    async def pools_reached(self, version: str) -> None:
        """Wait until the NeuronPools known here are not older than this resourceVersion of one of them."""
        await self._pools.cache.reached(version)

    def subscribe(self, listener: Listener, *kinds: resources.Resource) -> None:
        """Call the listener on every change of these kinds; it must return at once."""
        for kind in kinds:
            self._listeners[kind].append(listener)

    # --- what is known -------------------------------------------------------------------------------------------

    def pod(self, uid: str) -> pods.PodView | None:
        """Return one pod, None when there is none."""
        return self._absences.newest(uid, self._pods.newest(uid))

    def member(self, name: str) -> pools.Member | None:
        """Return one NeuronNode, None when there is none."""
        return self._members.newest(name)

    def known_pools(self) -> Mapping[str, pools.PoolView]:
        """Return the NeuronPools by name."""
        return self._pools.all()

    def snapshot(self) -> plans.Snapshot:
        """Return what planning reads: see ``snapshot.of``."""
        known = self._absences.completed(self._pods.all())
        return snapshot.of(
            known,
            self._nodes.all(),
            self._members.all(),
            self.known_pools(),
            namespaces=self._namespaces.all(),
            gone=self._absences.gone_beside(known),
            stored=self.volumes.known(),
            known_budgets=self._budgets.all(),
        )

    def changes(self) -> facts.Changes:
        """Return what may be otherwise than when this was asked before, by one reader; the first time everything."""
        if not self._fed:
            return self.everything()
        for uid in self._absences.expired():
            self._pods.touch(uid)
        known = {uid: self._absences.newest(uid, pod) for uid, pod in self._pods.touched(self).items()}
        return facts.Changes(
            pods=known,
            nodes=self._nodes.touched(self),
            members=self._members.touched(self),
            pools=self._pools.touched(self),
            namespaces=self._namespaces.touched(self),
            budgets=self._budgets.touched(self),
            gone=self._gone_now(known),
            storage=self.volumes.news(),
        )

    def everything(self) -> facts.Changes:
        """Return all that is known, for a reader that knows nothing yet; ``changes`` tells what comes after."""
        self._fed = True
        known = self._absences.completed(self._pods.restart(self))
        self._gone = set(self._absences.gone_beside(known))
        self.volumes.news()
        return facts.Changes(
            pods=known,
            nodes=self._nodes.restart(self),
            members=self._members.restart(self),
            pools=self._pools.restart(self),
            namespaces=self._namespaces.restart(self),
            budgets=self._budgets.restart(self),
            gone=dict.fromkeys(self._gone, True),
            storage=self.volumes.known(),
        )

    def changes_of_nodes(self, reader: Hashable) -> facts.Changes:
        """Return what this reader does not know yet of Nodes, NeuronNodes and NeuronPools, at first everything."""
        return facts.Changes(
            nodes=self._nodes.touched(reader), members=self._members.touched(reader), pools=self._pools.touched(reader)
        )

    def _deleted(self, uid: str) -> None:
        """Take it that a deletion was watched; a process that plans nothing has nobody who forgets it again."""
        if self._fed:
            self.lost_pod(uid)

    def _gone_now(self, known: Mapping[str, object]) -> dict[str, bool]:
        """Return which of these are gone or were told to be."""
        found = {uid: self._absences.is_gone(uid) for uid in known}
        changed = {uid: gone for uid, gone in found.items() if gone != (uid in self._gone)}
        self._gone ^= changed.keys()
        return changed

    # --- what this process wrote, or read afresh ------------------------------------------------------------------

    def saw_pod(self, before: pods.PodView, manifest: Mapping[str, Any]) -> None:
        """Take the API server's answer about a pod that was known as ``before``."""
        after = pods.read(manifest)
        self._absences.saw(after)
        self._pods.wrote(before.uid, before.resource_version, after)

    def bound_pod(self, before: pods.PodView, after: pods.PodView) -> None:
        """Take it that a pod was bound: the API server's answer does not show it."""
        self._pods.wrote(before.uid, before.resource_version, after)

    def evicted_pod(self, before: pods.PodView) -> None:
        """Take it that a pod is being deleted: the API server's answer to an eviction does not show it."""
        after = dataclasses.replace(before, deleted=True, resource_version="")
        self._pods.wrote(before.uid, before.resource_version, after)

    def found_pod(self, manifest: Mapping[str, Any]) -> None:
        """Take the API server's answer about a pod that the cache does not have."""
        pod = pods.read(manifest)
        self._absences.found(pod)
        self._pods.touch(pod.uid)

    def lost_pod(self, uid: str) -> None:
        """Take the API server's answer that it has no such pod."""
        self._absences.gone(uid)
        self._pods.touch(uid)

    def forget_lost_pods(self, mentioned: Container[str]) -> None:
        """Forget pods that ended and that no ledger and no plugin mentions."""
        for uid in self._absences.keep_only(mentioned):
            self._pods.touch(uid)

    def next_question(self) -> float | None:
        """Return the seconds after which a pod has to be asked for again, if any has."""
        return self._absences.next_question()

    def saw_neuron_node(self, before_version: str, manifest: Mapping[str, Any]) -> None:
        """Take the API server's answer about a NeuronNode that had this version."""
        member = pools.read_member(manifest)
        self._members.wrote(member.view.name, before_version, member)

    def saw_pool(self, before: pools.PoolView, manifest: Mapping[str, Any]) -> None:
        """Take the API server's answer about a NeuronPool that was known as ``before``."""
        self._pools.wrote(before.name, before.resource_version, pools.read(manifest))

    # --- inside --------------------------------------------------------------------------------------------------

    @property
    def _caches(self) -> "Mapping[resources.Resource, mirror.Mirror[Any]]":
        return {
            resources.PODS: self._pods.cache,
            resources.NODES: self._nodes.cache,
            resources.NAMESPACES: self._namespaces.cache,
            resources.NEURON_NODES: self._members.cache,
            resources.NEURON_POOLS: self._pools.cache,
        }

    def _layers(
        self,
        resource: resources.Resource,
        read: Callable[[Mapping[str, Any]], T | None],
        key_of: Callable[[Mapping[str, Any]], str] = resources.name_of,
        own: expectations.Expectations[T] | None = None,
        on_deleted: Callable[[str], None] = lambda _key: None,
    ) -> layers.Layers[T]:
        def touch(key: str) -> None:
            found.touch(key)

        found = layers.Layers(self._cache(resource, read, key_of, touch, on_deleted), own)
        return found

    def _cache(
        self,
        resource: resources.Resource,
        read: Callable[[Mapping[str, Any]], T | None],
        key_of: Callable[[Mapping[str, Any]], str],
        touch: Callable[[str], None] = lambda _key: None,
        on_deleted: Callable[[str], None] = lambda _key: None,
    ) -> mirror.Mirror[T]:
        listeners = self._listeners.setdefault(resource, [])

        def tell() -> None:
            for listener in listeners:
                listener()

        def changed(key: str) -> None:
            touch(key)
            tell()

        return mirror.Mirror(
            self._client,
            resource,
            read,
            key_of=key_of,
            on_change=changed,
            on_listed=tell,  # that there is none of a kind may be news, too
            on_deleted=on_deleted,
            meters=self._meters,
            pace=self._pace,
        )
