"""The only importer of kopf: NeuronPools come, change and go; what that means is PoolKeeper's.

Law: only NeuronPools are handled. kopf writes an annotation after every change of an object it handles, and on
NeuronNodes that would fight the ledger's compare-and-swap. kopf has a thread and an event loop of its own, because it
takes the signals of the loop it runs in, and at its end cancels every task there that is younger than itself; its
handlers call over to the loop in which everything else lives.
"""

import asyncio
import concurrent.futures
import contextlib
import logging
import threading
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, Protocol, TypeVar

import kopf

from neuronspan import names
from neuronspan_agent import errors
from neuronspan_operator.cluster import world
from neuronspan_operator.pools import pool_keeper, pool_status

HIDDEN_FIELDS = ("k8s_skip", "settings")
RENAMED_FIELDS = {"k8s_ref": "object"}
"""What kopf puts on its log records."""
_RETRY_SECONDS = 5.0
"""What keeps a pool back are nodes that people change by hand: they see the outcome soon, and the log stays short."""
_CATCH_UP_SECONDS = 30.0
"""kopf may see a change before our own cache does, by milliseconds; more than this means that the cache has failed."""
_SHOWN = 5
_FAREWELL_SECONDS = 10.0
"""kopf ends its watches and closes its connections within a second; it gives hung handlers five."""

T = TypeVar("T")


class Reaches(Protocol):
    """What the handlers need of a client; ``kube.Client`` has it."""

    @property
    def server(self) -> str:
        """The URL of the API server."""

    def session(self, through: Callable[[Coroutine[Any, Any, Any]], Awaitable[Any]]) -> Any:
        """Return an HTTP session for the running loop, to the same server as the same user."""


async def operate(client: Reaches, keeper: pool_keeper.PoolKeeper, known: world.World, identity: str) -> None:
    """Run kopf until cancelled; raises what it ends with."""
    # kopf warns at every start that it does not get the signals; it has a thread of its own so that it does not
    logging.getLogger("kopf._core.reactor.running").setLevel(logging.ERROR)
    logging.getLogger("kopf.objects").setLevel(logging.INFO)  # its debug level repeats every object
    home = asyncio.get_running_loop()
    stop = threading.Event()
    ended: asyncio.Future[None] = home.create_future()
    handlers = registry(Bridge(home, client, keeper, known))

    async def work() -> None:
        try:
            # with an identity kopf need not ask the system for the user's name, which a UID in a slim image lacks
            await kopf.operator(
                registry=handlers,
                settings=settings(identity),
                clusterwide=True,
                identity=identity,  # type: ignore[arg-type]  # a NewType of str that kopf does not export
                stop_flag=stop,
            )
        finally:
            stop.set()  # kopf waits for it in a thread, which would keep this one alive

    def run() -> None:
        outcome = concurrent.futures.Future[None]()
        try:
            outcome.set_result(asyncio.run(work()))
        except Exception as error:  # noqa: BLE001  the main loop of a thread: the error is raised in operate
            outcome.set_exception(error)
        with contextlib.suppress(RuntimeError):  # the home loop is closed: operate has ended
            home.call_soon_threadsafe(_hand_over, outcome, ended)

    # a daemon: a kopf that does not end must not keep the process from ending
    threading.Thread(target=run, name="kopf", daemon=True).start()
    try:
        await asyncio.shield(ended)
    except asyncio.CancelledError:
        stop.set()
        await asyncio.wait({ended}, timeout=_FAREWELL_SECONDS)
        if ended.done():
            ended.exception()  # whatever it is, we are leaving
        raise


def _hand_over(outcome: "concurrent.futures.Future[None]", ended: "asyncio.Future[None]") -> None:
    error = outcome.exception()
    if error is None:
        ended.set_result(None)
    else:
        ended.set_exception(error)


class Bridge:
    """What handlers may ask of the other loop; every method is awaited in kopf's."""

    def __init__(
        self,
        home: asyncio.AbstractEventLoop,
        client: Reaches,
        keeper: pool_keeper.PoolKeeper,
        known: world.World,
    ) -> None:
        self._home = home
        self._client = client
        self._keeper = keeper
        self._known = known

    def connection(self) -> kopf.AiohttpSession:
        """Let kopf call as we do; its own logins want cluster DNS, or files that only some clients write."""
        return kopf.AiohttpSession(server=self._client.server, aiohttp_session=self._client.session(self._call))

    async def settle(self, version: str) -> Mapping[str, Mapping[str, Any]]:
        """Settle all pools, knowing at least this version of one; gives their statuses. Raises TemporaryError."""
        return await self._call(self._settled(version))

    async def drain(self, name: str, version: str) -> list[str]:
        """Settle all pools; gives the nodes that this one still has. Raises TemporaryError."""
        return await self._call(self._drained(name, version))

    async def _call(self, work: Coroutine[Any, Any, T]) -> T:
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._home))

    async def _settled(self, version: str) -> Mapping[str, Mapping[str, Any]]:
        try:
            async with asyncio.timeout(_CATCH_UP_SECONDS):
                await self._known.pools_reached(version)
            return await self._keeper.settle()
        except TimeoutError as error:
            raise kopf.TemporaryError("the cache of NeuronPools is behind", delay=_RETRY_SECONDS) from error
        except errors.KubernetesError as error:
            raise kopf.TemporaryError(f"the pool is not settled: {error}", delay=_RETRY_SECONDS) from error

    async def _drained(self, name: str, version: str) -> list[str]:
        await self._settled(version)
        return self._keeper.members_of(name)


def registry(bridge: Bridge) -> kopf.OperatorRegistry:
    """Return the handlers."""
    handlers = kopf.OperatorRegistry()

    async def login(**_: Any) -> kopf.AiohttpSession:
        return bridge.connection()

    async def settle(name: str, meta: kopf.Meta, body: kopf.Body, **_: Any) -> None:
        statuses = await bridge.settle(meta["resourceVersion"])
        if name in statuses:
            ready, reason, message = pool_status.summary(statuses[name])
            if not ready:
                kopf.warn(body, reason=reason, message=message)

    async def drain(name: str, meta: kopf.Meta, **_: Any) -> None:
        left = await bridge.drain(name, meta["resourceVersion"])
        if left:
            shown = ", ".join(left[:_SHOWN])
            raise kopf.TemporaryError(f"{len(left)} nodes are not empty yet: {shown}", delay=_RETRY_SECONDS)

    pools = names.GROUP, names.VERSION, names.NEURON_POOLS
    kopf.on.login(registry=handlers, id="login")(login)
    kopf.on.create(*pools, registry=handlers, id="settle")(settle)
    kopf.on.resume(*pools, registry=handlers, id="settle")(settle)
    kopf.on.update(*pools, registry=handlers, id="settle", field="spec")(settle)
    kopf.on.delete(*pools, registry=handlers, id="drain")(drain)
    return handlers


def settings(identity: str) -> kopf.OperatorSettings:
    """Return kopf's settings; its defaults are for operators that are alone and not in a hurry."""
    chosen = kopf.OperatorSettings()
    chosen.persistence.finalizer = f"{names.GROUP}/finalizer"
    chosen.persistence.progress_storage = kopf.AnnotationsProgressStorage(prefix=f"kopf.{names.GROUP}", v1=False)
    chosen.persistence.diffbase_storage = kopf.AnnotationsDiffBaseStorage(
        prefix=f"kopf.{names.GROUP}", key="last-handled", v1=False
    )
    chosen.peering.standalone = True  # leaders are elected by elector.py
    chosen.posting.level = logging.INFO
    chosen.posting.reporting_component = "neuronspan-operator"
    chosen.posting.reporting_instance = identity
    chosen.scanning.disabled = True  # the one CRD is there before the operator: nothing to look out for
    chosen.networking.request_timeout = 30
    chosen.networking.connect_timeout = 5
    chosen.networking.error_backoffs = (0.5, 1, 2, 4, 8)
    chosen.queueing.error_delays = (1, 1, 2, 3, 5, 8, 13, 21)  # the default leaves an object alone for ten minutes
    chosen.queueing.exit_timeout = 10
    chosen.execution.default_backoff = _RETRY_SECONDS
    chosen.process.ultimate_exiting_timeout = 60
    chosen.watching.chunk_size = 500
    return chosen
