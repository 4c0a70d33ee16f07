"""The installation pages, run as they are written, from the files of a release alone.

The page of kind comes last: it makes a cluster of its own, of the same name, and ends with its removal.
"""

from pathlib import Path

from cluster import kind_cluster, kind_config, lifecycle
from kits.release import pages

WORKERS = kind_config.Shape(pages.CLUSTER).workers
AWAY = """
helm uninstall neuronspan --namespace neuronspan-restricted --wait
kubectl label node NODE neuronspan.dev/instance-type-
kubectl delete crd neuronnodes.neuronspan.dev neuronpools.neuronspan.dev
"""
"""What the page of EKS leaves to its reader."""


def test_command_line_is_installed_as_the_index_says(release: Path, programs: Path, tmp_path: Path) -> None:
    pages.follow(pages.script(pages.text_of("index"), {}), release, tmp_path, programs, tmp_path / "none")


def test_nodes_without_a_registry_get_the_images_from_files(
    release: Path, programs: Path, cluster: kind_cluster.Cluster, tmp_path: Path
) -> None:
    here = {"node-1 node-2": " ".join(WORKERS), 'ssh "$1" sudo': 'docker exec --interactive "$1"'}
    script = pages.script(pages.text_of("air-gapped"), here)
    pages.follow(script, release, tmp_path, programs, cluster.kubeconfig)


def test_nodes_pull_from_a_registry_of_ones_own(
    release: Path, programs: Path, cluster: kind_cluster.Cluster, registry: str, tmp_path: Path
) -> None:
    plain = {"crane push": "crane push --insecure", "crane digest": "crane digest --insecure"}
    plain |= {"helm push": "helm push --plain-http", "helm install": "helm install --plain-http"}
    here = {"registry.example.com/team": registry, "node-1": WORKERS[0], **plain}
    script = pages.script(pages.text_of("own-registry"), here)
    pages.follow(script, release, tmp_path, programs, cluster.kubeconfig)


def test_what_eks_needs_of_kubernetes(
    release: Path, programs: Path, cluster: kind_cluster.Cluster, registry: str, tmp_path: Path
) -> None:
    """After the page of a registry, which fills it: the chart and the images come from there."""
    here = {"NODE": WORKERS[0], "neuronspan-system": "neuronspan-restricted"}
    script = pages.script(pages.text_of("eks"), {**here, "helm install": "helm install --plain-http"})
    whole = f"REGISTRY={registry}\n{script}{AWAY.replace('NODE', WORKERS[0])}"
    pages.follow(whole, release, tmp_path, programs, cluster.kubeconfig)


def test_kind(release: Path, programs: Path, cluster: kind_cluster.Cluster, tmp_path: Path) -> None:
    """On new nodes, which the page makes: what kubelet pulled from a registry it gives nobody under another name."""
    lifecycle.down(pages.CLUSTER)
    assert not cluster.exists()
    pages.follow(pages.script(pages.text_of("kind"), {}), release, tmp_path, programs, tmp_path / "kubeconfig")
    assert not cluster.exists()
