"""Everything that explains a failure, collected into one directory; a part that cannot be had is noted, not fatal."""

import functools
from collections.abc import Callable
from pathlib import Path

from cluster import errors, kind_cluster, process

COLLECT_SECONDS = 120.0
OBJECTS = ("nodes", "events", "pods", "neuronnodes.neuronspan.dev", "neuronpools.neuronspan.dev")
UNITS = ("kubelet", "containerd")


def collect(cluster: kind_cluster.Cluster, directory: Path) -> None:
    """Journals and pod logs of every node, and the API's objects, below `directory`."""
    directory.mkdir(parents=True, exist_ok=True)
    for kind in OBJECTS:
        words = ("get", kind, "--all-namespaces", "--output", "yaml")
        _write(directory / "objects" / f"{kind}.yaml", functools.partial(cluster.kubectl, *words))
    for node in cluster.nodes():
        for unit in UNITS:
            command = ("journalctl", "--no-pager", "--unit", unit)
            ask = functools.partial(cluster.on_node, node, *command, timeout=COLLECT_SECONDS)
            _write(directory / node / f"{unit}.log", ask)
        _write(directory / node / "node.log", functools.partial(_container_output, node))
        _copy_pod_logs(node, directory / node)


def _write(path: Path, ask: Callable[[], str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        text = ask()
    except errors.CommandFailed as error:
        text = f"could not be collected: {error}\n"
    path.write_text(text, encoding="utf-8")


def _container_output(node: str) -> str:
    """What the node's first process said: the only word of a node that did not start."""
    state = process.run(["docker", "inspect", "--format", "{{json .State}}", node], timeout=COLLECT_SECONDS)
    return state + process.run(["sh", "-c", 'docker logs "$0" 2>&1', node], timeout=COLLECT_SECONDS)


def _copy_pod_logs(node: str, target: Path) -> None:
    try:
        process.run(["docker", "cp", f"{node}:/var/log/pods", target], timeout=COLLECT_SECONDS)
    except errors.CommandFailed as error:
        (target / "pods.txt").write_text(f"could not be collected: {error}\n", encoding="utf-8")
