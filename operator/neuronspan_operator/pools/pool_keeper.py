"""Keeps NeuronNodes as the NeuronPools want them, and the pools' status true.

Law: decides nothing itself (membership does); changes and removals of NeuronNodes are compare-and-swap, so a
grant that comes in between wins. This is the only writer of NeuronPool status and, ledgers aside, of NeuronNodes.
"""

import asyncio
import datetime as dt
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from neuronspan import instance_types
from neuronspan_agent import backoff, calls, errors, resources, signals
from neuronspan_operator.cluster import world
from neuronspan_operator.objects import pools
from neuronspan_operator.pools import membership, pool_status, standings

_log = logging.getLogger(__name__)

_DEBOUNCE_SECONDS = 0.2
"""Nodes come in crowds, and each look may write the status of pools; no NeuronNode is needed sooner."""
_RETRY = backoff.Delays(first=1.0, longest=60.0)


class PoolClient(calls.Creates, calls.MergePatches, calls.Deletes, Protocol):
    """The calls the keeper needs."""


class PoolKeeper:
    """``settle`` once, or ``run`` as a task; ``now`` gives the time of day."""

    def __init__(
        self,
        client: PoolClient,
        known: world.World,
        *,
        core_numbering: str,
        writers: int,
        now: Callable[[], dt.datetime],
    ) -> None:
        self._client = client
        self._known = known
        self._core_numbering = core_numbering
        self._now = now
        self._membership = membership.Membership()
        self._room = asyncio.Semaphore(writers)
        self._one_at_a_time = asyncio.Lock()
        self._wake_at: dt.datetime | None = None
        self._changed = signals.Signal()
        known.subscribe(self._changed.raised, resources.NODES, resources.NEURON_NODES, resources.NEURON_POOLS)

    async def run(self) -> None:
        """Settle for ever, once the caches are complete."""
        failures = 0
        while True:
            seen = self._changed.version
            try:
                await self.settle()
                failures = 0
                pause = self._pause()
            except errors.KubernetesError as error:
                failures += 1
                pause = _RETRY.after(failures)
                _log.warning("pools not settled", extra={"pause": pause, "error": str(error)})
            await self._changed.beyond_within(seen, pause, collect_seconds=_DEBOUNCE_SECONDS)

    async def settle(self) -> Mapping[str, dict[str, Any]]:
        """Do what is to be done now; gives each pool's status. Tries all, then raises the first KubernetesError."""
        async with self._one_at_a_time:
            await self._known.synced()
            decision = self._look()
            known_pools = dict(self._membership.pools)
            wanted = {
                name: pool_status.wanted(known_pools[name], found, self._now())
                for name, found in decision.findings.items()
            }
            await self._all(
                *(self._create(each) for each in decision.creations),
                *(self._change(each) for each in decision.changes),
                *(self._remove(each) for each in decision.removals),
                *(self._mark(each) for each in decision.marks),
                *(self._tell(known_pools[name], status) for name, status in wanted.items()),
            )
            return wanted

    def members_of(self, pool: str) -> list[str]:
        """Return the names of the nodes that belong to the pool."""
        found = self._look().findings.get(pool)
        return [] if found is None else list(found.members)

    def _pause(self) -> float | None:
        """Return the seconds after which there is something to do even if nothing changes."""
        return None if self._wake_at is None else max(0.0, (self._wake_at - self._now()).total_seconds())

    # --- inside --------------------------------------------------------------------------------------------------

    def _look(self) -> membership.Decision:
        decision = self._membership.decide(self._known.changes_of_nodes(self), self._now())
        self._wake_at = decision.wake_at
        return decision

    async def _all(self, *writes: Awaitable[None]) -> None:
        outcomes = await asyncio.gather(*map(self._limited, writes))
        first = next((outcome for outcome in outcomes if outcome is not None), None)
        if first is not None:
            raise first

    async def _limited(self, write: Awaitable[None]) -> errors.KubernetesError | None:
        try:
            async with self._room:
                await write
        except (errors.Conflict, errors.NotFound) as error:
            _log.info("another writer was faster, the cache will show it", extra={"error": str(error)})
        except errors.KubernetesError as error:
            return error
        return None

    async def _create(self, creation: standings.Creation) -> None:
        manifest = creation.manifest(self._core_numbering)
        await self._client.create(resources.NEURON_NODES, manifest)
        hardware = creation.hardware
        facts = {"pool": creation.pool, "instance_type": hardware.instance_type if hardware else instance_types.DETECT}
        _log.info("a node joins a pool", extra={"node": creation.node.name, **facts})

    async def _change(self, change: standings.Change) -> None:
        changed = await self._client.merge_patch(
            resources.NEURON_NODES, change.name, change.patch(self._core_numbering)
        )
        self._known.saw_neuron_node(change.resource_version, changed)
        facts = {"pool": change.pool, "hardware": str(change.spec.get("hardware") or "as it was")}
        _log.info("a node's place in its pool changed", extra={"node": change.name, **facts})

    async def _remove(self, removal: standings.Removal) -> None:
        version = removal.resource_version
        await self._client.delete(resources.NEURON_NODES, removal.name, resource_version=version)
        _log.info("a node is in no pool any more", extra={"node": removal.name})

    async def _mark(self, mark: standings.Mark) -> None:
        await self._client.merge_patch(resources.NODES, mark.name, mark.patch)
        _log.info("a node's label says whether it has a ledger", extra={"node": mark.name, "has": mark.present})

    async def _tell(self, pool: pools.PoolView, status: dict[str, Any]) -> None:
        if pool_status.differs(pool.status, status):
            patch = {"status": status}
            stored = await self._client.merge_patch(resources.NEURON_POOLS, pool.name, patch, subresource="status")
            self._known.saw_pool(pool, stored)
