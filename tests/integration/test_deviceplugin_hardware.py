"""The agent on real devices' files and on simulated ones: what it finds, serves, gives to pods and calls unhealthy.

The kernel's tree is a written one here, with links to devices of every machine in place of /dev/neuron<N>.
"""

import contextlib
import json
import pathlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from kits.embedded import neuron_node_store
from kits.kubelet import plugin_rig
from kits.manifests import builders, domain
from neuronspan import instance_types, names
from neuronspan_deviceplugin.host import simulated_tree
from neuronspan_deviceplugin.tree import drivers, faults, generating, layout
from neuronspan_operator.objects import neuron_nodes

HARDWARE = instance_types.hardware_of("inf2.24xlarge")  # 12 cores on 6 devices


class Machine:
    """What a machine with real devices shows."""

    def __init__(self, folder: pathlib.Path) -> None:
        self._tree = simulated_tree.written(
            folder, lambda: generating.files(HARDWARE, drivers.OLDER), generating.links(HARDWARE), alone=True
        )
        self.root = self._tree.root
        self.drive("/dev/zero")

    @property
    def settings(self) -> dict[str, Any]:
        """Where the plugin finds it."""
        roots = self._tree.roots
        return {
            "sysfs_root": roots.sysfs,
            "dev_root": roots.dev,
            "dmi_root": roots.dmi,
            "logical_cores_file": roots.logical_cores,
        }

    def drive(self, device: str) -> None:
        """Load a driver: all device nodes have other numbers then."""
        for index in range(HARDWARE.devices):
            node = self.root / layout.DEVICE_NODES / f"neuron{index}"
            node.unlink()
            node.symlink_to(device)

    def write(self, path: str, text: str) -> None:
        """Let the kernel show something else."""
        (self.root / path).chmod(0o644)
        (self.root / path).write_text(text)


def _asking(label: str = "") -> dict[str, Any]:
    """Make the NeuronNode of a node that is asked what it has."""
    manifest = neuron_node_store.neuron_node()
    manifest["spec"] = {"detect": {"instanceType": label}, "coreNumbering": names.CONTAINER_NUMBERING, "grants": []}
    return manifest


@contextlib.asynccontextmanager
async def _asked(machine: Machine, label: str = "", **settings: Any) -> AsyncIterator[plugin_rig.Rig]:
    async with plugin_rig.running(start=False, **machine.settings, **settings) as rig:
        rig.store.put(_asking(label))
        await rig.start_agent(registered=False)
        yield rig


async def _take_over(rig: plugin_rig.Rig) -> None:
    """Do what the operator does with what was found."""
    await rig.store.until(lambda: rig.store.status.get("detected"))
    found = instance_types.Hardware.from_dict(rig.store.status["detected"])
    rig.store.edit(**neuron_nodes.profile_spec(found))
    await rig.registered()


def _nodes(rig: plugin_rig.Rig) -> dict[str, tuple[int, int]]:
    """Return the device nodes that CDI gives to containers, with their numbers."""
    document = json.loads((rig.kubelet.cdi / "neuronspan.dev-device.json").read_text())
    found = (node for each in document["devices"] for node in each["containerEdits"]["deviceNodes"])
    return {each["path"]: (each["major"], each["minor"]) for each in found}


def _unhealthy(rig: plugin_rig.Rig) -> dict[int, str]:
    cores = rig.store.status.get("cores") or ()
    return {each["index"]: each["reason"] for each in cores if not each["healthy"]}


async def test_what_a_node_has_is_told_and_served_when_the_operator_takes_it_over(
    tmp_path: pathlib.Path,
) -> None:
    async with _asked(Machine(tmp_path)) as rig:
        await rig.store.until(lambda: rig.store.status.get("detected"))
        assert rig.store.status["detected"] == HARDWARE.to_dict()
        assert "hardware" not in rig.store.status
        accepted = rig.store.condition("HardwareAccepted")
        assert (accepted["status"], accepted["reason"]) == ("False", "NotDetected")
        assert "waiting for the operator" in accepted["message"]

        await _take_over(rig)
        await rig.store.until(lambda: rig.store.status.get("hardware") == HARDWARE.to_dict())
        assert rig.store.condition("HardwareAccepted")["status"] == "True"
        assert rig.kubelet.allocatable(names.CORE_RESOURCE) == 12


async def test_pod_gets_the_kernels_devices_and_no_files_in_their_place(tmp_path: pathlib.Path) -> None:
    async with _asked(Machine(tmp_path)) as rig:
        await _take_over(rig)
        rig.grant(domain.grant("4-7"))
        await rig.seen()
        await rig.kubelet.run(builders.make_pod(cores=4, node="w1"))

        created = rig.kubelet.created("uid-web", "app")
        assert created.devices == {"/dev/neuron0", "/dev/neuron1"}
        assert created.environment[names.VISIBLE_CORES_ENV] == "0-3"
        assert created.layers == {}
        assert set(_nodes(rig).values()) == {(1, 5)}


async def test_driver_that_was_loaded_anew_gives_devices_of_other_numbers(tmp_path: pathlib.Path) -> None:
    machine = Machine(tmp_path)
    async with _asked(machine) as rig:
        await _take_over(rig)
        machine.drive("/dev/full")
        while set(_nodes(rig).values()) != {(1, 7)}:
            await rig.serving.observer.refresh_health()

        assert sorted(_nodes(rig)) == [f"/dev/neuron{index}" for index in range(6)]


async def test_without_cdi_kubelet_is_told_where_devices_are(tmp_path: pathlib.Path) -> None:
    async with _asked(Machine(tmp_path), cdi=False) as rig:
        await _take_over(rig)
        edits = rig.serving.manager.allocate(names.DEVICE_RESOURCE, ["1"])

        assert [(each.host_path, each.container_path) for each in edits.devices] == [("/dev/zero", "/dev/neuron0")]


@pytest.mark.parametrize(
    ("settings", "reached"),
    [({}, False), ({"mount_devices": True}, True), ({"mount_devices": True, "cdi": False}, False)],
    ids=["made", "mounted", "without CDI"],
)
async def test_status_says_whether_pods_with_a_user_namespace_get_real_devices(
    tmp_path: pathlib.Path, settings: dict[str, Any], reached: bool
) -> None:
    async with _asked(Machine(tmp_path), **settings) as rig:
        await _take_over(rig)
        await rig.store.until(lambda: rig.store.status.get("userNamespaces") is reached)
        assert rig.store.status["hardware"] == HARDWARE.to_dict()


async def test_pods_with_a_user_namespace_get_simulated_devices() -> None:
    async with plugin_rig.running() as rig:
        await rig.store.until(lambda: rig.store.status.get("userNamespaces") is True)
        assert rig.store.status["hardware"]


async def test_counter_of_the_kernel_makes_a_core_unhealthy_until_it_is_zero_again(tmp_path: pathlib.Path) -> None:
    machine = Machine(tmp_path)
    async with _asked(machine) as rig:
        await _take_over(rig)
        machine.write(layout.counter(2, 1, faults.FaultKind.DMA_ABORTED), "3\n")
        await rig.store.until(lambda: _unhealthy(rig) == {5: "DmaAborted"})
        await rig.kubelet.until(lambda: rig.kubelet.allocatable(names.CORE_RESOURCE) == 11)
        machine.write(layout.counter(2, 1, faults.FaultKind.DMA_ABORTED), "0\n")
        await rig.store.until(lambda: _unhealthy(rig) == {})
        await rig.kubelet.until(lambda: rig.kubelet.allocatable(names.CORE_RESOURCE) == 12)


async def test_device_that_is_lost_takes_its_cores_and_leaves_the_others(tmp_path: pathlib.Path) -> None:
    machine = Machine(tmp_path)
    async with _asked(machine) as rig:
        await _take_over(rig)
        (machine.root / layout.DEVICE_NODES / "neuron3").unlink()
        await rig.store.until(lambda: _unhealthy(rig) == dict.fromkeys((6, 7), "DeviceNodeMissing"))
        await rig.store.until(lambda: "NodesMissing" in rig.store.condition("HardwareAccepted")["message"])

        assert rig.store.condition("HardwareAccepted")["status"] == "True"


async def test_machine_that_nobody_knows_is_named_in_a_sentence_and_served_once_it_is_known(
    tmp_path: pathlib.Path,
) -> None:
    machine = Machine(tmp_path)
    machine.write(f"{layout.DMI}/{layout.PRODUCT_NAME}", "Standard PC\n")
    async with _asked(machine) as rig:
        await rig.store.until(lambda: "TypeUnknown" in rig.store.condition("HardwareAccepted").get("message", ""))
        assert "detected" not in rig.store.status
        assert "calls this machine 'Standard PC'" in rig.store.condition("HardwareAccepted")["message"]

        rig.store.edit(detect={"instanceType": "inf2.24xlarge"})  # the Node got its label
        await _take_over(rig)
        assert rig.kubelet.allocatable(names.DEVICE_RESOURCE) == 6


async def test_faults_cannot_be_asked_of_real_devices(tmp_path: pathlib.Path) -> None:
    async with _asked(Machine(tmp_path)) as rig:
        await _take_over(rig)
        rig.store.edit(faults=[{"first": 0, "count": 1}])
        await rig.store.until(lambda: rig.store.condition("LedgerReadable")["status"] == "False")

        assert "only simulated hardware has faults on request" in rig.store.condition("LedgerReadable")["message"]
        assert _unhealthy(rig) == {}


async def test_real_devices_are_served_again_while_the_api_server_is_silent(tmp_path: pathlib.Path) -> None:
    async with _asked(Machine(tmp_path)) as rig:
        await _take_over(rig)
        await rig.stop_agent()
        rig.store.go_down()
        await rig.start_agent(silence_seconds=0.05)

        assert rig.serving.profile.detected
        assert rig.serving.profile.numbering == names.CONTAINER_NUMBERING
        assert set(_nodes(rig).values()) == {(1, 5)}


async def test_pods_keep_simulated_devices_until_they_are_over_when_real_ones_are_asked_for(
    tmp_path: pathlib.Path,
) -> None:
    async with plugin_rig.running(domain.grant("4-7"), **Machine(tmp_path).settings) as rig:
        await rig.kubelet.run(builders.make_pod(cores=4, node="w1"))
        await rig.stop_agent()
        rig.store.edit(detect={"instanceType": ""}, coreNumbering=names.CONTAINER_NUMBERING)
        await rig.start_agent()

        assert (rig.serving.profile.detected, rig.serving.profile.numbering) == (False, names.NODE_NUMBERING)


# --- simulated ---------------------------------------------------------------------------------------------------


async def test_pod_of_a_simulated_node_sees_its_tree_above_what_the_host_has() -> None:
    async with plugin_rig.running(domain.grant("4-7")) as rig:
        await rig.kubelet.run(builders.make_pod(cores=4, node="w1"))

        layers = rig.kubelet.created("uid-web", "app").layers
        assert set(layers) == {"/sys/devices/virtual", "/sys/class", "/sys/module"}
        assert all(below == place for place, (_, below) in layers.items())
        top = pathlib.Path(layers["/sys/devices/virtual"][0])
        assert (top / "neuron_device" / "neuron15" / "core_count").read_text() == "2"
        assert (pathlib.Path(layers["/sys/class"][0]) / "neuron_device" / "neuron15").is_symlink()
        assert (pathlib.Path(layers["/sys/module"][0]) / "neuron" / "version").read_text() == "2.30.2.0\n"


async def test_fault_on_request_shows_in_the_files_that_pods_see() -> None:
    async with plugin_rig.running(domain.grant("4-7")) as rig:
        await rig.kubelet.run(builders.make_pod(cores=4, node="w1"))
        top = pathlib.Path(rig.kubelet.created("uid-web", "app").layers["/sys/devices/virtual"][0])
        counted = top / "neuron_device" / "neuron2" / "stats" / "hardware" / "sram_ecc_uncorrected"
        with counted.open() as by_pod:
            rig.store.edit(faults=[{"first": 5, "count": 1, "kind": "sram_ecc_uncorrected"}])
            await rig.store.until(lambda: _unhealthy(rig) == dict.fromkeys((4, 5), "SramEcc"))

            assert by_pod.read() == "1\n"


async def test_pods_are_shown_nothing_when_it_is_switched_off() -> None:
    async with plugin_rig.running(domain.grant("4-7"), show_devices=False) as rig:
        await rig.kubelet.run(builders.make_pod(cores=4, node="w1"))

        assert rig.kubelet.created("uid-web", "app").layers == {}


@pytest.mark.parametrize("kept", [True, False])
async def test_tree_stays_over_a_restart_whether_pods_see_it_or_not(kept: bool) -> None:
    async with plugin_rig.running(domain.grant("4-7")) as rig:
        if kept:
            await rig.kubelet.run(builders.make_pod(cores=4, node="w1"))
        (tree,) = (rig.root / "run" / "tree").iterdir()
        inode = (tree / layout.device(0) / layout.CORE_COUNT).stat().st_ino
        await rig.crash_agent()
        await rig.start_agent()

        assert (tree / layout.device(0) / layout.CORE_COUNT).stat().st_ino == inode
