"""A cluster's life: up, repair, down. Every command may be given again and changes nothing that is right.

Law: one change of a cluster at a time. A cluster that somebody else is still making looks half made from outside.
"""

import contextlib
import datetime as dt
import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

from cluster import (
    console,
    engine,
    errors,
    kernel_limits,
    keys,
    kind_cluster,
    kind_config,
    layout,
    locking,
    logs,
    network,
    node_image,
    process,
    scopes,
    tools,
)

CREATE_SECONDS = 600.0
DELETE_SECONDS = 180.0
READY_SECONDS = 180.0
Early: TypeAlias = Callable[[kind_cluster.Cluster, Sequence[str]], None]
"""What is done with the workers of a cluster, named one by one, as soon as they run."""


def up(name: str, early: Early | None = None) -> kind_cluster.Cluster:
    """Make sure that the cluster runs with all nodes Ready, made from this checkout's versions.

    `early` is done while a new cluster's control plane starts: its workers have nothing to do then.
    """
    engine.ensure()
    kernel_limits.raise_limits()
    image = node_image.ensure()
    tools.need("kind")
    node_image.take_kubectl(image)
    shape = kind_config.Shape(name, own_image=image.own)
    made_from = {"image": image.reference, "configuration": keys.key_of({"kind": kind_config.render(shape)})}
    cluster = kind_cluster.Cluster(name)
    with _alone(name):
        if cluster.exists() and _recorded(cluster) != made_from:
            console.say(f"cluster {name} is half made, or made from other versions: making it anew")
            _remove(name)
        if cluster.exists():
            _wake(cluster)
        else:
            _create(cluster, shape, image, early)
            cluster.record.write_text(json.dumps(made_from), encoding="utf-8")
    console.say(f"cluster {name} is up: export KUBECONFIG={cluster.kubeconfig}")
    return cluster


def down(name: str) -> None:
    """Remove the cluster and what was kept about it; needs no tools, so that no cluster outlives their versions."""
    if engine.version() is None:
        console.say(f"cluster {name}: no engine runs, nothing to remove")
        return
    with _alone(name):
        _remove(name)


def _alone(name: str) -> contextlib.AbstractContextManager[None]:
    """Hold the right to change the cluster; two holders in one process would wait for each other for ever."""
    return locking.exclusive(layout.cache().lock(f"cluster-{name}"))


def _remove(name: str) -> None:
    containers = kind_cluster.containers(name)
    if containers:
        with console.Step(f"removing cluster {name}"):
            process.run(["docker", "rm", "--force", "--volumes", *containers], timeout=DELETE_SECONDS)
    shutil.rmtree(layout.cache().cluster(name), ignore_errors=True)


def repair(name: str) -> None:
    """Bring back what a restart of nodes took: stopped nodes, pod routes, readiness."""
    cluster = kind_cluster.Cluster(name)
    cluster.require()
    since = dt.datetime.now(dt.UTC)
    with _alone(name):
        _wake(cluster)
    ready(cluster, since)


def _create(
    cluster: kind_cluster.Cluster, shape: kind_config.Shape, image: node_image.NodeImage, early: Early | None
) -> None:
    cluster.kubeconfig.parent.mkdir(parents=True, exist_ok=True)
    configuration = cluster.kubeconfig.with_name("kind.json")
    configuration.write_text(kind_config.render(shape), encoding="utf-8")
    try:
        with scopes.Crew() as crew:
            if early:
                crew.start(early, cluster, shape.workers)
            crew.start(_start, cluster, shape, image, configuration)
    except errors.ClusterError:
        evidence = layout.cache().root / "logs" / f"{cluster.name}-failed"
        logs.collect(cluster, evidence)
        console.say(f"the nodes' logs are in {evidence}")
        _remove(cluster.name)
        raise


def _start(
    cluster: kind_cluster.Cluster, shape: kind_config.Shape, image: node_image.NodeImage, configuration: Path
) -> None:
    log = layout.cache().log(f"cluster-{cluster.name}")
    command: list[str | Path] = [tools.program("kind"), "create", "cluster", "--retain", "--image", image.reference]
    command += ["--config", configuration, "--kubeconfig", cluster.kubeconfig]
    with console.Step(f"creating cluster {cluster.name} of {len(shape.nodes)} nodes") as step:
        process.logged(command, log, timeout=CREATE_SECONDS, alive=lambda: step.progress("kind is at work"))
        if image.own:
            connect(cluster, len(shape.nodes))
        ready(cluster)


def _wake(cluster: kind_cluster.Cluster) -> None:
    nodes = cluster.nodes()
    process.run(["docker", "start", *nodes], timeout=READY_SECONDS)
    kubeconfig = kind_cluster.kind("get", "kubeconfig", "--name", cluster.name)
    cluster.kubeconfig.parent.mkdir(parents=True, exist_ok=True)
    cluster.kubeconfig.touch(mode=0o600)
    cluster.kubeconfig.write_text(kubeconfig, encoding="utf-8")
    if has_static_network(cluster, nodes[0]):
        connect(cluster, len(nodes))
    ready(cluster)


def _recorded(cluster: kind_cluster.Cluster) -> object:
    """How the cluster was made; None when its creation was never finished."""
    try:
        return json.loads(cluster.record.read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return None


def has_static_network(cluster: kind_cluster.Cluster, node: str) -> bool:
    """Whether the nodes are of our image, which leaves the network to us."""
    try:
        cluster.on_node(node, "test", "-x", "/usr/local/bin/pod-routes")
    except errors.CommandFailed:
        return False
    return True


def connect(cluster: kind_cluster.Cluster, count: int) -> None:
    """Give every node its network configuration and the routes to the others."""

    def addresses() -> tuple[network.NodeAddress, ...] | None:
        found = network.read(cluster.json("nodes"))
        return found if len(found) == count else None

    nodes = kind_cluster.wait_for(addresses, READY_SECONDS, f"a pod range for each of {count} nodes")
    for node in nodes:
        cluster.on_node(node.name, "sh", stdin=network.script(node, nodes).encode())


def ready(cluster: kind_cluster.Cluster, since: dt.datetime | None = None) -> None:
    """Wait until every node is Ready, and its kubelet has given a sign of life after `since`.

    A node that was just restarted is Ready for 40 s more in any case, by what its kubelet had said before.
    """

    def all_ready() -> bool:
        nodes = cluster.json("nodes")["items"]
        leases = cluster.json("leases", "--namespace", "kube-node-lease")["items"]
        heard = since is None or all(renewed(lease) > since for lease in leases)
        return heard and all(is_ready(node) for node in nodes)

    kind_cluster.wait_for(all_ready, READY_SECONDS, f"Ready nodes in cluster {cluster.name}")


def renewed(lease: dict[str, dict[str, str]]) -> dt.datetime:
    """When the kubelet of a Lease has given its last sign of life."""
    return dt.datetime.fromisoformat(lease["spec"]["renewTime"])


def is_ready(node: "dict[str, dict[str, list[dict[str, str]]]]") -> bool:
    """Whether a Node object says so of itself."""
    conditions = node["status"].get("conditions", [])
    return any(entry["type"] == "Ready" and entry["status"] == "True" for entry in conditions)
