"""What pods of a node have of each other, with a real kubelet, a real container runtime and real mounts.

The attacks are those of ordinary pods without any right; integration/test_pods_share_nothing.py shows the same without
a cluster.
"""

import json
from collections.abc import Mapping
from typing import Any

from kits.release import cluster_access, workloads
from neuronspan import names

RUNTIME = "neuronspan/runtime:0.1.0"
START_SECONDS = 90
CORE = 13
PASSWORD = "--password=swordfish"
SHARED = "/shared"
LARGE = 300 << 20

WORK = """
import os, pathlib, socket, sys, time
import torch, torch_neuronx
tensor = torch.ones(2, device="neuron:0")
files = {}
for each in sorted(pathlib.Path("/proc/self/fd").iterdir()):
    link = os.readlink(each) if os.path.islink(each) else ""
    if "neuronspan" in link:
        files[int(each.name)] = link
print("owns", torch_neuronx.__name__, sorted(files.values()), flush=True)
"""
STAY = """
while True:
    tensor = tensor + tensor
    print("alive", flush=True)
    time.sleep(0.2)  # the work of a model that is served: now and then, for as long as the pod is there
"""
GROW = """
def tried(name, attempt):
    try:
        attempt()
        print("DONE", name, flush=True)
    except OSError as error:
        print("refused", name, flush=True)

for descriptor, link in files.items():
    tried("grow " + link, lambda: os.ftruncate(descriptor, {large}))
    tried("cut " + link, lambda: os.ftruncate(descriptor, 0))
    tried("write " + link, lambda: os.pwrite(descriptor, bytes(1 << 20), {large}))
for path in (each for each in pathlib.Path("/run/neuronspan").rglob("*") if each.is_file()):
    tried("open " + str(path), lambda: path.open("r+b"))
print("tried all", flush=True)
""".replace("{large}", str(LARGE))
PASS_ON = f"""
with socket.socket(socket.AF_UNIX) as there:
    there.connect("{SHARED}/socket")
    socket.send_fds(there, [b"x"], list(files))
print("passed on", flush=True)
"""
THIEF = f"""
import os, pathlib, socket, time
path = pathlib.Path("{SHARED}/socket")
path.unlink(missing_ok=True)
with socket.socket(socket.AF_UNIX) as here:
    here.bind(str(path))
    path.chmod(0o777)
    here.listen()
    print("listens", flush=True)
    taken, _ = here.accept()
    _, descriptors, _, _ = socket.recv_fds(taken, 1, 8)
print("has", len(descriptors), flush=True)
while not pathlib.Path("{SHARED}/cut").exists():
    time.sleep(0.1)  # the test says so by a file: a container without our packages has no inotify
for each in descriptors:
    try:
        os.ftruncate(each, 0)
        print("DONE cut", flush=True)
    except OSError:
        print("refused cut", flush=True)
print("tried all", flush=True)
time.sleep(86400)  # keeps the descriptors, for as long as the pod is there
"""


def _pod(name: str, node: str, script: str, *, cores: bool = True, shared: str = "") -> dict[str, Any]:
    """A pod of the runtime's image with this very core, or with none and as root."""
    annotations = {names.VISIBLE_CORES_ANNOTATION: str(CORE)} if cores else {}
    made = workloads.pod(name, node=node, annotations=annotations, command=["python3", "-c", script, PASSWORD])
    container = made["spec"]["containers"][0]
    container["image"] = RUNTIME
    if not cores:
        container["securityContext"] = {"runAsUser": 0}
    if shared:
        container["volumeMounts"] = [{"name": "shared", "mountPath": SHARED}]
        made["spec"]["volumes"] = [{"name": "shared", "hostPath": {"path": shared, "type": "DirectoryOrCreate"}}]
    return made


def _says(cluster: cluster_access.Cluster, namespace: str, pod: str, words: str) -> list[str]:
    """Wait until the pod has printed a line that begins so; all its lines."""

    def lines() -> list[str]:
        if pod not in workloads.names_in(cluster, namespace, "Running"):
            return []
        return cluster.logs(namespace, pod).splitlines()

    cluster.wait_for(
        lambda: any(line.startswith(words) for line in lines()),
        seconds=START_SECONDS,
        what=lambda: f"{words!r} of pod {pod}, it said {lines()[-5:]}; pods are {workloads.phases(cluster, namespace)}",
    )
    return lines()


def _devices(cluster: cluster_access.Cluster, namespace: str, pod: str) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = json.loads(cluster.execute(namespace, pod, "neuron-ls", "-j"))
    return found


def _node_bytes(cluster: cluster_access.Cluster, node: str) -> int:
    """What is used of the file system that has the node's directory."""
    return int(cluster.node_execute(node, "df", "--output=used", "--block-size=1", names.NODE_DIRECTORY).split()[-1])


def test_next_pod_finds_nothing_of_the_one_before(cluster: cluster_access.Cluster, namespace: str, trn1: str) -> None:
    cluster.apply(_pod("old", trn1, WORK + STAY), namespace)
    _says(cluster, namespace, "old", "alive")
    (device,) = _devices(cluster, namespace, "old")
    (process,) = device["neuron_processes"]
    assert (PASSWORD in process["command"], process["neuron_runtime_version"]) == (True, "0.1.0")
    lock = cluster.execute(namespace, "old", "stat", "-c", "%i", f"{names.NODE_DIRECTORY}/cores/{CORE}.lock")
    old = workloads.uids(cluster, namespace)["old"]

    cluster.delete("pod", "old", namespace)
    cluster.apply(_pod("new", trn1, "import time; time.sleep(86400)"), namespace)
    workloads.wait_phases(cluster, namespace, {"Running": 1}, seconds=START_SECONDS)
    found = cluster.execute(namespace, "new", "find", names.NODE_DIRECTORY, "-type", "f").split()
    assert sorted(found) == [f"{names.NODE_DIRECTORY}/cores/{CORE}.lock", f"{names.NODE_DIRECTORY}/hardware.json"]
    assert cluster.execute(namespace, "new", "stat", "-c", "%i", found[0]) != lock
    contents = cluster.execute(namespace, "new", "cat", *found)
    assert (PASSWORD in contents, old in contents) == (False, False)
    assert [each["neuron_processes"] for each in _devices(cluster, namespace, "new")] == [[]]


def test_pod_cannot_fill_the_nodes_memory_through_what_it_is_given(
    cluster: cluster_access.Cluster, namespace: str, trn1: str
) -> None:
    before = _node_bytes(cluster, trn1)
    cluster.apply(_pod("greedy", trn1, WORK + GROW + STAY), namespace)
    said = _says(cluster, namespace, "greedy", "alive")
    assert "tried all" in said
    assert [line for line in said if line.startswith("DONE")] == []
    assert len([line for line in said if line.startswith("refused")]) >= 8  # two descriptors in three ways, two files
    assert _node_bytes(cluster, trn1) - before < LARGE // 10
    (device,) = _devices(cluster, namespace, "greedy")
    assert [process["neuron_runtime_version"] for process in device["neuron_processes"]] == ["0.1.0"]


def test_descriptors_that_were_passed_on_block_nobody_and_harm_nobody(
    cluster: cluster_access.Cluster, namespace: str, trn1: str
) -> None:
    shared = f"/var/lib/neuronspan-tests/{namespace}"
    cluster.apply(_pod("thief", trn1, THIEF, cores=False, shared=shared), namespace)
    _says(cluster, namespace, "thief", "listens")
    cluster.apply(_pod("old", trn1, WORK + PASS_ON + STAY, shared=shared), namespace)
    _says(cluster, namespace, "old", "passed on")
    _says(cluster, namespace, "thief", "has 2")

    cluster.delete("pod", "old", namespace)
    cluster.apply(_pod("new", trn1, WORK + STAY), namespace)
    _says(cluster, namespace, "new", "alive")
    cluster.execute(namespace, "thief", "touch", f"{SHARED}/cut")
    said = _says(cluster, namespace, "thief", "tried all")
    assert [line for line in said if "cut" in line] == ["refused cut"] * 2
    seen = len(_says(cluster, namespace, "new", "alive"))
    cluster.wait_for(
        lambda: len(cluster.logs(namespace, "new").splitlines()) > seen + 2,
        seconds=START_SECONDS,
        what=lambda: "the next pod going on",
    )
    (device,) = _devices(cluster, namespace, "new")
    assert [process["neuron_runtime_version"] for process in device["neuron_processes"]] == ["0.1.0"]
    assert "new" in workloads.names_in(cluster, namespace, "Running")
    cluster.node_execute(trn1, "rm", "-rf", shared)


def _monitor(name: str, node: str, capabilities: list[str]) -> dict[str, Any]:
    """A pod that looks at the whole node, as root with what containers have by default and these capabilities."""
    made = workloads.pod(name, node=node, annotations={})
    made["spec"]["hostPID"] = True
    made["spec"]["volumes"] = [{"name": "node", "hostPath": {"path": names.NODE_DIRECTORY}}]
    made["spec"]["containers"][0] |= {
        "image": RUNTIME,
        "securityContext": {"runAsUser": 0, "capabilities": {"add": capabilities}},
        "volumeMounts": [{"name": "node", "mountPath": names.NODE_DIRECTORY, "readOnly": True}],
    }
    return made


def test_counters_of_other_pods_are_shown_to_who_may_trace_them_only(
    cluster: cluster_access.Cluster, namespace: str, trn1: str
) -> None:
    cluster.apply(_pod("worker", trn1, WORK + STAY), namespace)
    _says(cluster, namespace, "worker", "alive")
    pods = (_monitor("tracing", trn1, ["SYS_PTRACE"]), _monitor("looking", trn1, []))
    cluster.apply_all(list(pods), namespace)
    workloads.wait_phases(cluster, namespace, {"Running": 3}, seconds=START_SECONDS)
    versions = {}
    for pod in ("tracing", "looking"):
        (device,) = (each for each in _devices(cluster, namespace, pod) if each["neuron_processes"])
        assert CORE in device["neuroncore_ids"]
        versions[pod] = [process["neuron_runtime_version"] for process in device["neuron_processes"]]
    assert versions == {"tracing": ["0.1.0"], "looking": ["NA"]}
