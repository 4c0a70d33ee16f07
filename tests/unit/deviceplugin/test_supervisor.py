"""When the hardware may change, and what the agent says when it stops."""

import asyncio
import pathlib
from collections.abc import Iterable
from typing import cast

import pytest

from kits.embedded import in_memory, neuron_node_store
from kits.kubelet import node_parts
from kits.manifests import builders, domain
from neuronspan import grants, instance_types, names
from neuronspan_agent import errors, resources
from neuronspan_deviceplugin import config, observing, outside, serving, supervisor
from neuronspan_deviceplugin.allocation import holdings
from neuronspan_deviceplugin.host import node_directory
from neuronspan_deviceplugin.neuron_node import reading

HELD = holdings.Holding(names.CORE_RESOURCE, domain.span("4-7"), 0.0, "uid-web")


def _agent(store: neuron_node_store.NeuronNodeStore) -> supervisor.Supervisor:
    settings = config.Settings(node_name="w1", probe_port=0, checkpoint=pathlib.Path("/nowhere/checkpoint.json"))
    return supervisor.Supervisor(settings, store, outside.Outside(new_token=lambda: "mine"))


def _serving(record: holdings.Holdings) -> serving.Serving:
    """Make a profile that is served, as far as idleness is concerned: its manager and the record of holders."""
    hardware = instance_types.hardware_of(builders.LARGE)
    manager = node_parts.manager(hardware, lambda uids: dict.fromkeys(uids, True))
    manager.restore(record)
    observer = cast("observing.NodeObserver", None)
    profile = reading.HardwareProfile(hardware, names.NODE_NUMBERING)
    return serving.Serving(profile, manager, observer, (), 1.0, set_aside="", user_namespaces=True)


IDLE = {
    "nothing is granted or held": ([], (), True),
    "a grant is left": ([domain.grant("4-7")], (), False),
    "a grant is being released": ([domain.grant("4-7", state=grants.GrantState.RELEASING)], (), False),
    "a pod that the ledger forgot holds cores": ([], (HELD,), False),
}


@pytest.mark.parametrize(("entries", "record", "idle"), IDLE.values(), ids=IDLE.keys())
def test_hardware_may_change_only_when_nothing_is_granted_or_held(
    entries: Iterable[grants.Grant], record: holdings.Holdings, idle: bool
) -> None:
    manifest = neuron_node_store.neuron_node(entries)
    agent = _agent(neuron_node_store.NeuronNodeStore(manifest))
    agent._seen(reading.read(manifest))
    assert agent._is_idle(_serving(record)) is idle


def test_hardware_may_not_change_while_the_ledger_cannot_be_read() -> None:
    manifest = neuron_node_store.neuron_node()
    manifest["metadata"]["resourceVersion"] = "1"
    manifest["spec"]["grants"] = [domain.grant("4-7").to_dict() | {"count": 0}]
    agent = _agent(neuron_node_store.NeuronNodeStore())
    agent._seen(reading.read(manifest))
    assert not agent._is_idle(_serving(()))


async def _stored(store: neuron_node_store.NeuronNodeStore) -> reading.NeuronNode:
    return reading.read(await store.get(resources.NEURON_NODES, "w1"))


async def _stopped_after(store: neuron_node_store.NeuronNodeStore, epoch: str) -> neuron_node_store.Manifest:
    """Let an agent report, another epoch be written or not, and the agent stop; gives the condition it leaves."""
    agent = _agent(store)
    agent._seen(await _stored(store))
    await agent._report_once()
    if epoch:
        store.write_status({"epoch": epoch, "conditions": []})
    agent._seen(await _stored(store))
    await agent._say_goodbye()
    return store.condition("Registered")


async def test_agent_that_stops_says_so() -> None:
    store = neuron_node_store.NeuronNodeStore(neuron_node_store.neuron_node())
    assert (await _stopped_after(store, ""))["reason"] == "Stopped"


async def test_agent_that_stops_beside_its_successor_says_nothing() -> None:
    store = neuron_node_store.NeuronNodeStore(neuron_node_store.neuron_node())
    assert await _stopped_after(store, "the successor's") == {}
    assert store.status["epoch"] == "the successor's"


async def test_hardware_of_before_is_served_only_after_the_api_server_was_out_of_reach_for_long(
    tmp_path: pathlib.Path,
) -> None:
    """A node without a NeuronNode, where the watch breaks after an hour, must not offer what it had once."""
    node_directory.NodeDirectory(tmp_path).write(instance_types.hardware_of(builders.LARGE))
    server = in_memory.ApiServer()
    clock = asyncio.get_running_loop().time
    settings = config.Settings(node_name="w1", run_directory=tmp_path, checkpoint=tmp_path / "checkpoint.json")
    agent = supervisor.Supervisor(settings, server, outside.Outside(clock=clock))
    async with asyncio.TaskGroup() as group:
        following = group.create_task(agent._own.run())
        profile = group.create_task(agent._profile())
        for _ in range(60):
            await asyncio.sleep(60)  # virtual
            server.bookmark(resources.NEURON_NODES)
        await asyncio.sleep(1)
        server.fail("list neuronnodes", *[errors.Unavailable("down")] * 1000)
        server.end_streams(errors.Unavailable("connection reset"))
        broken = clock()
        found = await profile
        assert 9 <= clock() - broken < 12  # looked at once a second
        assert found.hardware == instance_types.hardware_of(builders.LARGE)
        following.cancel()
