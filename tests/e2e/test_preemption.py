"""A pod of high priority gets its run from others, and a large one gets its turn among endless small ones."""

import contextlib
import datetime as dt
from collections.abc import Iterator
from typing import Any

from kits.release import cluster_access, installation, workloads

CORES_OF_TRN1 = 32
SECONDS = 120
"""For evictions, pods that end with grace, and starts."""
STARVATION_SECONDS = 20
LONGEST_SECONDS = 15
SLACK_SECONDS = 40
"""Beside the wait and the longest run: a container's start and end, the proof that its processes are gone, binding."""
SMALL = ["sh", "-c", f"read up rest </proc/uptime; sleep $((3 + ${{up%.*}} % {LONGEST_SECONDS - 3}))"]


@contextlib.contextmanager
def _priority(cluster: cluster_access.Cluster, name: str, value: int) -> Iterator[str]:
    """Make a priority class."""
    kind = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": name}, "value": value}
    cluster.apply(kind)
    try:
        yield name
    finally:
        cluster.delete("priorityclass", name)


def _with(pod: dict[str, Any], **spec: Any) -> dict[str, Any]:
    pod["metadata"]["labels"] = {"app": pod["metadata"]["name"]}
    pod["spec"] |= spec
    return pod


def _budget(name: str, app: str) -> dict[str, Any]:
    """Return a budget that allows no end of this pod."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": name},
        "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": app}}},
    }


def _is_shared(cluster: cluster_access.Cluster, node: str) -> bool:
    """Whether kubelet has given one core to two containers."""
    devices = installation.kubelet_side(cluster, node).values()
    given = [(resource, one) for each in devices for resource, ids in each.items() for one in ids]
    return len(given) != len(set(given))


def test_pod_of_high_priority_gets_its_run_and_budgets_and_cores_are_held(
    cluster: cluster_access.Cluster, namespace: str, trn1: str
) -> None:
    """Of four pods with eight cores each two have to end; the budget of one of them forbids its end."""
    lingering = ["sh", "-c", "sleep 8"]  # the processes of a victim live on for so long
    for name in ("a", "b", "c", "d"):
        victim = workloads.pod(name, cores=8, node=trn1, pre_stop=lingering, grace_seconds=20)
        cluster.apply(_with(victim), namespace)
        workloads.wait_phases(cluster, namespace, {"Running": "abcd".index(name) + 1}, seconds=SECONDS)
    cluster.apply(_budget("keep", "b"), namespace)
    inside = ("--namespace", namespace)
    cluster.wait_for(
        lambda: "1" in cluster.kubectl("get", "pdb", "keep", "--output=jsonpath={.status.currentHealthy}", *inside),
        seconds=SECONDS,
        what=lambda: "the budget counted",
    )
    with _priority(cluster, f"urgent-{namespace}", 1000) as urgent:
        cluster.apply(_with(workloads.pod("big", cores=16, node=trn1), priorityClassName=urgent), namespace)
        ended = {"c", "d"}  # side by side, and neither is b
        assert "Ended for" in workloads.wait_event(cluster, namespace, "c", reason="Preempted", seconds=SECONDS)
        shared: list[bool] = []

        def runs() -> bool:
            shared.append(_is_shared(cluster, trn1))
            return "big" in workloads.names_in(cluster, namespace, "Running")

        cluster.wait_for(runs, seconds=SECONDS, what=lambda: f"big runs, now {workloads.phases(cluster, namespace)}")
    assert not any(shared)
    assert cluster.get("pods", "big", namespace)["status"].get("nominatedNodeName", trn1) == trn1
    assert workloads.names_in(cluster, namespace, "Running") == {"a", "b", "big"}
    assert ended.isdisjoint(workloads.uids(cluster, namespace))
    assert installation.grants_of(cluster, namespace, "big") == {"app": (trn1, 16, 16)}
    assert installation.agreement_verdict(cluster).complaints == ()


@contextlib.contextmanager
def _starvation(cluster: cluster_access.Cluster, seconds: int) -> Iterator[None]:
    """Let long waits begin so early; the operators start again for it, and once more at the end."""
    labels = installation.OPERATOR_LABELS
    (deployment,) = cluster.list("deployments", installation.NAMESPACE, labels=labels)
    name = f"deployment/{deployment['metadata']['name']}"
    inside = ("--namespace", installation.NAMESPACE)
    before = deployment["spec"]["template"]["spec"]["containers"][0]["env"]
    (usual,) = (each["value"] for each in before if each["name"] == "NEURONSPAN_STARVATION_SECONDS")

    def let(value: object) -> None:
        cluster.kubectl("set", "env", name, f"NEURONSPAN_STARVATION_SECONDS={value}", *inside)
        cluster.kubectl("rollout", "status", name, f"--timeout={SECONDS}s", *inside, seconds=SECONDS + 30)

    let(seconds)
    try:
        yield
    finally:
        let(usual)


def test_large_pod_starts_within_the_bound_while_small_ones_come_for_ever(
    cluster: cluster_access.Cluster, namespace: str, trn1: str
) -> None:
    with _starvation(cluster, STARVATION_SECONDS):
        small = workloads.job(
            "small",
            workloads.pod("unused", cores=1, node=trn1, command=SMALL),
            parallelism=CORES_OF_TRN1 + 8,
            completions=10_000,
            backoffLimit=100,
        )
        cluster.apply(small, namespace)
        cluster.wait_for(
            lambda: len(workloads.names_in(cluster, namespace, "Succeeded")) > CORES_OF_TRN1,
            seconds=2 * SECONDS,
            what=lambda: f"small pods that come and go, now {workloads.phases(cluster, namespace)}",
        )
        cluster.apply(workloads.pod("large", cores=CORES_OF_TRN1 // 2, node=trn1), namespace)
        bound = STARVATION_SECONDS + LONGEST_SECONDS + SLACK_SECONDS
        cluster.wait_for(
            lambda: "large" in workloads.names_in(cluster, namespace, "Running"),
            seconds=2 * bound,
            what=lambda: f"large runs, says {workloads.unscheduled(cluster, namespace, 'large')}",
        )
        assert _waited(cluster.get("pods", "large", namespace)) <= bound
        assert len(workloads.names_in(cluster, namespace, "Running")) > 1, "small ones come all the same"
        cluster.delete("job", "small", namespace)


def _waited(pod: dict[str, Any]) -> float:
    """Return the seconds from a pod's creation until it was bound."""
    (bound,) = (each for each in pod["status"]["conditions"] if each["type"] == "PodScheduled")
    moments = (pod["metadata"]["creationTimestamp"], bound["lastTransitionTime"])
    asked, there = (dt.datetime.fromisoformat(each) for each in moments)
    return (there - asked).total_seconds()
