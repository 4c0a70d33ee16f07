"""The life of a release while pods run: upgrade from the chart before this one, uninstallation, installation again.

Each test leaves the cluster as the others expect it, with this checkout's chart installed.
"""

import json
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from cluster import errors, kind_cluster, loading, process, product_images, tools
from kits.release import cluster_access, helm_release, installation, predecessor, workloads

SECONDS = 300.0
WHERE = ("--namespace", helm_release.NAMESPACE)
CRDS = ("neuronnodes.neuronspan.dev", "neuronpools.neuronspan.dev")


def helm(cluster: cluster_access.Cluster, *words: str | pathlib.Path, values: Mapping[str, Any] | None = None) -> str:
    """Run helm for the release; gives what it printed, with the words of hooks, which go to standard error."""
    given: list[str] = [] if values is None else ["--values", "-"]
    timeout = () if words[0] == "show" or "--timeout" in words else ("--timeout", f"{SECONDS:.0f}s")
    command = [tools.program("helm"), *words, "--kubeconfig", cluster.kubeconfig, *timeout, *given]
    both = ["sh", "-c", 'exec "$@" 2>&1', "sh"]
    return process.run([*both, *command], timeout=SECONDS + 60, stdin=json.dumps(values or {}).encode())


@pytest.fixture
def release(cluster: cluster_access.Cluster, namespace: str) -> Iterator[cluster_access.Cluster]:
    """The cluster, whose release may be taken away: it is back at the end, before the pods of the test go."""
    assert namespace
    yield cluster
    helm_release.install(cluster)


def held(cluster: cluster_access.Cluster, namespace: str) -> dict[str, Any]:
    """Return everything that must not change for pods that run: who they are, their restarts, their cores."""
    return {
        item["metadata"]["name"]: (
            item["metadata"]["uid"],
            [status["restartCount"] for status in item["status"].get("containerStatuses", [])],
            [status["containerID"] for status in item["status"].get("containerStatuses", [])],
            installation.grants_of(cluster, namespace, item["metadata"]["name"]),
        )
        for item in cluster.list("pods", namespace)
    }


def uids(cluster: cluster_access.Cluster, labels: str) -> set[str]:
    """Return who the pods of a component are."""
    return {item["metadata"]["uid"] for item in cluster.list("pods", installation.NAMESPACE, labels=labels)}


def wait_gone(cluster: cluster_access.Cluster, kinds: str, *where: str, part: str = helm_release.RELEASE) -> None:
    """Wait until no object of these kinds has this in its name; pods end a little later than what made them."""

    def left() -> list[str]:
        named = cluster.kubectl("get", kinds, *where, "--output", "name")
        return [line for line in named.splitlines() if part in line]

    cluster.wait_for(lambda: not left(), seconds=60, what=lambda: f"nothing left, there is {left()}")


def ids_of(cluster: cluster_access.Cluster, node: str) -> dict[str, set[str]]:
    """Return the device IDs that kubelet lists for each pod of a node."""
    listed = installation.kubelet_side(cluster, node).items()
    return {name.pod: {each for ids in devices.values() for each in ids} for name, devices in listed}


def cores_of(cluster: cluster_access.Cluster, namespace: str, pod: str) -> list[int]:
    """Return the cores that the ledger gives to the pod's container ``app``."""
    _, first, count = installation.grants_of(cluster, namespace, pod)["app"]
    return list(range(first, first + count))


def uninstall(cluster: cluster_access.Cluster) -> str:
    """Uninstall with the chart's hooks; gives what helm said, the Job's words among it."""
    return helm(cluster, "uninstall", helm_release.RELEASE, *WHERE, "--wait")


def test_upgrade_from_the_chart_before_touches_no_running_pod(
    release: cluster_access.Cluster, namespace: str, trn1: str, inf2: str, tmp_path: pathlib.Path
) -> None:
    if not predecessor.is_in_history():
        pytest.skip(f"a shallow clone: the plugin of commit {predecessor.PLUGIN_COMMIT[:7]} is in the history alone")
    uninstall(release)
    release.kubectl("delete", "customresourcedefinitions", *CRDS)  # those of the predecessor come with its release
    values = helm_release.values(product_images.loadable())
    before = predecessor.chart(tmp_path)
    image = predecessor.build_plugin(tmp_path)
    loading.load(kind_cluster.Cluster(release.name), {image: ()})
    then = {**values, "devicePlugin": {**values["devicePlugin"], "image": {"tag": image.rpartition(":")[2]}}}
    helm(release, "install", helm_release.RELEASE, before, *WHERE, "--wait", values=then)
    release.apply_all([workloads.pod("a", cores=4, node=trn1), workloads.pod("b", cores=24, node=inf2)], namespace)
    workloads.wait_phases(release, namespace, {"Running": 2}, seconds=120)
    running = held(release, namespace)
    former = {node: ids_of(release, node) for node in (trn1, inf2)}
    assert former[trn1]["a"] == {f"nc-{core}" for core in cores_of(release, namespace, "a")}
    plugins = uids(release, installation.PLUGIN_LABELS)

    shown = helm(release, "show", "crds", helm_release.CHART)
    release.kubectl("apply", "--server-side", "--force-conflicts", "--filename", "-", stdin=shown)
    rolled = {
        "podAnnotations": {"example.com/rolled": "yes"}
    }  # the operator's image is the same one: this makes new pods of both
    for component in ("operator", "devicePlugin"):
        values[component] = {**values[component], **rolled}
    helm(release, "upgrade", helm_release.RELEASE, helm_release.CHART, *WHERE, "--wait", values=values)
    release.wait_for(
        lambda: not plugins & uids(release, installation.PLUGIN_LABELS),
        seconds=SECONDS,
        what=lambda: "every device plugin replaced",
    )
    assert held(release, namespace) == running
    release.wait_for(
        lambda: installation.agreement_verdict(release).complaints == (),
        seconds=60,
        what=lambda: str(installation.agreement_verdict(release)),
    )
    release.apply_all([workloads.pod("c", cores=28, node=trn1)], namespace)
    workloads.wait_phases(release, namespace, {"Running": 3}, seconds=120)
    assert {name: state for name, state in held(release, namespace).items() if name != "c"} == running
    # kubelet calls the cores of pods of before as it did, those of pods since then by their numbers
    assert ids_of(release, inf2) == former[inf2]
    assert ids_of(release, trn1) == former[trn1] | {"c": set(map(str, cores_of(release, namespace, "c")))}


def test_uninstallation_leaves_running_pods_alone_and_no_object_of_its_own(
    release: cluster_access.Cluster, namespace: str, trn1: str
) -> None:
    release.apply_all(
        [workloads.pod("runs", cores=30, node=trn1), workloads.pod("waits", cores=31, node=trn1)], namespace
    )
    workloads.wait_phases(release, namespace, {"Running": 1, "Pending": 1}, seconds=120)
    running = held(release, namespace)

    said = uninstall(release)
    assert f"pods that wait for NeuronCores: 1 ({namespace}/waits)" in said
    assert held(release, namespace) == running
    wait_gone(release, "jobs,pods,deployments,daemonsets,serviceaccounts,roles,rolebindings", *WHERE)
    wait_gone(release, "clusterroles,clusterrolebindings,validatingadmissionpolicies,mutatingadmissionpolicies")
    assert set(installation.neuron_nodes(release)) >= {trn1}

    helm_release.install(release)
    release.wait_for(
        lambda: installation.agreement_verdict(release).complaints == (),
        seconds=60,
        what=lambda: str(installation.agreement_verdict(release)),
    )
    assert held(release, namespace)["runs"] == running["runs"]
    release.delete("pod", "runs", namespace)
    workloads.wait_phases(release, namespace, {"Running": 1}, seconds=120)  # and what waited is scheduled now


def test_failed_uninstallation_leaves_no_job(release: cluster_access.Cluster) -> None:
    """The Job cannot start: its image does not exist."""
    values = helm_release.values(product_images.loadable())
    values["operator"] = {**values["operator"], "image": {"tag": "none"}}
    helm(release, "upgrade", helm_release.RELEASE, helm_release.CHART, *WHERE, values=values)
    with pytest.raises(errors.CommandFailed, match="timed out waiting"):
        helm(release, "uninstall", helm_release.RELEASE, *WHERE, "--timeout", "20s")
    # the way out that the page names
    helm(release, "uninstall", helm_release.RELEASE, *WHERE, "--no-hooks")
    freed = '{"metadata":{"finalizers":null}}'
    for pool in release.list("neuronpools.neuronspan.dev"):
        release.kubectl("patch", "neuronpools", pool["metadata"]["name"], "--type", "merge", "--patch", freed)
    wait_gone(release, "jobs,pods,serviceaccounts,roles,rolebindings", *WHERE, part="cleanup")
