"""What pods see of simulated devices, and a cluster where one node has real ones, as far as files and device nodes go.

A kind node cannot load the Neuron driver: a tree that our generator makes lies on it, with device nodes of /dev/zero.
"""

import json
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from kits.release import cluster_access, helm_release, installation, workloads
from neuronspan import instance_types, names
from neuronspan_deviceplugin.tree import drivers, faults, generating, layout
from neuronspan_operator import reasons

SECONDS = 60
MACHINE = "/var/lib/neuron-machine"
HARDWARE = instance_types.hardware_of("trn1.2xlarge")  # 2 cores on one device
HOST = {
    "detect": True,
    "sysfsRoot": f"{MACHINE}/sys",
    "devRoot": f"{MACHINE}/dev",
    "logicalCoresDirectory": f"{MACHINE}/opt/aws/neuron",
}
COUNTER = f"/{layout.device_counter(0, faults.FaultKind.SRAM_ECC)}"
NOBODY = 65534
AS_OPERATOR = "--as=system:serviceaccount:neuronspan-system:neuronspan-operator"


def _unprivileged(pod: dict[str, Any]) -> dict[str, Any]:
    pod["spec"]["securityContext"] = {"runAsUser": NOBODY, "runAsNonRoot": True}
    return pod


def _run(cluster: cluster_access.Cluster, namespace: str, *pods: dict[str, Any]) -> None:
    cluster.apply_all(pods, namespace)
    workloads.wait_phases(cluster, namespace, {"Running": len(pods)}, seconds=SECONDS)


def _status(cluster: cluster_access.Cluster, node: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = installation.neuron_nodes(cluster)[node].get("status", {})
    return found


def _wait_unhealthy(cluster: cluster_access.Cluster, node: str, wanted: Mapping[int, str]) -> None:
    def unhealthy() -> dict[int, str]:
        cores = _status(cluster, node).get("cores") or ()
        return {each["index"]: each["reason"] for each in cores if not each["healthy"]}

    cluster.wait_for(lambda: unhealthy() == wanted, seconds=SECONDS, what=lambda: f"{wanted}, now {unhealthy()}")


def _break(cluster: cluster_access.Cluster, node: str, *entries: Mapping[str, Any]) -> None:
    """Ask for faults, as who may write the NeuronNode's spec."""
    patch = json.dumps({"spec": {"faults": list(entries)}})
    cluster.kubectl("patch", f"neuronnode/{node}", "--type=merge", "--patch", patch, AS_OPERATOR)


def test_unprivileged_pod_sees_simulated_devices_and_the_rest_of_sys_stays(
    cluster: cluster_access.Cluster, namespace: str, trn1: str
) -> None:
    _run(cluster, namespace, _unprivileged(workloads.pod("web", cores=2, node=trn1)))
    devices = cluster.execute(namespace, "web", "ls", "/sys/class/neuron_device").split()
    assert sorted(devices) == sorted(f"neuron{index}" for index in range(16))
    first = "/sys/class/neuron_device/neuron0"
    assert cluster.execute(namespace, "web", "cat", f"{first}/core_count") == "2"
    assert cluster.execute(namespace, "web", "cat", f"{first}/connected_devices") == "12, 3, 4, 1\n"
    assert cluster.execute(namespace, "web", "cat", f"{first}/info/architecture/device_name") == "Trainium1\n"
    assert cluster.execute(namespace, "web", "cat", "/sys/class/net/lo/mtu") == "65536\n"
    assert "null" in cluster.execute(namespace, "web", "ls", "/sys/devices/virtual/mem")
    assert cluster.execute(namespace, "web", "cat", "/sys/module/neuron/version") == "2.30.2.0\n"
    assert "kernel" in cluster.execute(namespace, "web", "ls", "/sys/module")
    refused = cluster.execute(namespace, "web", "sh", "-c", f"echo 1 2>&1 >{first}/stats/status || echo refused")
    assert "refused" in refused


def test_fault_on_request_shows_in_the_pod_that_runs_and_heals(
    cluster: cluster_access.Cluster, namespace: str, trn1: str
) -> None:
    _run(cluster, namespace, workloads.pod("web", cores=2, node=trn1))
    _break(cluster, trn1, {"first": 0, "count": 1, "kind": "sram_ecc_uncorrected"})
    try:
        _wait_unhealthy(cluster, trn1, {0: "SramEcc", 1: "SramEcc"})
        assert cluster.execute(namespace, "web", "cat", COUNTER) == "1\n"
    finally:
        _break(cluster, trn1)
    _wait_unhealthy(cluster, trn1, {})
    assert cluster.execute(namespace, "web", "cat", COUNTER) == "0\n"


def _script() -> str:
    """Return the shell script that puts the machine's tree on a node."""
    tree = generating.generate(HARDWARE, drivers.OLDER)
    folders = sorted({path.rpartition("/")[0] for path in (*tree.files, *tree.links)})
    lines = [
        "set -e",
        f"rm -rf {MACHINE}",
        f"mkdir -p {MACHINE}",
        f"cd {MACHINE}",
        *(f"mkdir -p {each}" for each in folders),
    ]
    for path, file in tree.files.items():
        lines += [f"printf %s {shlex.quote(file.text)} >{path}", f"chmod {file.mode:o} {path}"]
    lines += [f"mknod dev/neuron{index} c 1 5" for index in range(HARDWARE.devices)]  # the numbers of /dev/zero
    lines += ["mkdir -p sys/class/dmi", "ln -s ../../devices/virtual/dmi/id sys/class/dmi/id"]
    return "\n".join(lines)


@pytest.fixture
def machine(cluster: cluster_access.Cluster, namespace: str, inf2: str) -> Iterator[str]:
    """The second worker, with the files of a trn1.2xlarge and the cluster set up for it; as before at the end."""
    assert namespace
    cluster.node_execute(inf2, "sh", stdin=_script())
    try:
        helm_release.install(cluster, HOST, inf2=instance_types.DETECT)
        yield inf2
    finally:
        cluster.kubectl("delete", "pods", "--all", "--namespace", namespace, "--grace-period=1")
        helm_release.install(cluster)
        cluster.node_execute(inf2, "rm", "-rf", MACHINE)


def test_mixed_cluster_gives_real_devices_where_they_are_and_simulated_ones_elsewhere(
    cluster: cluster_access.Cluster, namespace: str, trn1: str, machine: str
) -> None:
    def served() -> str:
        return str((_status(cluster, machine).get("hardware") or {}).get("instanceType"))

    cluster.wait_for(
        lambda: served() == HARDWARE.instance_type,
        seconds=2 * SECONDS,
        what=lambda: f"{HARDWARE.instance_type} served, now {served()}: {_status(cluster, machine).get('conditions')}",
    )
    shut_out = workloads.pod("shut-out", cores=2, node=machine)
    shut_out["spec"]["hostUsers"] = False
    cluster.apply(shut_out, namespace)
    told = workloads.wait_event(cluster, namespace, "shut-out", reason=reasons.EventReason.USER_NAMESPACE)
    assert f"the real devices of node {machine} do not reach its containers" in told
    cluster.kubectl("delete", "pod", "shut-out", "--namespace", namespace, "--grace-period=1")

    _run(
        cluster, namespace, workloads.pod("real", cores=2, node=machine), workloads.pod("simulated", cores=2, node=trn1)
    )
    shown = [
        cluster.execute(namespace, name, "sh", "-c", f"echo ${names.VISIBLE_CORES_ENV}; head -c 3 /dev/neuron0 | wc -c")
        for name in ("real", "simulated")
    ]
    assert shown[0].split() == ["0-1", "3"]  # of /dev/zero
    assert shown[1].split()[1] == "0"  # of /dev/null
    assert "neuron_device" not in cluster.execute(namespace, "real", "ls", "/sys/class")
    assert "neuron_device" in cluster.execute(namespace, "simulated", "ls", "/sys/class")

    cluster.node_execute(machine, "sh", "-c", f"echo 1 >{MACHINE}{COUNTER}")
    _wait_unhealthy(cluster, machine, {0: "SramEcc", 1: "SramEcc"})
    cluster.node_execute(machine, "sh", "-c", f"echo 0 >{MACHINE}{COUNTER}")
    _wait_unhealthy(cluster, machine, {})

    cluster.node_execute(machine, "rm", f"{MACHINE}/{layout.DMI}/{layout.PRODUCT_NAME}")
    cluster.wait_for(
        lambda: "TypeUnknown" in str(_status(cluster, machine).get("conditions")),
        seconds=SECONDS,
        what=lambda: f"TypeUnknown among {_status(cluster, machine).get('conditions')}",
    )
