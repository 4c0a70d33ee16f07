"""Runs operators inside a test, against a real API server, in real time."""

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator, Callable

from kits.api_server import control_plane
from neuronspan_agent import kube
from neuronspan_operator import application, config, metrics, tasks
from neuronspan_operator.cluster import world
from neuronspan_operator.pools import pool_keeper
from neuronspan_operator.reconciling import reconciler
from neuronspan_operator.telling import conditions, recorder, refusals


async def until(condition: Callable[[], object], *, seconds: float = 45.0, what: str = "") -> None:
    """Wait until the condition holds; fails after so many seconds."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while not condition():
        assert loop.time() < deadline, f"not within {seconds:g} s: {what or condition}"
        await asyncio.sleep(0.03)  # another process has to get there: polling is all there is


@contextlib.asynccontextmanager
async def whole(
    plane: control_plane.ControlPlane, *flags: str, ended: Callable[[int], None] | None = None
) -> AsyncIterator[application.Application]:
    """A complete operator, as its main program runs it, on a free port."""
    settings = config.load([f"--kubeconfig={plane.kubeconfig}", "--port=0", *flags], {})
    app = application.Application(settings, end_process=ended or _unexpected)
    running = asyncio.create_task(app.run())
    try:
        yield app
    finally:
        app.stop.set()
        await running


def _unexpected(code: int) -> None:
    raise AssertionError(f"the operator lost its leadership and ended with {code}")


@dataclasses.dataclass
class Core:
    """The part of an operator that grants cores, without election and kopf."""

    client: kube.Client
    known: world.World
    meters: metrics.Metrics
    loop: reconciler.Reconciler
    keeper: pool_keeper.PoolKeeper

    def count(self, metric: str, **labels: str) -> float:
        """Return the value of a metric, 0 when it has none."""
        return self.meters.registry.get_sample_value(metric, labels) or 0.0


@contextlib.asynccontextmanager
async def core(kubeconfig: str, *, running: bool = True, call_seconds: float = 10.0) -> AsyncIterator[Core]:
    """Caches, reconciler and recorder; without ``running`` the test calls ``loop.reconcile`` itself."""
    meters = metrics.Metrics()
    async with await kube.connect("test", kubeconfig, call_seconds=call_seconds) as client:
        known = world.World(client, meters)
        events = recorder.Recorder(client, meters, instance="test", now=application.now)
        refused = refusals.Refusals()
        waiting = conditions.Teller(client, known, refused, meters, now=application.now)
        telling = reconciler.Telling(refused, waiting, events)
        loop = reconciler.Reconciler(client, known, telling, meters, now=application.now)
        keeper = pool_keeper.PoolKeeper(client, known, core_numbering="node", writers=8, now=application.now)
        async with tasks.Parts(asyncio.Event()) as started:
            started.start("caches", known.run())
            await known.synced()
            if running:
                started.start("grants", loop.run())
                started.start("events", events.run())
                started.start("conditions", waiting.run())
            yield Core(client, known, meters, loop, keeper)
