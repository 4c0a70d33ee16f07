"""What the operator knows of the cluster: a cache of each kind, with its own writes laid over them.

Law: a reader never sees an object older than what this process wrote. Nothing is decided here.
"""

import asyncio
import dataclasses
from collections.abc import Callable, Container, Mapping
from typing import Any, TypeVar

from neuronspan_agent import mirror, resources
from neuronspan_operator import metrics
from neuronspan_operator.cluster import absences, expectations, storage_caches
from neuronspan_operator.objects import budgets, namespaces, nodes, pods, pools
from neuronspan_operator.planning import plans, snapshot

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
        self._pods = self._cache(resources.PODS, pods.read_known, resources.uid_of, self.lost_pod)
        self._nodes = self._cache(resources.NODES, nodes.read, resources.name_of)
        self._members = self._cache(resources.NEURON_NODES, pools.read_member, resources.name_of)
        self._namespaces = self._cache(resources.NAMESPACES, namespaces.read, resources.name_of)
        self._pools = self._cache(resources.NEURON_POOLS, pools.read, resources.name_of)
        self._budgets = self._cache(resources.BUDGETS, budgets.read, resources.full_name)
        self.volumes = storage_caches.StorageCaches(self._cache, clock)
        self._own_pods = expectations.Expectations[pods.PodView](lambda pod: pod.resource_version, clock)
        self._absences = absences.Absences(clock)
        self._own_members = expectations.Expectations[pools.Member](lambda each: each.view.resource_version, clock)
        self._own_pools = expectations.Expectations[pools.PoolView](lambda pool: pool.resource_version, clock)

    async def run(self) -> None:
        """Keep all caches up to date, for ever."""
        async with asyncio.TaskGroup() as group:
            for cache in (*self._caches.values(), self._budgets, *self.volumes.caches.values()):
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
        await self._pools.reached(version)

    def subscribe(self, listener: Listener, *kinds: resources.Resource) -> None:
        """Call the listener on every change of these kinds; it must return at once."""
        for kind in kinds:
            self._listeners[kind].append(listener)

    # --- what is known -------------------------------------------------------------------------------------------

    def known_nodes(self) -> Mapping[str, nodes.NodeView]:
        """Return the nodes by name."""
        return dict(self._nodes.items)

    def members(self) -> Mapping[str, pools.Member]:
        """Return the NeuronNodes by name."""
        return self._own_members.overlay(self._members.items)

    def known_pools(self) -> Mapping[str, pools.PoolView]:
        """Return the NeuronPools by name."""
        return self._own_pools.overlay(self._pools.items)

    def snapshot(self) -> plans.Snapshot:
        """Return what planning reads: see ``snapshot.of``."""
        known = self._absences.completed(self._own_pods.overlay(self._pods.items))
        gone = self._absences.gone_beside(known)
        return snapshot.of(
            known,
            self.known_nodes(),
            self.members(),
            self.known_pools(),
            namespaces=dict(self._namespaces.items),
            gone=gone,
            stored=self.volumes.storage(),
            known_budgets=dict(self._budgets.items),
        )

    # --- what this process wrote, or read afresh ------------------------------------------------------------------

    def saw_pod(self, before: pods.PodView, manifest: Mapping[str, Any]) -> None:
        """Take the API server's answer about a pod that was known as ``before``."""
        after = pods.read(manifest)
        self._own_pods.expect(before.uid, before.resource_version, after)
        self._absences.saw(after)

    def bound_pod(self, before: pods.PodView, after: pods.PodView) -> None:
        """Take it that a pod was bound: the API server's answer does not show it."""
        self._own_pods.expect(before.uid, before.resource_version, after)

    def evicted_pod(self, before: pods.PodView) -> None:
        """Take it that a pod is being deleted: the API server's answer to an eviction does not show it."""
        after = dataclasses.replace(before, deleted=True, resource_version="")
        self._own_pods.expect(before.uid, before.resource_version, after)

    def found_pod(self, manifest: Mapping[str, Any]) -> None:
        """Take the API server's answer about a pod that the cache does not have."""
        self._absences.found(pods.read(manifest))

    def lost_pod(self, uid: str) -> None:
        """Take the API server's answer that it has no such pod."""
        self._absences.gone(uid)

    def forget_lost_pods(self, mentioned: Container[str]) -> None:
        """Forget pods that ended and that no ledger and no plugin mentions."""
        self._absences.keep_only(mentioned)

    def next_question(self) -> float | None:
        """Return the seconds after which a pod has to be asked for again, if any has."""
        return self._absences.next_question()

    def saw_neuron_node(self, before_version: str, manifest: Mapping[str, Any]) -> None:
        """Take the API server's answer about a NeuronNode that had this version."""
        member = pools.read_member(manifest)
        self._own_members.expect(member.view.name, before_version, member)

    def saw_pool(self, before: pools.PoolView, manifest: Mapping[str, Any]) -> None:
        """Take the API server's answer about a NeuronPool that was known as ``before``."""
        self._own_pools.expect(before.name, before.resource_version, pools.read(manifest))

    # --- inside --------------------------------------------------------------------------------------------------

    @property
    def _caches(self) -> "Mapping[resources.Resource, mirror.Mirror[Any]]":
        return {
            resources.PODS: self._pods,
            resources.NODES: self._nodes,
            resources.NAMESPACES: self._namespaces,
            resources.NEURON_NODES: self._members,
            resources.NEURON_POOLS: self._pools,
        }

    def _cache(
        self,
        resource: resources.Resource,
        read: Callable[[Mapping[str, Any]], T | None],
        key_of: Callable[[Mapping[str, Any]], str],
        on_deleted: Callable[[str], None] = lambda _key: None,
    ) -> mirror.Mirror[T]:
        listeners = self._listeners.setdefault(resource, [])

        def tell(_key: str = "") -> None:
            for listener in listeners:
                listener()

        return mirror.Mirror(
            self._client,
            resource,
            read,
            key_of=key_of,
            on_change=tell,
            on_listed=tell,  # that there is none of a kind may be news, too
            on_deleted=on_deleted,
            meters=self._meters,
            pace=self._pace,
        )
