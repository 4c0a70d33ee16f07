"""Measure starts on a kind cluster: `python -m performance.kind --cluster-name neuronspan-e2e` (after `make cluster`).

The chart is installed if it is not. Each round starts one plain pod and one with a NeuronCore on the same node, and
waits until kubelet says that the container runs; the difference and the ratio are those of each round. Exits 1 when the
median difference is above its limit.
"""

import argparse
import contextlib
import statistics
import sys
import time
from collections.abc import Sequence
from typing import Any

import kubernetes

from cluster import kind_config
from kits.release import cluster_access, helm_release, workloads
from neuronspan import names

LIMIT_MS = 40.0
AIM_MS = 20.0
_NAMESPACE = "performance"
_PATIENCE_SECONDS = 60


def _runs(pod: Any) -> bool:
    statuses = pod.status.container_statuses or ()
    return any(each.state.running is not None for each in statuses)


def _start(api: kubernetes.client.CoreV1Api, manifest: dict[str, Any]) -> float:
    """Create a pod, wait until its container runs, delete it, and return the milliseconds from creation to start."""
    name = manifest["metadata"]["name"]
    version = api.list_namespaced_pod(_NAMESPACE, limit=1).metadata.resource_version
    begun = time.monotonic()
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
    taken = time.monotonic() - begun
    watch.stop()
    api.delete_namespaced_pod(name, _NAMESPACE, grace_period_seconds=0)
    return taken * 1000


def _manifest(name: str, node: str, *, cores: int) -> dict[str, Any]:
    notes = {names.CORES_ANNOTATION: str(cores)} if cores else {}
    return workloads.pod(name, node=node, annotations=notes)


def measure(cluster: cluster_access.Cluster, rounds: int) -> list[tuple[float, float]]:
    """Return (plain, with a NeuronCore) of each round, in milliseconds; the first of each kind is thrown away."""
    node = kind_config.Shape(cluster.name).workers[0]
    api = kubernetes.client.CoreV1Api(kubernetes.config.new_client_from_config(str(cluster.kubeconfig)))
    found = []
    for number in range(rounds + 1):
        taken = {}
        for cores in (0, 1) if number % 2 else (1, 0):
            taken[cores] = _start(api, _manifest(f"start-{number}-{cores}", node, cores=cores))
            time.sleep(1.0)  # the pod before is gone, and nothing else is going on
        found.append((taken[0], taken[1]))
    return found[1:]


def table(found: Sequence[tuple[float, float]]) -> str:
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
            found = measure(cluster, options.rounds)
        finally:
            cluster.delete("namespace", _NAMESPACE)
    more = statistics.median(one - other for other, one in found)
    sys.stdout.write(f"{table(found)}\nlimit: {LIMIT_MS:g} ms more, aim: {AIM_MS:g} ms\n")
    sys.exit(more > LIMIT_MS)


if __name__ == "__main__":
    main()
