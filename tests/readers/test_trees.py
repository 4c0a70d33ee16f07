"""Other people's programs read the tree of every instance type, and find what we know of it.

Nothing of theirs is written down here: they run, in the readers' image, and look where the kernel driver's files are.
"""

import json
from typing import Any

import pytest

from cluster import errors
from kits.readers import machines, slurm, vizneuron
from neuronspan import instance_types
from neuronspan_deviceplugin.tree import drivers, generating

EVERY_TYPE = [
    machines.Kind(instance_types.hardware_of(name, size), drivers.newest_for(name))
    for name, known in instance_types.INSTANCE_TYPES.items()
    for size in known.logical_core_sizes
]
OLDER_DRIVERS = [
    machines.Kind(instance_types.hardware_of(name), driver)
    for name, driver in (
        ("trn1.2xlarge", drivers.OLDER),
        ("inf2.24xlarge", drivers.OLDER),
        ("trn2.48xlarge", drivers.READABLE),
    )
]
on_every_kind = pytest.mark.parametrize("machine", [*EVERY_TYPE, *OLDER_DRIVERS], ids=str, indirect=True)
MEBIBYTE = 1 << 20


def _as_slurm_reads(connected: tuple[int, ...]) -> set[int]:
    """The links of a device: Slurm takes the line of one without any, which is empty, for a link to device 0.

    The driver writes that line (a captured trn1.2xlarge has it), so this is what Slurm says on real ones, too.
    """
    return set(connected) or {0}


@on_every_kind
def test_slurm_finds_every_device_with_its_type_and_links(machine: machines.Machine) -> None:
    hardware = machine.kind.hardware
    found = slurm.parse(machine.run(slurm.PROGRAM))
    # the driver says Trainium1, the tools say trainium
    assert found.kind.removesuffix("1") == instance_types.INSTANCE_TYPES[hardware.instance_type].device_type
    assert (found.count, set(found.links)) == (hardware.devices, set(range(hardware.devices)))
    assert found.without_node == frozenset()
    for device, row in found.links.items():
        assert len(row) == hardware.devices
        assert found.connected_to(device) == _as_slurm_reads(hardware.connected_to(device))


@on_every_kind
def test_vizneuron_reads_every_core_and_every_counter_of_memory(machine: machines.Machine) -> None:
    hardware = machine.kind.hardware
    read = vizneuron.parse(machine.run(vizneuron.PROGRAM))
    assert read.cores == (generating.physical_cores(hardware),) * hardware.devices
    # used memory of whatever kind, on the host and on the device; see the Neuron sysfs guide
    for device in range(hardware.devices):
        for core in range(generating.physical_cores(hardware)):
            usage = f"neuron{device}.neuron_core{core}.stats.memory_usage"
            for counter in ("host_mem", "device_mem", "device_mem.tensors", "device_mem.model_code"):
                assert [read.memory[f"{usage}.{counter}.{value}"] for value in ("present", "peak", "total")] == [0] * 3
    assert not any(read.memory.values())


@on_every_kind
def test_xpustat_lists_the_devices_of_neuron_ls(machine: machines.Machine) -> None:
    hardware = machine.kind.hardware
    listed: list[dict[str, Any]] = json.loads(machine.run("python3", "-m", "xpustat.neuron"))["devices"]
    ours: list[dict[str, Any]] = json.loads(machine.run("neuron-ls", "-j"))
    assert [each["neuron_device"] for each in listed] == list(range(hardware.devices))
    for theirs, device in zip(listed, ours, strict=True):
        assert theirs["neuroncore_ids"] == list(hardware.cores_of_device(theirs["neuron_device"]))
        assert theirs["nc_count"] == hardware.cores_per_device
        assert theirs["mem_total_mb"] * MEBIBYTE == device["memory_size"]
        assert theirs["bdf"] == device["bdf"]


@pytest.mark.parametrize("machine", OLDER_DRIVERS[:1], ids=str, indirect=True)
def test_number_of_cores_is_for_root_with_older_drivers(machine: machines.Machine) -> None:
    with pytest.raises(errors.CommandFailed, match="cannot determine the number of cores"):
        machine.run(vizneuron.PROGRAM, user=machines.NOBODY)
    assert slurm.parse(machine.run(slurm.PROGRAM, user=machines.NOBODY)).count == 1
