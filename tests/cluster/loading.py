"""Images from the engine into the nodes of a cluster, only where they are not yet."""

import contextlib
import functools
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path

from cluster import console, engine_images, errors, kind_cluster, layout, process, scopes

LOAD_SECONDS = 600.0
SAVE_SECONDS = 300.0
START_SECONDS = 120.0
CONTAINERD = ("ctr", "--namespace", "k8s.io", "images")


def load(cluster: kind_cluster.Cluster, references: Mapping[str, Sequence[str]], nodes: Sequence[str] = ()) -> None:
    """Make sure that `nodes`, the workers by default, have the images; `references` maps each to further names."""
    cluster.require()
    _load(cluster, references, tuple(nodes) or workers(cluster.nodes()))


def load_early(cluster: kind_cluster.Cluster, references: Mapping[str, Sequence[str]], nodes: Sequence[str]) -> None:
    """The same on nodes that kind is just starting, as soon as the container runtime of each answers."""

    def answers(node: str) -> bool:
        images_of(cluster, node)
        return True

    for node in nodes:
        kind_cluster.wait_for(functools.partial(answers, node), START_SECONDS, f"a container runtime on {node}")
    _load(cluster, references, nodes)


def _load(cluster: kind_cluster.Cluster, references: Mapping[str, Sequence[str]], targets: Sequence[str]) -> None:
    identities = {reference: _identity(reference) for reference in references}
    present = {node: images_of(cluster, node) for node in targets}
    for nodes_alike, lacking in lacks(present, identities).items():
        _import(cluster, lacking, nodes_alike)
    for reference, aliases in references.items():
        for node in targets:
            _name(cluster, node, reference, identities[reference], aliases)


def lacks(
    present: Mapping[str, AbstractSet[str]], identities: Mapping[str, str]
) -> dict[tuple[str, ...], tuple[str, ...]]:
    """What has to be imported: groups of nodes, each with the images that just these nodes lack. Pure.

    One archive per group: the images share most of their layers, and an archive holds a layer once.
    """
    groups: dict[tuple[str, ...], list[str]] = {}
    for node, images in present.items():
        lacking = tuple(reference for reference, identity in identities.items() if identity not in images)
        if lacking:
            groups.setdefault(lacking, []).append(node)
    return {tuple(nodes): lacking for lacking, nodes in groups.items()}


def _identity(reference: str) -> str:
    identity = engine_images.identity(reference)
    if identity is None:
        raise errors.NoImage(f"the engine has no image {reference}: run `make images`, or build it")
    return identity


def workers(nodes: Sequence[str]) -> tuple[str, ...]:
    """The nodes that run pods: all but the control plane, or that one when it is alone."""
    return tuple(node for node in nodes if not node.endswith("-control-plane")) or tuple(nodes)


def _import(cluster: kind_cluster.Cluster, references: Sequence[str], nodes: Sequence[str]) -> None:
    step = console.Step(f"loading {', '.join(references)} on {', '.join(nodes)}")
    with step, _saved(references) as archive, scopes.Crew() as crew:
        for node in nodes:
            command = (*CONTAINERD, "import", "--all-platforms", "-")
            crew.start(cluster.on_node, node, *command, stdin=archive, timeout=LOAD_SECONDS)


def _name(cluster: kind_cluster.Cluster, node: str, reference: str, identity: str, aliases: Sequence[str]) -> None:
    """Return an image its present names: a version's name moves from image to image."""
    known = images_of(cluster, node)
    source = full_name(reference) if full_name(reference) in known else identity
    for name in {reference, *aliases} - ({reference} & known):
        if full_name(name) != source:
            cluster.on_node(node, *CONTAINERD, "tag", "--force", source, full_name(name))


def images_of(cluster: kind_cluster.Cluster, node: str) -> frozenset[str]:
    """The names of the images on a node; each image's id, `sha256:...`, is one of its names."""
    return frozenset(cluster.on_node(node, *CONTAINERD, "list", "--quiet").split())


def full_name(reference: str) -> str:
    """A name with its registry spelled out, as container runtimes keep it."""
    first, _, rest = reference.partition("/")
    if rest and ("." in first or ":" in first or first == "localhost"):
        return reference
    return f"docker.io/{reference}" if rest else f"docker.io/library/{reference}"


@contextlib.contextmanager
def _saved(references: Sequence[str]) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix=".saved-", dir=layout.cache().root) as directory:
        path = Path(directory) / "images.tar"
        process.run(["docker", "save", "--output", path, *references], timeout=SAVE_SECONDS)
        yield path
