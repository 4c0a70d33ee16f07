"""Every example folder, run by the demo itself, and what its README promises."""

import contextlib
import io
import json
import pathlib
import runpy
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from kits.release import cluster_access, installation, workloads

EXAMPLES = pathlib.Path(__file__).parents[2] / "examples"
NAMESPACE = "neuronspan-examples"
CLEAN_SECONDS = 120


@pytest.fixture(scope="module")
def demo(cluster: cluster_access.Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run the demo on this cluster and give what it printed; the examples stay until the module ends."""
    svg = tmp_path_factory.mktemp("demo") / "map.svg"
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        runpy.run_path(str(EXAMPLES / "demo.py"))["main"](["--cluster", cluster.name, "--svg", str(svg)])
    assert svg.read_text(encoding="utf-8").startswith("<svg")
    yield printed.getvalue()
    cluster.kubectl("delete", "-k", str(EXAMPLES), "--wait=false", "--ignore-not-found")
    cluster.wait_for(
        lambda: not cluster.exists("namespaces", NAMESPACE),
        seconds=CLEAN_SECONDS,
        what=lambda: f"namespace {NAMESPACE} gone, left are {workloads.phases(cluster, NAMESPACE)}",
    )


def _report(cluster: cluster_access.Cluster, pod: str, container: str = "app") -> Mapping[str, Any]:
    lines = cluster.logs(NAMESPACE, pod, container=container).splitlines()
    return dict(json.loads(next(line for line in lines if line.startswith("{"))))


def _pods(cluster: cluster_access.Cluster, labels: str) -> list[str]:
    return [item["metadata"]["name"] for item in cluster.list("pods", NAMESPACE, labels=labels)]


@pytest.mark.usefixtures("demo")
class TestStories:
    def test_annotated_pod_has_four_neighbouring_cores_of_its_own_choice_of_none(
        self, cluster: cluster_access.Cluster
    ) -> None:
        ((_, first, count),) = installation.grants_of(cluster, NAMESPACE, "annotated").values()
        seen = cluster.execute(NAMESPACE, "annotated", "printenv", "NEURON_RT_VISIBLE_CORES").strip()
        assert count == 4
        assert seen == f"{first}-{first + 3}"

    def test_model_ran_on_the_pods_own_cores_and_equals_the_cpu(self, cluster: cluster_access.Cluster) -> None:
        ((_, first, _),) = installation.grants_of(cluster, NAMESPACE, "annotated").values()
        report = _report(cluster, "annotated")
        assert report["owned"] == f"{first}-{first + 3}"
        assert report["placement"] == [str(first)]
        assert report["replicas"] == [str(core) for core in range(first, first + 4)]
        assert report["largest error"] < 1e-5

    def test_chained_models_stay_in_hbm(self, cluster: cluster_access.Cluster) -> None:
        assert _report(cluster, "annotated")["chain"] == "neuron:0"

    def test_second_process_is_refused_in_the_words_of_the_real_runtime(self, cluster: cluster_access.Cluster) -> None:
        ((_, first, _),) = installation.grants_of(cluster, NAMESPACE, "annotated").values()
        wanted = f"NeuronCore(s) not available - Requested:nc{first}-nc{first + 3} Available:0"
        assert wanted in _report(cluster, "annotated")["second process"]

    def test_replicas_have_a_run_each(self, cluster: cluster_access.Cluster) -> None:
        pods = _pods(cluster, "app=replicas")
        spans = [next(iter(installation.grants_of(cluster, NAMESPACE, pod).values())) for pod in pods]
        cores = [(node, core) for node, first, count in spans for core in range(first, first + count)]
        assert [count for _, _, count in spans] == [4, 4, 4]
        assert len(set(cores)) == 12

    def test_job_in_count_mode_got_two_cores_and_gave_them_back(self, cluster: cluster_access.Cluster) -> None:
        (pod,) = _pods(cluster, "job-name=count-mode")
        first, _, last = _report(cluster, pod)["owned"].partition("-")
        assert int(last) == int(first) + 1
        cluster.wait_for(
            lambda: not installation.grants_of(cluster, NAMESPACE, pod),
            seconds=30,
            what=lambda: f"the grant of the finished pod {pod} gone",
        )

    def test_two_containers_have_runs_of_their_own_on_one_node(self, cluster: cluster_access.Cluster) -> None:
        grants = installation.grants_of(cluster, NAMESPACE, "two-containers")
        (node, vision, two), (other, text, three) = grants["vision"], grants["text"]
        assert (node, two, three) == (other, 2, 3)
        assert not set(range(vision, vision + 2)) & set(range(text, text + 3))

    def test_resource_form_gets_whole_devices(self, cluster: cluster_access.Cluster) -> None:
        ((_, first, count),) = installation.grants_of(cluster, NAMESPACE, "resource-form").values()
        assert (first % 2, count) == (0, 4)

    def test_pod_that_never_fits_waits_and_says_why(self, cluster: cluster_access.Cluster) -> None:
        pod = cluster.get("pods", "never-fits", NAMESPACE)
        assert pod["spec"]["schedulerName"] == "neuronspan"
        assert "nodeName" not in pod["spec"]
        message = workloads.wait_event(cluster, NAMESPACE, "never-fits", reason="FailedScheduling")
        assert message.endswith("(NeverFits)")
        assert "40 NeuronCores" in message
        assert "32 NeuronCores" in message


def test_demo_says_in_one_line_whether_all_is_well(demo: str) -> None:
    flat = " ".join(demo.split())
    assert "every span is contiguous and exclusive" in flat
    assert "ledger, kubelet PodResources and container environment agree" in flat
    assert "40 NeuronCores" in flat
