"""The Secret and the configurations, kept by replicas that know nothing of each other, over months of virtual time."""

import asyncio
import base64
import contextlib
import datetime as dt
import logging
import ssl
from collections.abc import AsyncIterator

import pytest

from kits.embedded import in_memory
from neuronspan_agent import errors, resources
from neuronspan_operator.webhook import handshakes, identities, issuing, keeping, rotation

BEGIN = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
NAMES = rotation.host_names("neuronspan-webhook", "neuronspan")
SECRET = "neuronspan-webhook-certificate"
CONFIGURATIONS = (resources.MUTATING_WEBHOOKS, resources.VALIDATING_WEBHOOKS)
CREATE = "create secrets"


class Served(handshakes.ServedIdentity):
    """Remembers how often it was told what to serve."""

    def __init__(self) -> None:
        super().__init__()
        self.times = 0

    def serve(self, made: ssl.SSLContext) -> None:
        self.times += 1
        super().serve(made)


class Cluster:
    """An API server with the configurations of the chart, and the Secret that it brings."""

    def __init__(self) -> None:
        self.kube = in_memory.ApiServer()
        for resource in CONFIGURATIONS:
            webhooks = [{"name": name, "clientConfig": {"service": {"name": "x"}}} for name in ("a.b.c", "d.b.c")]
            manifest = {"metadata": {"name": "neuronspan-webhook"}, "webhooks": webhooks}
            self.kube.put(resource, manifest)
        self.kube.put(resources.NAMESPACES, {"metadata": {"name": "neuronspan"}})
        self.kube.put(resources.SECRETS, {"metadata": {"name": SECRET, "namespace": "neuronspan"}})
        self._started = asyncio.get_running_loop().time()

    def now(self) -> dt.datetime:
        return BEGIN + dt.timedelta(seconds=asyncio.get_running_loop().time() - self._started)

    def keeper(self, served: handshakes.ServedIdentity | None = None) -> keeping.Keeper:
        return keeping.Keeper(
            self.kube,
            served or handshakes.ServedIdentity(),
            namespace="neuronspan",
            secret=SECRET,
            configuration="neuronspan-webhook",
            names=NAMES,
            now=self.now,
        )

    def book(self) -> identities.Book:
        data = self.kube.stored(resources.SECRETS, SECRET, "neuronspan").get("data", {})
        return identities.from_secret(data, issuing.read, issuing.is_certificate)

    def bundles(self) -> set[str]:
        found = [each for resource in CONFIGURATIONS for each in self.kube.all(resource)[0]["webhooks"]]
        return {base64.b64decode(each["clientConfig"].get("caBundle", "")).decode() for each in found}

    def writes(self) -> int:
        return sum(not each.startswith("get ") for each in self.kube.calls)


@contextlib.asynccontextmanager
async def running(*keepers: keeping.Keeper) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(each.run()) for each in keepers]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def test_round_makes_a_certificate_that_every_webhook_trusts_before_it_is_served() -> None:
    cluster, served = Cluster(), Served()
    await cluster.keeper(served).round()
    book = cluster.book()
    assert book.current is not None
    assert cluster.bundles() == {book.current.authority}
    assert served.times == 1
    configurations = [each for each in cluster.kube.calls if "webhookconfigurations" in each]
    assert configurations[-1].startswith("strategic_patch")
    services = [each["webhooks"][0]["clientConfig"]["service"] for each in cluster.kube.all(CONFIGURATIONS[0])]
    assert services == [{"name": "x"}]


async def test_nothing_is_served_while_api_servers_cannot_be_told() -> None:
    cluster, served = Cluster(), Served()
    cluster.kube.remove(CONFIGURATIONS[1], "neuronspan-webhook")
    with pytest.raises(errors.NotFound):
        await cluster.keeper(served).round()
    assert served.times == 0


async def test_second_round_writes_nothing() -> None:
    cluster = Cluster()
    keeper, other = cluster.keeper(), cluster.keeper()
    await keeper.round()
    written = cluster.writes()
    for each in (keeper, other, keeper):
        await each.round()
    assert cluster.writes() == written


async def test_replica_that_loses_the_race_takes_the_identity_of_the_other() -> None:
    cluster = Cluster()
    cluster.kube.remove(resources.SECRETS, SECRET, "neuronspan")
    winner = cluster.keeper()
    theirs = issuing.issue("x", NAMES, cluster.now())

    def overtake() -> None:
        data = identities.to_secret(identities.Book(theirs))
        cluster.kube.put(resources.SECRETS, {"metadata": {"name": SECRET, "namespace": "neuronspan"}, "data": data})

    cluster.kube.fail(CREATE, overtake)
    await winner.round()
    assert cluster.book() == identities.Book(theirs)
    assert cluster.bundles() == {theirs.authority}


async def test_replicas_agree_and_rotate_without_a_gap_for_months(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "ROUND_SECONDS", 24 * 3600.0)  # 10 s would be two million rounds
    cluster = Cluster()
    first, second = Served(), Served()
    seen: list[identities.Identity] = []
    async with running(cluster.keeper(first), cluster.keeper(second)):
        for _ in range(130):
            before = cluster.bundles()
            await asyncio.sleep(24 * 3600)
            (trusted,) = cluster.bundles()
            current = cluster.book().current
            assert current is not None
            assert current.serves(NAMES, cluster.now())
            assert current.authority in trusted
            if current not in seen:
                seen.append(current)
                assert len(seen) == 1 or all(current.authority in each for each in before)  # heard of in time
    assert len(seen) == 3  # 60 of 90 days each
    assert (first.times, second.times) == (3, 3)


@pytest.mark.parametrize("spoilt", [{}, {"tls.key": "eA=="}, {"tls.crt": "%", "ca.crt": "", "next.crt": "x"}])
async def test_secret_that_was_spoilt_is_restored_and_nobody_notices(spoilt: dict[str, str]) -> None:
    cluster, served = Cluster(), Served()
    keeper = cluster.keeper(served)
    await keeper.round()
    before, trusted = cluster.book(), cluster.bundles()
    manifest = {"metadata": {"name": SECRET, "namespace": "neuronspan", "labels": {"a": "b"}}, "data": spoilt}
    cluster.kube.put(resources.SECRETS, manifest)
    await keeper.round()
    assert cluster.book() == before
    assert cluster.bundles() == trusted
    assert cluster.kube.stored(resources.SECRETS, SECRET, "neuronspan")["metadata"]["labels"] == {"a": "b"}
    assert served.times == 1


async def test_deleted_secret_is_restored_and_nobody_notices() -> None:
    cluster = Cluster()
    keeper = cluster.keeper()
    await keeper.round()
    before = cluster.book()
    cluster.kube.remove(resources.SECRETS, SECRET, "neuronspan")
    await keeper.round()
    assert cluster.book() == before


async def test_bundle_that_was_spoilt_is_written_again() -> None:
    cluster = Cluster()
    keeper = cluster.keeper()
    await keeper.round()
    trusted = cluster.bundles()
    manifest = cluster.kube.all(CONFIGURATIONS[0])[0]
    manifest["webhooks"][1]["clientConfig"]["caBundle"] = "eA=="
    cluster.kube.put(CONFIGURATIONS[0], manifest)
    await keeper.round()
    assert cluster.bundles() == trusted


async def test_failure_is_told_once_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    cluster = Cluster()
    keeper = cluster.keeper()
    refused = errors.Forbidden("GET secrets: 403 no", status=403)
    path = f"get secrets {SECRET}"
    cluster.kube.fail(path, *[refused] * 5)
    with caplog.at_level(logging.WARNING):
        async with running(keeper):
            await asyncio.sleep(3.5)
            assert "403 no" in keeper.problem
            await asyncio.sleep(30)
    assert keeper.problem == ""
    assert [each.getMessage() for each in caplog.records] == ["the certificate was not kept"]


async def test_secret_that_others_keep_changing_is_left_for_the_next_round() -> None:
    cluster = Cluster()
    cluster.kube.fail(f"replace secrets {SECRET}", *[errors.Conflict("x", status=409)] * 5)
    with pytest.raises(errors.Conflict, match="changed 5 times"):
        await cluster.keeper().round()
