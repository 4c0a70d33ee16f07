"""Hardware that the plugin waits for, or that changes: nothing else is served under a container that has cores."""

import json
import shutil

from kits.embedded import neuron_node_store
from kits.kubelet import plugin_rig
from kits.manifests import builders, domain
from neuronspan import instance_types, names
from neuronspan_embedded.kubelet import kubelet as model_kubelet

EVERYTHING = {names.CORE_RESOURCE: 32, names.DEVICE_RESOURCE: 16}
SMALL = instance_types.hardware_of(builders.SMALL)


def _allocatable(kubelet: model_kubelet.Kubelet) -> dict[str, int]:
    return {resource: kubelet.allocatable(resource) for resource in names.RESOURCES}


async def test_plugin_waits_for_hardware_and_says_so() -> None:
    async with plugin_rig.running(start=False) as rig:
        rig.store.edit(hardware=None)
        await rig.start_agent(registered=False)
        await rig.store.until(lambda: rig.store.condition("HardwareAccepted").get("reason") == "Missing")
        assert _allocatable(rig.kubelet) == dict.fromkeys(names.RESOURCES, 0)
        rig.store.edit(hardware=instance_types.hardware_of(builders.LARGE).to_dict())
        await rig.registered()

        await rig.store.until(lambda: (rig.store.status.get("hardware") or {}).get("instanceType") == builders.LARGE)
        assert rig.store.condition("HardwareAccepted")["status"] == "True"


async def test_node_without_an_object_waits_for_it() -> None:
    async with plugin_rig.running(start=False) as rig:
        rig.store.remove()
        await rig.start_agent(registered=False)
        rig.store.put(neuron_node_store.neuron_node())
        await rig.registered()

        assert _allocatable(rig.kubelet) == EVERYTHING


async def test_other_hardware_is_refused_while_cores_are_granted_and_taken_when_they_are_not() -> None:
    async with plugin_rig.running(domain.grant("4-7")) as rig:
        await rig.kubelet.run(builders.make_pod(cores=4, node="w1"))
        rig.store.edit(hardware=SMALL.to_dict(), cores=SMALL.cores)
        await rig.store.until(lambda: rig.store.condition("HardwareAccepted")["reason"] == "ChangeRefused")
        assert _allocatable(rig.kubelet) == EVERYTHING
        rig.kubelet.delete("uid-web")
        rig.store.edit(grants=[])
        await rig.kubelet.until(lambda: rig.kubelet.allocatable(names.CORE_RESOURCE) == SMALL.cores)

        await rig.store.until(lambda: rig.store.condition("HardwareAccepted")["status"] == "True")
        assert json.loads((rig.settings.run_directory / names.HARDWARE_FILE).read_text()) == SMALL.to_dict()


async def _replaced_while_the_plugin_is_away(rig: plugin_rig.Rig) -> list[int]:
    """Let the pool name smaller hardware between two plugins; gives the numbers of cores that kubelet was told."""
    rig.store.edit(hardware=SMALL.to_dict(), cores=SMALL.cores)
    told: list[int] = []
    listed = rig.kubelet.manager.listed

    def noted(resource: str, devices: dict[str, bool]) -> None:
        told.extend([len(devices)] if resource == names.CORE_RESOURCE else [])
        listed(resource, devices)

    rig.kubelet.manager.listed = noted  # type: ignore[assignment, method-assign]
    await rig.start_agent()
    return told


async def test_hardware_that_changed_while_the_plugin_was_away_is_not_served_under_a_running_pod() -> None:
    async with plugin_rig.running(domain.grant("4-7")) as rig:
        await rig.kubelet.run(builders.make_pod(cores=4, node="w1"))
        await rig.store.until(rig.held)
        await rig.crash_agent()
        rig.store.edit(grants=[])  # as if the ledger knew nothing: processes and kubelet's record speak for the pod
        told = await _replaced_while_the_plugin_is_away(rig)
        await rig.store.until(lambda: rig.store.condition("HardwareAccepted")["reason"] == "ChangeRefused")
        assert (told, _allocatable(rig.kubelet)) == ([32], EVERYTHING)
        assert (
            json.loads((rig.settings.run_directory / names.HARDWARE_FILE).read_text())["instanceType"] == builders.LARGE
        )
        rig.kubelet.delete("uid-web")
        await rig.kubelet.until(lambda: rig.kubelet.allocatable(names.CORE_RESOURCE) == SMALL.cores)

        await rig.store.until(lambda: rig.store.condition("HardwareAccepted")["status"] == "True")


async def test_hardware_that_changed_over_a_reboot_is_not_served_under_a_grant() -> None:
    """The node's directory is on memory: what was served is in the status then."""
    async with plugin_rig.running(domain.grant("4-7")) as rig:
        await rig.store.until(lambda: (rig.store.status.get("hardware") or {}).get("instanceType") == builders.LARGE)
        await rig.crash_agent()
        shutil.rmtree(rig.settings.run_directory)
        told = await _replaced_while_the_plugin_is_away(rig)

        assert (told, _allocatable(rig.kubelet)) == ([32], EVERYTHING)


async def test_hardware_that_changed_while_the_plugin_was_away_is_served_at_once_on_a_free_node() -> None:
    async with plugin_rig.running() as rig:
        await rig.crash_agent()

        assert await _replaced_while_the_plugin_is_away(rig) == [SMALL.cores]
