"""A fault, whenever it happens between two looks, is in what kubelet hears within two seconds, and so is its end.

On virtual time: what is measured is how long the plugin waits, with the settings that it has when nobody sets any.
"""

import asyncio
import concurrent.futures
import pathlib
from collections.abc import AsyncGenerator, Callable, Iterable
from typing import Any, cast

import pytest

from kits.kubelet import node_parts
from kits.manifests import domain
from neuronspan import instance_types, names
from neuronspan_deviceplugin import config, metrics, observing
from neuronspan_deviceplugin.api import deviceplugin_pb2 as api
from neuronspan_deviceplugin.host import cdi, cgroups, checkpoint
from neuronspan_deviceplugin.kubelet import checkpoint_file, pod_resources
from neuronspan_deviceplugin.kubelet.device_plugin import servicer, services
from neuronspan_deviceplugin.neuron_node import own_node
from neuronspan_deviceplugin.tree import faults, generating, trees

HARDWARE = instance_types.hardware_of("trn2.3xlarge")  # one device with four cores, which lists its components
MOST_SECONDS = 2.0
MOMENTS = (0.0, 0.001, 0.25, 0.5, 0.75, 0.999)
"""Parts of the time between two looks."""


class Machine:
    """A node's tree, into which faults come and go."""

    def __init__(self) -> None:
        self.broken: tuple[generating.Fault, ...] = ()
        self.looks = 0
        self._made = node_parts.MadeHardware(HARDWARE)
        self._seen: dict[tuple[generating.Fault, ...], trees.Seen] = {}

    def look(self, _: Iterable[generating.Fault]) -> trees.Seen:
        """Return the tree as it is."""
        self.looks += 1
        if self.broken not in self._seen:
            self._seen[self.broken] = self._made.look(self.broken)
        return self._seen[self.broken]


class _AtOnce(concurrent.futures.ThreadPoolExecutor):
    """Does the work of threads in no time: on virtual time a thread would be late by as much as the clock jumps."""

    def submit(self, work: Callable[..., Any], /, *given: Any, **named: Any) -> concurrent.futures.Future[Any]:
        done: concurrent.futures.Future[Any] = concurrent.futures.Future()
        done.set_result(work(*given, **named))
        return done


def _observed(machine: Machine, folder: pathlib.Path) -> tuple[observing.NodeObserver, servicer.DevicePlugin]:
    meters = metrics.Metrics()
    manager = node_parts.manager(HARDWARE, meters=meters)
    observer = observing.NodeObserver(
        manager,
        own=cast("own_node.OwnNode", None),  # neither the API server
        pods=cast("pod_resources.PodResources", None),  # nor kubelet is asked here
        kubelet=checkpoint_file.KubeletCheckpoint(folder),
        processes=cgroups.PodProcesses(folder),
        record=checkpoint.RecordFile(folder / "record.json"),
        hardware=machine,
        catalogue=cdi.NoCatalogue(node_parts.named(HARDWARE)),
        nodes=node_parts.nodes(HARDWARE.devices),
    )
    poll = config.Settings(node_name="w1").poll_seconds
    pods = cast("pod_resources.PodResources", None)
    shared = services.Services(manager, pods, observer, meters, lambda: 0.0, poll, start_wait_seconds=1.0)
    return observer, servicer.DevicePlugin(names.CORE_RESOURCE, shared)


async def _next_unhealthy(answers: AsyncGenerator[api.ListAndWatchResponse, None]) -> set[int]:
    answer = await anext(answers)
    return {int(each.ID) for each in answer.devices if each.health == "Unhealthy"}


def _struck(kind: faults.FaultKind) -> set[int]:
    return {1} if kind in faults.CORE_COUNTERS else set(range(HARDWARE.cores))


@pytest.mark.parametrize("kind", faults.FaultKind)
async def test_kubelet_hears_of_a_fault_and_of_its_end_in_time_whenever_they_happen(
    kind: faults.FaultKind, tmp_path: pathlib.Path
) -> None:
    loop = asyncio.get_running_loop()
    loop.set_default_executor(_AtOnce())
    machine = Machine()
    observer, plugin = _observed(machine, tmp_path)
    poll = config.Settings(node_name="w1").poll_seconds
    answers = plugin.ListAndWatch(api.Empty(), cast("Any", None))
    assert await _next_unhealthy(answers) == set()
    watching = asyncio.create_task(observer.watch_hardware(poll))
    fault = generating.Fault(domain.span("1"), kind)
    for moment in MOMENTS:
        for broken, wanted in ((fault,), _struck(kind)), ((), set()):
            await asyncio.sleep(poll * moment)
            machine.broken, begun, looks = broken, loop.time(), machine.looks
            assert await _next_unhealthy(answers) == wanted
            assert loop.time() - begun <= MOST_SECONDS
            assert machine.looks == looks + 1, "the look that comes next tells it"
    watching.cancel()
