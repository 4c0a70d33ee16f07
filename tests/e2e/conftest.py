"""A real cluster with the product installed, for the tests of this folder.

pytest-kind provides the fixture `kind_cluster`; its `kind` is our cluster tool, so the cluster is the one of
`make cluster`, created when there is none and kept at the end (`make cluster-down` removes it).
"""

import contextlib
import itertools
import os
import pathlib
from collections.abc import Generator, Iterator

import pytest
import pytest_kind

from cluster import kind_cluster as kind
from cluster import kind_config, layout, logs, tools
from kits.release import cluster_access, helm_release, workloads

HERE = pathlib.Path(__file__).parent
SHIM = HERE.parent / "cluster" / "kind-shim"
CLUSTER_NAME = "neuronspan-e2e"
PYTEST_KIND_NAME = "pytest-kind"
"""The name pytest-kind takes when it is given none."""
TEST_SECONDS = 900
"""For one test with the cluster's creation, which the first one waits for."""
CLEAN_SECONDS = 120

_numbers = itertools.count(1)
_failed = pytest.StashKey[bool]()


def pytest_configure(config: pytest.Config) -> None:
    """Tell pytest-kind what to use, where the command line did not."""
    option = config.option
    if option.cluster_name == PYTEST_KIND_NAME:
        option.cluster_name = CLUSTER_NAME
    kubeconfig = layout.cache().kubeconfig(option.cluster_name)
    option.kubeconfig = option.kubeconfig or str(kubeconfig)
    option.kind_bin = option.kind_bin or str(SHIM)
    option.kind_kubectl_bin = option.kind_kubectl_bin or str(tools.bin_directory() / "kubectl")
    option.keep_cluster = True


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test here needs the cluster, and more time than others."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.kind)
            if not item.get_closest_marker("timeout"):
                item.add_marker(pytest.mark.timeout(TEST_SECONDS))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Remember failures for the fixtures' end."""
    report = yield
    if report.failed:
        item.stash[_failed] = True
    return report


@pytest.fixture(scope="session", autouse=True)
def _state_directory(pytestconfig: pytest.Config) -> None:
    """pytest-kind touches the kubeconfig before anybody could have made its directory."""
    pathlib.Path(pytestconfig.option.kubeconfig).parent.mkdir(parents=True, exist_ok=True)


@pytest.fixture(scope="session")
def cluster(_state_directory: None, kind_cluster: pytest_kind.KindCluster) -> Iterator[cluster_access.Cluster]:
    """The cluster with the chart installed: pool trn1 on the first worker, pool inf2 on the second."""
    with contextlib.closing(cluster_access.of_kind(kind_cluster.name)) as access:
        helm_release.install(access)
        yield access


@pytest.fixture(scope="session")
def trn1(cluster: cluster_access.Cluster) -> str:
    """The node that plays a trn1.32xlarge: 32 NeuronCores on 16 devices."""
    return kind_config.Shape(cluster.name).workers[0]


@pytest.fixture(scope="session")
def inf2(cluster: cluster_access.Cluster) -> str:
    """The node that plays an inf2.48xlarge: 24 NeuronCores on 12 devices."""
    return kind_config.Shape(cluster.name).workers[1]


@pytest.fixture
def namespace(cluster: cluster_access.Cluster, request: pytest.FixtureRequest) -> Iterator[str]:
    """A namespace of the test's own; it ends with all cores of its pods free again."""
    name = f"e2e-{os.getpid()}-{next(_numbers)}"
    cluster.kubectl("create", "namespace", name)
    yield name
    if request.node.stash.get(_failed, False):
        request.node.add_report_section("teardown", "pods", workloads.statuses(cluster, name))
        evidence = layout.cache().root / "logs" / "e2e" / request.node.name
        logs.collect(kind.Cluster(cluster.name), evidence)
        request.node.add_report_section("teardown", "cluster", f"the cluster's state and logs are in {evidence}")
    # a Job keeps its finalizer on a failed pod until it has made the next one, which it cannot in a namespace that ends
    cluster.kubectl("delete", "jobs", "--all", "--namespace", name, "--wait=false")
    cluster.kubectl("delete", "pods", "--all", "--namespace", name, "--wait=false", "--grace-period=1")
    cluster.delete("namespace", name)

    def left() -> list[str]:
        objects = [item["metadata"]["name"] for item in cluster.list("pods", name)]
        grants = [
            f"grant of {grant['pod']}"
            for node in cluster.list("neuronnodes.neuronspan.dev")
            for grant in node["spec"].get("grants", [])
            if grant["namespace"] == name
        ]
        return objects + grants

    cluster.wait_for(lambda: not left(), seconds=CLEAN_SECONDS, what=lambda: f"{name} empty, left are {left()}")
