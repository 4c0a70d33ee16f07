"""What the agent believes of its node, gathered in an order that proves what it says."""

import pathlib
from collections.abc import Collection, Iterable, Mapping
from typing import cast

from kits.embedded import neuron_node_store
from kits.kubelet import node_parts
from kits.manifests import builders, domain
from neuronspan import grants, instance_types, ledger, names
from neuronspan_deviceplugin import observing
from neuronspan_deviceplugin.allocation import resource_manager
from neuronspan_deviceplugin.host import cdi, cgroups, checkpoint
from neuronspan_deviceplugin.kubelet import checkpoint_file, pod_resources
from neuronspan_deviceplugin.neuron_node import own_node, reading, status_writer
from neuronspan_deviceplugin.tree import trees

HARDWARE = instance_types.hardware_of("inf2.24xlarge")
RUNNING = domain.book(12, [domain.grant("4-7", state=grants.GrantState.CONFIRMED)])
OVER = domain.book(12, [domain.grant("4-7", state=grants.GrantState.RELEASING)])


class _Processes(cgroups.PodProcesses):
    """No process of any pod; the operator writes the ledger while we look."""

    def __init__(self, manager: resource_manager.ResourceManager, meanwhile: ledger.Ledger) -> None:
        super().__init__(pathlib.Path("/nowhere"))
        self._manager, self._meanwhile = manager, meanwhile

    def visible(self) -> bool:
        return True

    def look(self, pod_uids: Collection[str]) -> dict[str, bool | None]:
        self._manager.learn_ledger(self._meanwhile)
        return dict.fromkeys({*pod_uids, "uid-web"}, False)


def _observer(directory: pathlib.Path, before: ledger.Ledger, meanwhile: ledger.Ledger) -> observing.NodeObserver:
    manager = node_parts.manager(HARDWARE)
    manager.learn_ledger(before)
    return observing.NodeObserver(
        manager,
        own=cast("own_node.OwnNode", None),  # neither the API server
        pods=cast("pod_resources.PodResources", None),  # nor kubelet is asked here
        kubelet=checkpoint_file.KubeletCheckpoint(directory),
        processes=_Processes(manager, meanwhile),
        record=checkpoint.RecordFile(directory / "record.json"),
        hardware=node_parts.MadeHardware(HARDWARE),
        catalogue=cdi.NoCatalogue(node_parts.named(HARDWARE)),
        nodes=node_parts.nodes(HARDWARE.devices),
    )


async def _released(observer: observing.NodeObserver) -> Collection[str]:
    alive: Mapping[str, bool | None] = await observer.refresh_record()
    return status_writer.released(observer.book, alive)


async def test_pod_that_was_over_before_the_look_is_released(tmp_path: pathlib.Path) -> None:
    assert await _released(_observer(tmp_path, OVER, OVER)) == ["uid-web"]


async def test_pod_that_ended_during_the_look_is_not_released_by_it(tmp_path: pathlib.Path) -> None:
    """It may have started a process after we looked at its control group and before it was over."""
    assert await _released(_observer(tmp_path, RUNNING, OVER)) == []


def _node(entries: Iterable[grants.Grant], instance_type: str) -> reading.NeuronNode:
    manifest = neuron_node_store.neuron_node(entries, instance_type=instance_type)
    manifest["spec"]["faults"] = [{"first": 3, "count": 1, "kind": "hw_hbm_ue_error"}]
    return reading.read(manifest)


async def test_device_nodes_that_are_others_now_are_given_from_now_on(tmp_path: pathlib.Path) -> None:
    observer = _observer(tmp_path, RUNNING, RUNNING)
    before = {0: trees.DeviceNode("/dev/neuron0", 245, 0)}  # of the driver that was loaded then
    observer._catalogue.renew(before)
    observer._nodes = before
    await observer.refresh_health()
    edits = observer._manager.allocate(names.DEVICE_RESOURCE, ["0"])
    assert [each.host_path for each in edits.mounts if each.device] == ["/dev/null"]
    assert edits.devices == ()
    assert observer._nodes == node_parts.nodes(HARDWARE.devices)


class _Unwritable:
    def look(self, broken: object) -> trees.Seen:  # noqa: ARG002
        raise OSError(28, "No space left on device")


async def test_tree_that_cannot_be_written_is_a_problem_and_no_end(tmp_path: pathlib.Path) -> None:
    observer = _observer(tmp_path, RUNNING, RUNNING)
    observer._manager.learn_health({3: "SramEcc"})
    observer._hardware = _Unwritable()
    await observer.refresh_health()
    assert "No space left on device" in observer.hardware_problems[0]
    assert observer._manager.unhealthy == {3: "SramEcc"}


async def test_ledger_of_other_hardware_that_does_not_fit_is_not_taken_over_but_its_faults_are(
    tmp_path: pathlib.Path,
) -> None:
    observer = _observer(tmp_path, RUNNING, RUNNING)
    observer.learn(_node([domain.grant("20-23")], builders.LARGE))
    assert observer._manager.book == RUNNING
    await observer.refresh_health()
    assert observer._manager.unhealthy == {3: "HbmUncorrectable"}


def test_ledger_of_other_hardware_that_fits_is_taken_over_with_the_cores_that_are_served(
    tmp_path: pathlib.Path,
) -> None:
    observer = _observer(tmp_path, RUNNING, RUNNING)
    observer.learn(_node([domain.grant("8-11")], builders.LARGE))
    assert observer._manager.book == domain.book(12, [domain.grant("8-11")])
