"""The operator's loop over the API server in memory; the test says when a round happens."""

import asyncio
import contextlib
import datetime as dt
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from kits.embedded import in_memory
from kits.manifests import builders
from neuronspan import names
from neuronspan_agent import resources
from neuronspan_operator import metrics, tasks
from neuronspan_operator.cluster import world
from neuronspan_operator.planning import plans
from neuronspan_operator.pools import pool_keeper
from neuronspan_operator.reconciling import reconciler, thinking
from neuronspan_operator.telling import conditions, recorder, refusals

START = dt.datetime(2026, 1, 31, 9, 0, 1, tzinfo=dt.UTC)


def now() -> dt.datetime:
    """Return the time of day; it moves with the loop's clock, which starts at 1 000 s."""
    return START + dt.timedelta(seconds=asyncio.get_running_loop().time() - 1000)


async def _here(work: thinking.Work) -> plans.Plan:
    """Plan on the loop: a thread would take real time, of which virtual time knows nothing."""
    return work()


class Rehearsal:
    """A server, and what the operator makes of it; give the server of another one to play a restart."""

    def __init__(self, server: in_memory.ApiServer | None = None) -> None:
        self.server = server or in_memory.ApiServer()
        self.meters = metrics.Metrics()
        self.known = world.World(self.server, self.meters)
        self.events = recorder.Recorder(self.server, self.meters, instance="me", now=now)
        refused = refusals.Refusals()
        self.conditions = conditions.Teller(self.server, self.known, refused, self.meters, now=now)
        telling = reconciler.Telling(refused, self.conditions, self.events)
        self.loop = reconciler.Reconciler(self.server, self.known, telling, self.meters, now=now, place=_here)
        self.keeper = pool_keeper.PoolKeeper(self.server, self.known, core_numbering="node", writers=8, now=now)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run the caches only."""
        async with tasks.Parts(asyncio.Event()) as started:
            started.start("caches", self.known.run())
            await self.known.synced()
            yield

    async def settle(self) -> None:
        """Let the caches see everything that happened."""
        await asyncio.sleep(0.01)

    async def pass_time(self, seconds: float) -> None:
        """Let time pass."""
        await asyncio.sleep(seconds)

    async def round(self) -> float | None:
        """Do one round on what the server has now, and let the caches see what came of it."""
        await self.settle()
        pause = await self.loop.reconcile()
        await self.conditions.flush()
        await self.events.flush()
        await self.settle()
        return pause

    # --- the cluster ---------------------------------------------------------------------------------------------

    def add_node(self, name: str = "w1", **node: Any) -> None:
        """Add a node with a registered plugin and an empty ledger."""
        self.server.put(resources.NODES, builders.make_node(name, **node))
        self.server.put(resources.NEURON_NODES, builders.make_neuron_node(name))

    def add_pod(self, name: str = "web", cores: int = 4, **pod: Any) -> None:
        """Add a pod."""
        self.server.put(resources.PODS, builders.make_pod(name, cores=cores, **pod))

    def edit(self, resource: resources.Resource, name: str, change: Callable[[dict[str, Any]], object]) -> None:
        """Change an object behind the operator's back."""
        namespace = "default" if resource in {resources.PODS, resources.EVENTS} else ""
        manifest = self.server.stored(resource, name, namespace)
        change(manifest)
        self.server.put(resource, manifest)

    # --- what came of it -----------------------------------------------------------------------------------------

    def ledger(self, node: str = "w1") -> dict[str, str]:
        """Return state and cores of the stored grants by pod: its UID without "uid-", which is its name by default."""
        grants = self.server.stored(resources.NEURON_NODES, node)["spec"]["grants"]
        return {
            each["podUID"].removeprefix("uid-"): f"{each['state']} {each['first']}+{each['count']}" for each in grants
        }

    def bound(self) -> list[str]:
        """Return the pods that have a node."""
        return sorted(pod["metadata"]["name"] for pod in self.server.all(resources.PODS) if pod["spec"].get("nodeName"))

    def ungated(self) -> list[str]:
        """Return the guests that have left the gate."""
        pods = self.server.all(resources.PODS)
        ours = names.SCHEDULER
        return sorted(
            pod["metadata"]["name"]
            for pod in pods
            if not pod["spec"].get("schedulingGates") and pod["spec"]["schedulerName"] != ours
        )

    def told(self, pod: str) -> dict[str, str]:
        """Return the messages of a pod's Events by reason."""
        events = self.server.all(resources.EVENTS)
        return {each["reason"]: each["message"] for each in events if each["involvedObject"]["name"] == pod}

    def count(self, metric: str, labels: Mapping[str, str] | None = None) -> float:
        """Return the value of a metric, 0 when it has none."""
        return self.meters.registry.get_sample_value(metric, dict(labels or {})) or 0.0
