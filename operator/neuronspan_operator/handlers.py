"""The only importer of kopf: NeuronPools come, change and go; what that means is PoolKeeper's.

Law: only NeuronPools are handled. kopf writes an annotation after every change of an object it handles, and on
NeuronNodes that would fight the ledger's compare-and-swap.
"""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any, Protocol

import kopf

from neuronspan import names
from neuronspan_operator import errors, kube, pool_keeper, pool_status, world

_RETRY_SECONDS = 5.0
"""A pool's troubles are with nodes that people change by hand: soon enough to be seen, seldom enough to be quiet."""
_CATCH_UP_SECONDS = 30.0
"""kopf may see a change before our own cache does, by milliseconds; more than this is a trouble of the cache."""
_SHOWN = 5


class Credentialed(Protocol):
    """The one call the handlers need; ``kube.Client`` has it."""

    async def credentials(self) -> kube.Credentials:
        """Give the credentials in use now."""


async def operate(
    client: Credentialed,
    keeper: pool_keeper.PoolKeeper,
    known: world.World,
    identity: str,
    ready: asyncio.Event,
    stop: asyncio.Event,
) -> None:
    """Run kopf until ``stop``; sets ``ready`` when it watches. It takes SIGTERM over: take it back after ``ready``."""
    await kopf.operator(
        registry=registry(client, keeper, known),
        settings=settings(identity),
        clusterwide=True,
        # without one kopf asks the system for the user's name and dies when the UID has none, as in a slim image
        identity=identity,  # type: ignore[arg-type]  # a NewType of str that kopf does not export
        ready_flag=ready,
        stop_flag=stop,
    )


def registry(client: Credentialed, keeper: pool_keeper.PoolKeeper, known: world.World) -> kopf.OperatorRegistry:
    """Give the handlers, bound to this process's parts."""
    handlers = kopf.OperatorRegistry()

    async def login(**_: Any) -> kopf.ConnectionInfo:
        return connection(await client.credentials())

    async def settle(name: str, meta: kopf.Meta, body: kopf.Body, **_: Any) -> None:
        statuses = await _settled(keeper, known, meta["resourceVersion"])
        if name in statuses:
            ready, reason, message = pool_status.summary(statuses[name])
            if not ready:
                kopf.warn(body, reason=reason, message=message)

    async def drain(name: str, meta: kopf.Meta, **_: Any) -> None:
        await _settled(keeper, known, meta["resourceVersion"])
        left = keeper.members_of(name)
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
    """Give kopf's settings; its defaults are for operators that are alone and not in a hurry."""
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


def connection(credentials: kube.Credentials) -> kopf.ConnectionInfo:
    """Give kopf the same identity; its own logins want cluster DNS, or files that only some clients write."""
    return kopf.ConnectionInfo(
        server=credentials.server,
        ca_path=credentials.authority_path,
        insecure=credentials.insecure,
        scheme="Bearer" if credentials.token else None,
        token=credentials.token,
        certificate_path=credentials.certificate_path,
        private_key_path=credentials.private_key_path,
    )


async def _settled(keeper: pool_keeper.PoolKeeper, known: world.World, version: str) -> Mapping[str, Mapping[str, Any]]:
    """Settle all pools, with at least this version of one of them; raises TemporaryError when that is not possible."""
    try:
        async with asyncio.timeout(_CATCH_UP_SECONDS):
            await known.pools_reached(version)
        return await keeper.settle()
    except TimeoutError as error:
        raise kopf.TemporaryError("the cache of NeuronPools is behind", delay=_RETRY_SECONDS) from error
    except errors.KubernetesError as error:
        raise kopf.TemporaryError(f"the pool is not settled: {error}", delay=_RETRY_SECONDS) from error
