"""Claims and volumes are written by compare-and-swap, after the ledger, and less and less often."""

import asyncio
import contextlib
import datetime as dt
from collections.abc import AsyncIterator, Callable

import pytest

from kits.embedded import in_memory
from kits.manifests import builders, domain, volumes
from neuronspan_agent import backoff, errors, resources
from neuronspan_operator import metrics, reasons, tasks
from neuronspan_operator.cluster import world
from neuronspan_operator.objects import pods
from neuronspan_operator.planning import plans
from neuronspan_operator.reconciling import executor
from neuronspan_operator.scheduling.volumes import claiming
from neuronspan_operator.telling import refusals

NOW = dt.datetime(2026, 1, 31, 10, 0, tzinfo=dt.UTC)
SELECTED = "volume.kubernetes.io/selected-node"
FORBIDDEN = errors.Forbidden("PATCH /data: 403 no right", status=403)
INVALID = errors.Invalid("PATCH /data: 422 no", status=422)


class Stage:
    """A server with a pod, its claim and a volume, and what carries out plans."""

    def __init__(self) -> None:
        self.server = in_memory.ApiServer()
        self.server.put(resources.PODS, volumes.make_pod("web", ["data"]))
        self.server.put(resources.NODES, builders.make_node())
        self.server.put(resources.NEURON_NODES, builders.make_neuron_node())
        self.server.put(resources.CLAIMS, volumes.make_claim(of_class="fast"))
        self.server.put(resources.VOLUMES, volumes.make_volume())
        self.meters = metrics.Metrics()
        self.refused = refusals.Refusals()
        self.failures = backoff.Backoff(asyncio.get_running_loop().time)
        self.known = world.World(self.server, self.meters)
        self.executor = executor.Executor(
            self.server, self.known, self.failures, self.refused, self.meters, now=lambda: NOW, writers=4
        )

    @property
    def pod(self) -> pods.PodView:
        return self.known.snapshot().pods["uid-web"]

    def selection(self) -> claiming.SelectNode:
        return claiming.SelectNode(self.pod, self.known.snapshot().storage.claims["default/data"], "w1", "now")

    def holding(self) -> claiming.BindVolume:
        stored = self.known.snapshot().storage
        return claiming.BindVolume(self.pod, stored.claims["default/data"], stored.volumes["pv-1"], "w1")

    async def carry_out(self, *writes: claiming.Write, ledger: plans.LedgerWrite | None = None) -> None:
        plan = plans.Plan(ledgers=() if ledger is None else (ledger,), claims=writes)
        await self.executor.carry_out(plan, self.known.snapshot())
        await asyncio.sleep(0.01)

    def selected(self) -> str | None:
        annotations = self.server.stored(resources.CLAIMS, "data", "default")["metadata"].get("annotations", {})
        found: str | None = annotations.get(SELECTED)
        return found

    def count(self, outcome: reasons.Outcome) -> float:
        return self.meters.registry.get_sample_value("neuronspan_claim_writes_total", {"outcome": outcome}) or 0.0

    def waits(self) -> list[str]:
        found = self.refused.waiting(self.known.pod, {"uid-web"})
        return [each.message for each in found.values()]


@contextlib.asynccontextmanager
async def staged() -> AsyncIterator[Stage]:
    stage = Stage()
    async with tasks.Parts(asyncio.Event()) as started:
        started.start("caches", stage.known.run())
        await stage.known.synced()
        yield stage


async def test_selected_node_is_stored() -> None:
    async with staged() as stage:
        await stage.carry_out(stage.selection())
        assert stage.selected() == "w1"
        assert stage.count(reasons.Outcome.WRITTEN) == 1


async def test_volume_is_held_for_its_claim() -> None:
    async with staged() as stage:
        await stage.carry_out(stage.holding())
        found = stage.server.stored(resources.VOLUMES, "pv-1")
        assert found["spec"]["claimRef"]["uid"] == "uid-data"
        assert found["metadata"]["annotations"] == {"pv.kubernetes.io/bound-by-controller": "yes"}


@pytest.mark.parametrize("make", [Stage.selection, Stage.holding], ids=["claim", "volume"])
async def test_newer_object_is_left_as_it_is_without_a_pause(make: Callable[[Stage], claiming.Write]) -> None:
    async with staged() as stage:
        write = make(stage)
        stage.server.put(resources.CLAIMS, volumes.make_claim(of_class="fast", size="2Gi"))
        stage.server.put(resources.VOLUMES, volumes.make_volume(size="2Gi"))
        await stage.carry_out(write)
        assert (stage.selected(), stage.count(reasons.Outcome.CONFLICT)) == (None, 1)
        await stage.carry_out(make(stage))
        assert stage.count(reasons.Outcome.WRITTEN) == 1


async def test_claim_that_is_gone_is_no_failure() -> None:
    async with staged() as stage:
        write = stage.selection()
        stage.server.remove(resources.CLAIMS, "data", "default")
        await stage.carry_out(write)
        assert stage.count(reasons.Outcome.GONE) == 1
        assert stage.failures.next_release() is None


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (FORBIDDEN, reasons.Outcome.REFUSED),
        (INVALID, reasons.Outcome.REFUSED),
        (errors.Unavailable("PATCH /data: 503 later", status=503), reasons.Outcome.FAILED),
    ],
    ids=["forbidden", "invalid", "unavailable"],
)
async def test_write_that_is_refused_twice_is_why_the_pod_waits(
    error: errors.KubernetesError, outcome: reasons.Outcome
) -> None:
    async with staged() as stage:
        stage.server.fail("merge_patch persistentvolumeclaims", error, error)
        await stage.carry_out(stage.selection())
        assert stage.waits() == []
        await asyncio.sleep(2)
        await stage.carry_out(stage.selection())
        assert stage.count(outcome) == 2
        (message,) = stage.waits()
        assert message.startswith("The API server did not take what a claim of this pod needs: ")
        await asyncio.sleep(10)
        await stage.carry_out(stage.selection())
        assert (stage.waits(), stage.selected()) == ([], "w1")


async def test_claim_that_has_to_be_written_again_is_written_less_and_less_often() -> None:
    async with staged() as stage:
        for _ in range(120):  # each second its provisioner fails, and takes the node away
            await stage.carry_out(stage.selection())
            stage.server.put(resources.CLAIMS, volumes.make_claim(of_class="fast"))
            await asyncio.sleep(1)
        assert stage.count(reasons.Outcome.WRITTEN) <= 8


async def test_claims_wait_for_the_ledger_of_their_node() -> None:
    async with staged() as stage:
        view = stage.known.snapshot().neuron_nodes["w1"]
        assert view.ledger is not None
        ledger = plans.LedgerWrite(
            "w1", view.resource_version, view.ledger.add(domain.grant()), ("web is granted 0-3",)
        )
        stage.server.fail("merge_patch neuronnodes", errors.Unavailable("PATCH: 503", status=503))
        await stage.carry_out(stage.selection(), ledger=ledger)
        assert (stage.selected(), stage.count(reasons.Outcome.WRITTEN)) == (None, 0)
        await asyncio.sleep(2)
        await stage.carry_out(stage.selection(), ledger=ledger)
        calls = [call for call in stage.server.calls if call.startswith("merge_patch")]
        assert calls[-2:] == ["merge_patch neuronnodes w1", "merge_patch persistentvolumeclaims data"]
        assert stage.selected() == "w1"
