"""A release as a reader has it, a cluster of its own, and the programs that the pages call."""

import json
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import neuronspan
from cluster import errors, go_modules, kind_cluster, kind_config, layout, lifecycle, process, tools
from kits.release import pages

SECONDS = 1800.0
SHIM = layout.SOURCE / "kind-shim"
HOSTS_FOLDER = b"""
[plugins.'io.containerd.cri.v1.images'.registry]
  config_path = "/etc/containerd/certs.d"
"""
"""What containerd's configuration on a node needs, so that it reads what is said there of each registry."""
TAKE_HOSTS = "cat >> /etc/containerd/config.toml && systemctl restart containerd"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every page needs the cluster."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.kind)
            item.add_marker(pytest.mark.timeout(SECONDS))


@pytest.fixture(scope="session")
def release() -> Path:
    """The files of `make release`."""
    made = layout.CHECKOUT / "build/release" / neuronspan.__version__
    if not made.is_dir():
        raise errors.ClusterError(f"there is no release in {made}: run `make release` first")
    return made


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """kind, kubectl, helm and crane; the cluster tool, which has a node image, makes the cluster for kind."""
    directory = tmp_path_factory.mktemp("bin")
    for name in ("kubectl", "helm"):
        (directory / name).symlink_to(tools.program(name))
    (directory / "crane").symlink_to(tools.ensure(go_modules.CRANE) / "crane")
    shim, kind = (shlex.quote(str(path)) for path in (SHIM, tools.program("kind")))
    cases = (
        f'"create cluster") cat > /dev/null; exec {shim} create cluster --name "$4" --kubeconfig "$KUBECONFIG";;',
        f'"delete cluster") exec {shim} "$@";;',
        f'*) exec {kind} "$@";;',
    )
    (directory / "kind").write_text("\n".join(('#!/bin/sh\ncase "$1 $2" in', *cases, "esac\n")), encoding="utf-8")
    (directory / "kind").chmod(0o755)
    return directory


@pytest.fixture(scope="session")
def cluster() -> Iterator[kind_cluster.Cluster]:
    """A new cluster: no node has an image of ours."""
    lifecycle.down(pages.CLUSTER)
    try:
        yield lifecycle.up(pages.CLUSTER)
    finally:
        lifecycle.down(pages.CLUSTER)


@pytest.fixture(scope="session")
def registry(cluster: kind_cluster.Cluster, programs: Path) -> Iterator[str]:
    """A registry on the nodes' own network that speaks plain HTTP, and nodes that know it: host and prefix."""
    (network,) = json.loads(process.run(["docker", "network", "inspect", "kind"], timeout=60))
    gateway = next(each["Gateway"] for each in network["IPAM"]["Config"] if "." in each.get("Gateway", ""))
    command = [str(programs / "crane"), "registry", "serve", "--address", f"{gateway}:0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as served:
        assert served.stderr is not None
        line = next(line for line in served.stderr if "serving on" in line)
        host = f"{gateway}:{line.split()[-1].rpartition(':')[2]}"
        for node in kind_config.Shape(cluster.name).workers:
            hosts = f'server = "http://{host}"\n'.encode()
            place = f"/etc/containerd/certs.d/{host}"
            cluster.on_node(node, "sh", "-ec", f'mkdir -p "{place}" && cat > "{place}/hosts.toml"', stdin=hosts)
            cluster.on_node(node, "sh", "-ec", TAKE_HOSTS, stdin=HOSTS_FOLDER)
        try:
            yield f"{host}/team"
        finally:
            served.terminate()
