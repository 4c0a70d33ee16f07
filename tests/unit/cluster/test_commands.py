import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from cluster import __main__ as command_line
from cluster import engine_images, errors, kind_cluster, kind_shim, layout, lifecycle, loading, requirements, tools

PYPROJECT = """
[project]
name = "neuronspan"
[project.optional-dependencies]
operator = ["kopf>=1.45", "aiohttp"]
cli = ["click", "neuronspan[dev]"]
dev = ["neuronspan[operator, cli]", "pytest"]
"""


def test_requirements_follow_references_to_own_extras() -> None:
    assert requirements.of_extras(PYPROJECT, ["dev"]) == ("aiohttp", "click", "kopf>=1.45", "pytest")


def test_requirements_name_an_extra_that_does_not_exist() -> None:
    with pytest.raises(KeyError, match="runtime"):
        requirements.of_extras(PYPROJECT, ["runtime"])


def test_pins_are_read_from_the_report_of_pip() -> None:
    report = {"install": [{"metadata": {"name": "b", "version": "2"}}, {"metadata": {"name": "A", "version": "1"}}]}
    assert requirements.pins(json.dumps(report)) == ("A==1", "b==2")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Any]:
    """What the shim asks of the cluster tool."""
    calls: list[Any] = []
    monkeypatch.setenv("NEURONSPAN_CACHE", str(tmp_path))

    def up(name: str) -> kind_cluster.Cluster:
        calls.append(("up", name))
        cluster = kind_cluster.Cluster(name)
        cluster.kubeconfig.parent.mkdir(parents=True)
        cluster.kubeconfig.write_text("kubeconfig", encoding="ascii")
        return cluster

    def load(cluster: kind_cluster.Cluster, references: Mapping[str, Sequence[str]]) -> None:
        calls.append(("load", cluster.name, list(references)))

    monkeypatch.setattr(lifecycle, "up", up)
    monkeypatch.setattr(lifecycle, "down", lambda name: calls.append(("down", name)))
    monkeypatch.setattr(loading, "load", load)
    return calls


def test_shim_creates_the_cluster_and_hands_out_its_kubeconfig(asked: list[Any], tmp_path: Path) -> None:
    target = tmp_path / "other"
    kind_shim.main(["create", "cluster", "--name=c", f"--kubeconfig={target}"])
    assert asked == [("up", "c")]
    assert target.read_text(encoding="ascii") == "kubeconfig"


def test_shim_leaves_the_clusters_own_kubeconfig_alone(asked: list[Any], tmp_path: Path) -> None:
    kind_shim.main(["create", "cluster", "--name=c", f"--kubeconfig={layout.cache().kubeconfig('c')}", "--image=x"])
    assert (tmp_path / "c" / "kubeconfig").read_text(encoding="ascii") == "kubeconfig"


@pytest.mark.parametrize(
    ("words", "call"),
    [
        (["delete", "cluster", "--name=c", "--kubeconfig=/k"], [("down", "c")]),
        (["load", "docker-image", "--name", "c", "own/image:1"], [("load", "c", ["own/image:1"])]),
        (["get", "clusters"], []),
    ],
    ids=["delete", "load", "get"],
)
def test_shim_answers_what_pytest_kind_asks(asked: list[Any], words: list[str], call: list[Any]) -> None:
    assert kind_shim.main(words) == ""
    assert asked == call


def test_shim_refuses_what_it_does_not_know(asked: list[Any]) -> None:
    with pytest.raises(errors.ClusterError, match="not for"):
        kind_shim.main(["export", "logs", "--name", "c"])
    assert asked == []


class Nodes:
    """The images on each node, and every change asked of them."""

    def __init__(self, images: dict[str, set[str]]) -> None:
        self.images = images
        self.done: list[tuple[str, ...]] = []

    def on_node(self, _: kind_cluster.Cluster, node: str, *command: str) -> str:
        match command[4:]:
            case ("tag", "--force", source, target):
                self.done.append((node, source, target))
            case _:
                raise AssertionError(command)
        return ""


@pytest.mark.parametrize(
    ("known", "done"),
    [
        ({"sha256:1", "docker.io/own/a:key"}, [("w", "docker.io/own/a:key", "docker.io/own/a:1.0")]),
        (
            {"sha256:1"},
            [("w", "sha256:1", "docker.io/own/a:1.0"), ("w", "sha256:1", "docker.io/own/a:key")],
        ),
    ],
    ids=["only the version moves", "known under another name"],
)
def test_image_that_a_node_has_is_only_named(
    monkeypatch: pytest.MonkeyPatch, known: set[str], done: list[tuple[str, ...]]
) -> None:
    nodes = Nodes({"w": known})
    monkeypatch.setattr(kind_cluster.Cluster, "require", lambda _: None)
    monkeypatch.setattr(kind_cluster.Cluster, "on_node", lambda *words, **_: nodes.on_node(*words))
    monkeypatch.setattr(loading, "images_of", lambda _, node: frozenset(nodes.images[node]))
    monkeypatch.setattr(engine_images, "identity", lambda _: "sha256:1")
    loading.load(kind_cluster.Cluster("c"), {"own/a:key": ("own/a:1.0",)}, ["w"])
    assert sorted(nodes.done) == done


def test_unknown_image_is_named_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kind_cluster.Cluster, "require", lambda _: None)
    monkeypatch.setattr(engine_images, "identity", lambda _: None)
    with pytest.raises(errors.NoImage, match="no image own/a:1: run `make images`"):
        loading.load(kind_cluster.Cluster("c"), {"own/a:1": ()}, ["w"])


def test_failure_is_one_sentence_and_exit_status_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NEURONSPAN_CACHE", str(tmp_path))
    assert command_line.main(["status", "--name", "c"]) == 1
    assert (
        capsys.readouterr().err
        == "cluster: kind is not built yet: run `make tools` (about 15 minutes the first time)\n"
    )


def test_paths_are_printed_without_making_anything(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NEURONSPAN_CACHE", str(tmp_path))
    assert command_line.main(["tools", "--path"]) == 0
    assert command_line.main(["venv", "--path"]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == str(tools.bin_directory())
    assert Path(printed[1]).parent == tmp_path / "venv"
    assert list(tmp_path.iterdir()) == []
