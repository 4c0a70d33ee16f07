"""Other people's programs in an unprivileged pod, on its node's tree at the kernel's paths, beside neuron-ls there.

What they make of every instance type's tree is tested without a cluster (tests/readers).
"""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from cluster import kind_cluster, loading, reader_image
from kits.readers import slurm, vizneuron
from kits.release import cluster_access, workloads
from neuronspan import instance_types

NOBODY = 65534
SECONDS = 120
HARDWARE = instance_types.hardware_of("trn1.32xlarge")


@pytest.fixture(scope="module")
def image(cluster: cluster_access.Cluster, trn1: str) -> str:
    """The readers' image, on the first worker."""
    made = reader_image.build()
    loading.load(kind_cluster.Cluster(cluster.name), {made: ()}, [trn1])
    return made


def _start(cluster: cluster_access.Cluster, namespace: str, node: str, image: str, cores: int) -> None:
    pod = workloads.pod("reader", cores=cores, node=node)
    pod["spec"]["securityContext"] = {"runAsUser": NOBODY, "runAsGroup": NOBODY, "runAsNonRoot": True}
    (container,) = pod["spec"]["containers"]
    container["image"] = image
    container["securityContext"] = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    cluster.apply(pod, namespace)
    workloads.wait_phases(cluster, namespace, {"Running": 1}, seconds=SECONDS)


def _devices(cluster: cluster_access.Cluster, namespace: str) -> dict[int, Mapping[str, Any]]:
    """Each device that neuron-ls shows in the pod."""
    listed: list[Mapping[str, Any]] = json.loads(cluster.execute(namespace, "reader", "neuron-ls", "-j"))
    return {each["neuron_device"]: each for each in listed}


def test_slurm_vizneuron_and_xpustat_agree_with_neuron_ls_on_a_whole_node(
    cluster: cluster_access.Cluster, namespace: str, trn1: str, image: str
) -> None:
    _start(cluster, namespace, trn1, image, HARDWARE.cores)
    devices = _devices(cluster, namespace)
    assert len(devices) == HARDWARE.devices

    found = slurm.parse(cluster.execute(namespace, "reader", slurm.PROGRAM))
    assert (found.kind, found.count, found.without_node) == ("trainium1", len(devices), frozenset())
    assert {index: found.connected_to(index) for index in found.links} == {
        index: set(device["connected_to"]) for index, device in devices.items()
    }
    read = vizneuron.parse(cluster.execute(namespace, "reader", vizneuron.PROGRAM))
    assert list(read.cores) == [device["nc_count"] for device in devices.values()]
    shown = json.loads(cluster.execute(namespace, "reader", "python3", "-m", "xpustat.neuron"))["devices"]
    assert {each["neuron_device"]: each["neuroncore_ids"] for each in shown} == {
        index: device["neuroncore_ids"] for index, device in devices.items()
    }


def test_slurm_misses_the_nodes_of_devices_that_neuron_ls_does_not_show(
    cluster: cluster_access.Cluster, namespace: str, trn1: str, image: str
) -> None:
    _start(cluster, namespace, trn1, image, 2 * HARDWARE.cores_per_device)
    devices = _devices(cluster, namespace)
    assert len(devices) == 2
    found = slurm.parse(cluster.execute(namespace, "reader", slurm.PROGRAM))
    assert set(found.links) == set(range(HARDWARE.devices))
    assert set(found.links) - found.without_node == set(devices)
    for index, device in devices.items():
        assert found.connected_to(index) == set(device["connected_to"])
