"""Two operators, crashes, lost connections, old caches: never a second owner of a core, never a forgotten pod."""

import asyncio
import contextlib
import functools
import itertools
from collections.abc import Iterable
from typing import Any

import pytest

from kits.api_server import control_plane as control_plane_kit
from kits.api_server import tcp_proxy
from kits.world import running_operator, stand_in
from neuronspan_agent import errors, kube, resources

pytestmark = pytest.mark.integration

WRITES = "neuronspan_ledger_writes_total"


@pytest.fixture
async def nodes(control_plane: control_plane_kit.ControlPlane, cluster: stand_in.StandIn) -> list[str]:
    """Two nodes with registered plugins."""
    names = ["w1", "w2"]
    for name in names:
        cluster.add_node(name)
    cluster.add_pool("trn1")
    async with running_operator.core(control_plane.kubeconfig, running=False) as setup:
        await setup.keeper.settle()
    for name in names:
        cluster.register_plugin(name)
    return names


def owners(cluster: stand_in.StandIn, nodes: Iterable[str]) -> dict[tuple[str, int], list[str]]:
    """Return who has each granted core, by node and index."""
    found: dict[tuple[str, int], list[str]] = {}
    for node in nodes:
        for grant in cluster.ledger(node):
            for core in range(grant["first"], grant["first"] + grant["count"]):
                found.setdefault((node, core), []).append(grant["podUID"])
    return found


def grants_of(cluster: stand_in.StandIn, nodes: Iterable[str], pod: dict[str, Any]) -> list[str]:
    """Return the nodes on which a pod has grants that are not being released."""
    uid = pod["metadata"]["uid"]
    return [
        node
        for node in nodes
        for grant in cluster.ledger(node)
        if grant["podUID"] == uid and grant["state"] != "Releasing"
    ]


async def test_two_operators_racing_never_grant_twice(
    control_plane: control_plane_kit.ControlPlane, cluster: stand_in.StandIn, nodes: list[str]
) -> None:
    """Both lead: no election at all. Conflicts must happen, and must be all that happens."""
    async with (
        running_operator.core(control_plane.kubeconfig) as one,
        running_operator.core(control_plane.kubeconfig) as two,
    ):
        created = [
            await asyncio.to_thread(cluster.submit, f"race-{index}", size)
            for index, size in zip(range(24), itertools.cycle([1, 2, 3]))
        ]
        await running_operator.until(lambda: len(cluster.bound()) == len(created), seconds=60)
        racers = [one, two]

        def done() -> float:
            return sum(racer.count("neuronspan_bindings_total", outcome="done") for racer in racers)

        await running_operator.until(lambda: done() >= len(created), what="both to learn what they did")
        conflicts = sum(racer.count(WRITES, outcome="conflict") for racer in racers)
        refused = sum(racer.count(WRITES, outcome="refused") for racer in racers)
    assert conflicts > 0, "the race was never tight: the test shows nothing"
    assert refused == 0
    assert done() == len(created), "a pod was bound twice"
    assert all(len(pods) == 1 for pods in owners(cluster, nodes).values())
    assert all(len(grants_of(cluster, nodes, pod)) == 1 for pod in created)
    for pod in cluster.bound():
        assert grants_of(cluster, nodes, pod) == [pod["spec"]["nodeName"]]


async def test_two_planners_on_the_same_old_state_cannot_both_write(
    control_plane: control_plane_kit.ControlPlane, cluster: stand_in.StandIn, nodes: list[str]
) -> None:
    """Lock step: both plan on the same resourceVersion, every time."""
    async with (
        running_operator.core(control_plane.kubeconfig, running=False) as one,
        running_operator.core(control_plane.kubeconfig, running=False) as two,
    ):
        for index in range(5):
            cluster.submit(f"step-{index}", 3)
            for racer in (one, two):
                await running_operator.until(functools.partial(_knows, racer, index + 1))
            await asyncio.gather(one.loop.reconcile(), two.loop.reconcile())
            await asyncio.gather(one.loop.reconcile(), two.loop.reconcile())
            version = max((cluster.neuron_node(node)["metadata"]["resourceVersion"] for node in nodes), key=int)
            for racer in (one, two):
                await racer.known._members.cache.reached(version)
        assert one.count(WRITES, outcome="conflict") + two.count(WRITES, outcome="conflict") >= 5
    assert all(len(pods) == 1 for pods in owners(cluster, nodes).values())
    assert all(len(grants_of(cluster, nodes, pod)) == 1 for pod in cluster.pods())


def _knows(core: running_operator.Core, pods: int) -> bool:
    return len(core.known.snapshot().pods) == pods


class Crash(BaseException):
    """The process is gone."""


async def test_restart_completes_what_a_crash_left_between_ledger_and_binding(
    control_plane: control_plane_kit.ControlPlane,
    cluster: stand_in.StandIn,
    nodes: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pod = cluster.submit("web", 4)

    async def crash(*_: object, **__: object) -> None:
        raise Crash

    with monkeypatch.context() as patched:
        patched.setattr(kube.Client, "bind", crash)
        async with running_operator.core(control_plane.kubeconfig, running=False) as first:
            with pytest.raises(BaseExceptionGroup) as end:
                await first.loop.reconcile()
            assert end.group_contains(Crash)
    assert len(grants_of(cluster, nodes, pod)) == 1
    assert cluster.bound() == []
    before = owners(cluster, nodes)
    async with running_operator.core(control_plane.kubeconfig) as second:
        await running_operator.until(cluster.bound)
        assert second.count(WRITES, outcome="written") == 0
    assert owners(cluster, nodes) == before


async def test_restart_takes_back_what_a_crash_left_on_a_node_that_is_cordoned_now(
    control_plane: control_plane_kit.ControlPlane,
    cluster: stand_in.StandIn,
    nodes: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pod = cluster.submit("web", 4)

    async def lost(*_: object, **__: object) -> None:
        raise errors.Unavailable("the process died here")

    with monkeypatch.context() as patched:
        patched.setattr(kube.Client, "bind", lost)
        async with running_operator.core(control_plane.kubeconfig, running=False) as first:
            await first.loop.reconcile()
    (granted,) = grants_of(cluster, nodes, pod)
    cluster.patch_node(granted, {"spec": {"unschedulable": True}})
    async with running_operator.core(control_plane.kubeconfig):
        await running_operator.until(cluster.bound)
    other = next(node for node in nodes if node != granted)
    assert grants_of(cluster, nodes, pod) == [other]
    assert cluster.pod("web")["spec"]["nodeName"] == other
    assert [grant["state"] for grant in cluster.ledger(granted)] == ["Releasing"]


async def test_operator_finds_what_happened_while_its_connections_were_cut(
    control_plane: control_plane_kit.ControlPlane, cluster: stand_in.StandIn, nodes: list[str]
) -> None:
    async with tcp_proxy.TcpProxy(control_plane.url).running() as proxy:
        kubeconfig = control_plane.write_kubeconfig(url=proxy.url)
        async with running_operator.core(kubeconfig, call_seconds=2) as core:
            cluster.submit("first", 4)
            await running_operator.until(lambda: len(cluster.bound()) == 1)
            proxy.freeze()
            cluster.submit("second", 4)
            cluster.delete_pods(["first"])
            proxy.cut()
            proxy.thaw()
            await running_operator.until(
                lambda: len(cluster.bound()) == 1 and cluster.pods()[0]["metadata"]["name"] == "second"
            )
            await running_operator.until(lambda: len(core.known.snapshot().pods) == 1)
            assert core.count("neuronspan_cache_relists_total", resource="pods", reason="gone") == 0
            assert core.count("neuronspan_cache_streams_total", resource="pods", outcome="broken") >= 1


async def test_operator_lists_again_when_its_version_is_too_old(
    control_plane: control_plane_kit.ControlPlane,
    cluster: stand_in.StandIn,
    nodes: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A real 410 from a real API server; the NeuronNode that went meanwhile must not stay as a ghost."""
    async with (
        tcp_proxy.TcpProxy(control_plane.url).running() as proxy,
        running_operator.core(control_plane.write_kubeconfig(url=proxy.url)) as core,
    ):
        touched = cluster.patch_neuron_node("w1", {"metadata": {"labels": {"touched": "yes"}}}).expect()
        await core.known._members.cache.reached(touched["metadata"]["resourceVersion"])  # by a watch, so there is one
        watch = core.client.watch

        def watch_from_long_ago(resource: resources.Resource, *selector: Any, **options: Any) -> Any:
            if resource is resources.NEURON_NODES:
                monkeypatch.undo()
                cluster.client.delete("/apis/neuronspan.dev/v1alpha1/neuronnodes/w2")
                options["resource_version"] = "1"  # before the CRD: as if etcd had been compacted past our version
            return watch(resource, *selector, **options)

        monkeypatch.setattr(core.client, "watch", watch_from_long_ago)
        proxy.cut()
        await running_operator.until(lambda: core.known.member("w2") is None)
        name = str(resources.NEURON_NODES)
        assert core.count("neuronspan_cache_relists_total", resource=name, reason="gone") == 1
        cluster.submit("next", 4)
        await running_operator.until(cluster.bound)


async def test_operator_waits_out_an_api_server_that_hangs(
    control_plane: control_plane_kit.ControlPlane, cluster: stand_in.StandIn, nodes: list[str]
) -> None:
    async with running_operator.core(control_plane.kubeconfig, call_seconds=0.5) as core:
        control_plane.pause()
        try:
            with contextlib.suppress(errors.Unavailable):
                await core.client.get(resources.NODES, "w1")
                pytest.fail("a call to a hanging API server must end")
        finally:
            control_plane.unpause()
        cluster.submit("web", 4)
        await running_operator.until(cluster.bound)
