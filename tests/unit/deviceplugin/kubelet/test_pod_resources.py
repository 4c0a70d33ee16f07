"""The discipline of PodResources calls, against the model kubelet's server."""

import asyncio
import pathlib
import shutil
import tempfile
from collections.abc import AsyncIterator

import grpc
import pytest

from kits.manifests import builders
from neuronspan_deviceplugin import errors
from neuronspan_deviceplugin.kubelet import pod_resources
from neuronspan_embedded.kubelet import kubelet as model_kubelet


@pytest.fixture
async def kubelet() -> AsyncIterator[model_kubelet.Kubelet]:
    root = pathlib.Path(tempfile.mkdtemp(prefix="ns-"))
    async with model_kubelet.running(root) as running:
        yield running
    shutil.rmtree(root)


@pytest.fixture
async def client(kubelet: model_kubelet.Kubelet) -> AsyncIterator[pod_resources.PodResources]:
    now = iter(range(0, 1000, 10))  # each look at the clock is ten seconds later
    made = pod_resources.PodResources(kubelet.pod_resources_socket, lambda: next(now))
    yield made
    await made.close()


async def test_pods_are_listed_with_containers_in_order(
    kubelet: model_kubelet.Kubelet, client: pod_resources.PodResources
) -> None:
    init = [builders.container("init"), builders.container("side", sidecar=True)]
    await kubelet.admit(builders.make_pod(init_containers=init, node="w1"))
    (pod,) = await client.list_for_steering()
    assert (pod.namespace, pod.name) == ("default", "web")
    assert [each.name for each in pod.containers] == ["side", "app"]


async def test_list_is_refused_during_and_right_after_an_allocation(
    kubelet: model_kubelet.Kubelet, client: pod_resources.PodResources
) -> None:
    async with client.allocation():
        assert await client.list_when_quiet() is None
    since = client._quiet_since
    client._clock = lambda: since + pod_resources.QUIET_SECONDS / 2
    assert await client.list_when_quiet() is None
    client._clock = lambda: since + pod_resources.QUIET_SECONDS
    assert await client.list_when_quiet() == ()
    assert kubelet.resources.lists == 1


async def test_list_is_refused_right_after_kubelet_got_a_preference(
    kubelet: model_kubelet.Kubelet, client: pod_resources.PodResources
) -> None:
    """kubelet reserves the cores then and calls Allocate next: a List in between would make it forget them."""
    now = 500.0
    client._clock = lambda: now
    assert await client.list_when_quiet() == ()
    client.steered()
    assert await client.list_when_quiet() is None
    now += pod_resources.QUIET_SECONDS
    assert await client.list_when_quiet() == ()
    assert kubelet.resources.lists == 2


async def test_allocation_waits_for_a_list_under_way(client: pod_resources.PodResources) -> None:
    await client._listing.acquire()
    answered = asyncio.Event()

    async def allocate() -> None:
        async with client.allocation():
            answered.set()

    task = asyncio.create_task(allocate())
    await asyncio.wait({task}, timeout=0.01)
    assert not answered.is_set()
    client._listing.release()
    await task
    assert answered.is_set()


async def test_unknown_pod_and_silent_kubelet_are_told_apart(
    kubelet: model_kubelet.Kubelet, client: pod_resources.PodResources
) -> None:
    with pytest.raises(errors.PodUnknown):
        await client.get("default", "nobody")
    kubelet.resources.failing = grpc.StatusCode.UNIMPLEMENTED
    with pytest.raises(errors.PodResourcesError, match="UNIMPLEMENTED") as refusal:
        await client.get("default", "nobody")
    assert not isinstance(refusal.value, errors.PodUnknown)
    with pytest.raises(errors.PodResourcesError):
        await client.list_for_steering()


async def test_list_is_tried_again_when_kubelets_rate_limit_says_no(
    kubelet: model_kubelet.Kubelet, client: pod_resources.PodResources
) -> None:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        kubelet.resources.failing = grpc.StatusCode.RESOURCE_EXHAUSTED if len(pauses) < 3 else None

    client._sleep = sleep
    kubelet.resources.failing = grpc.StatusCode.RESOURCE_EXHAUSTED
    assert await client.list_for_steering() == ()
    assert len(pauses) == 3
