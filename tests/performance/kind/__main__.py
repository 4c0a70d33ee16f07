"""Measure starts on a kind cluster: `python -m performance.kind --cluster-name neuronspan-e2e` (after `make cluster`).

The chart is installed if it is not. Each round starts one plain pod and one with a NeuronCore on the same node, and
waits until kubelet says that the container runs; the difference and the ratio are those of each round. Below stands
where the time of a pod with a NeuronCore went, by the logs of operator and node agent. Exits 1 when the median
difference is above its limit.
"""

import argparse
import contextlib
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

import kubernetes

from cluster import kind_config
from kits.release import cluster_access, helm_release, workloads
from neuronspan import names
from performance.kind import stages

LIMIT_MS = 40.0
AIM_MS = 20.0
_NAMESPACE = "performance"
_PATIENCE_SECONDS = 60


def _runs(pod: Any) -> bool:
    statuses = pod.status.container_statuses or ()
    return any(each.state.running is not None for each in statuses)


def _start(api: kubernetes.client.CoreV1Api, manifest: dict[str, Any]) -> tuple[float, float]:
    """Create a pod, wait until its container runs, delete it, and return when it was created and when it started."""
    name = manifest["metadata"]["name"]
    version = api.list_namespaced_pod(_NAMESPACE, limit=1).metadata.resource_version
    begun = time.time()
    api.create_namespaced_pod(_NAMESPACE, manifest)
    watch = kubernetes.watch.Watch()
    events = watch.stream(
        api.list_namespaced_pod,
        _NAMESPACE,
        field_selector=f"metadata.name={name}",
        resource_version=version,
        timeout_seconds=_PATIENCE_SECONDS,
    )
    for event in events:
        if _runs(event["object"]):
            break
    else:
        raise TimeoutError(f"pod {name} did not start within {_PATIENCE_SECONDS} s")
    started = time.time()
    watch.stop()
    api.delete_namespaced_pod(name, _NAMESPACE, grace_period_seconds=0)
    return begun, started


def _manifest(name: str, node: str, *, cores: int) -> dict[str, Any]:
    notes = {names.CORES_ANNOTATION: str(cores)} if cores else {}
    return workloads.pod(name, node=node, annotations=notes)


def measure(cluster: cluster_access.Cluster, rounds: int) -> list[dict[str, tuple[float, float]]]:
    """Return creation and start of each pod by its name, the plain one first; the first round is left out."""
    node = kind_config.Shape(cluster.name).workers[0]
    api = kubernetes.client.CoreV1Api(kubernetes.config.new_client_from_config(str(cluster.kubeconfig)))
    found = []
    for number in range(rounds + 1):
        pods = [f"start-{number}-{cores}" for cores in (0, 1)]
        taken = {}
        for cores in (0, 1) if number % 2 else (1, 0):
            taken[pods[cores]] = _start(api, _manifest(pods[cores], node, cores=cores))
            time.sleep(1.0)  # the pod before is gone, and nothing else is going on
        found.append({pod: taken[pod] for pod in pods})
    return found[1:]


def staged(cluster: cluster_access.Cluster, started: Mapping[str, tuple[float, float]]) -> str:
    """Return the table of what each stage of these pods took, by the logs of the installed product."""
    running = cluster.list("pods", helm_release.NAMESPACE)
    lines = [
        line
        for pod in running
        for line in cluster.kubectl(
            "logs", "--timestamps", "--namespace", helm_release.NAMESPACE, pod["metadata"]["name"]
        ).splitlines()
    ]
    return stages.table(
        [
            stages.milliseconds(created, stages.moments(lines, f"{_NAMESPACE}/{pod}", created), running)
            for pod, (created, running) in started.items()
        ]
    )


def table(found: Sequence[Sequence[float]]) -> str:
    """Return what was measured as a Markdown table."""
    plain, ours = ([round_[index] for round_ in found] for index in (0, 1))
    more = [one - other for other, one in found]
    ratios = [one / other for other, one in found]
    rows = (("plain, ms", plain), ("with a NeuronCore, ms", ours), ("more, ms", more), ("ratio", ratios))
    lines = ["| created to started | median | min | max |", "|---|---|---|---|"]
    lines += [f"| {what} | {statistics.median(v):.4g} | {min(v):.4g} | {max(v):.4g} |" for what, v in rows]
    return "\n".join(lines)


def main() -> None:
    """Measure as the command line says."""
    parser = argparse.ArgumentParser(prog="python -m performance.kind", description=__doc__)
    parser.add_argument("--cluster-name", default="neuronspan-e2e")
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args()
    with contextlib.closing(cluster_access.of_kind(options.cluster_name)) as cluster:
        helm_release.install(cluster)
        cluster.kubectl("create", "namespace", _NAMESPACE)
        try:
            started = measure(cluster, options.rounds)
            where = staged(cluster, dict(list(each.items())[1] for each in started))
        finally:
            cluster.delete("namespace", _NAMESPACE)
    found = [[1000 * (end - begin) for begin, end in each.values()] for each in started]
    more = statistics.median(one - other for other, one in found)
    sys.stdout.write(f"{table(found)}\n\n{where}\n\nlimit: {LIMIT_MS:g} ms more, aim: {AIM_MS:g} ms\n")
    sys.exit(more > LIMIT_MS)


if __name__ == "__main__":
    main()
