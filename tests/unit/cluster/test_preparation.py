import threading
from collections.abc import Mapping, Sequence

import pytest

from cluster import (
    engine,
    errors,
    kind_cluster,
    lifecycle,
    loading,
    preparation,
    product_images,
    reader_image,
    tools,
    virtual_environment,
)

IMAGES = {"own/operator:key": ("own/operator:1.0",)}


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was done, in its order, on a machine where the images take longest."""
    steps: list[str] = []
    waiting = threading.Event()

    def build_all() -> dict[str, str]:
        assert waiting.wait(1.5)
        steps.append("images")
        return {"runtime": "own/runtime:key"}

    def up(name: str, early: lifecycle.Early) -> kind_cluster.Cluster:
        cluster = kind_cluster.Cluster(name)
        steps.append("nodes")
        waiting.set()
        early(cluster, ("w1", "w2"))
        return cluster

    def load_early(_: object, images: Mapping[str, Sequence[str]], nodes: Sequence[str]) -> None:
        assert images == IMAGES
        steps.append(f"load on {' '.join(nodes)}")

    monkeypatch.setattr(engine, "ensure", lambda: None)
    monkeypatch.setattr(product_images, "build_all", build_all)
    monkeypatch.setattr(reader_image, "build_upon", lambda runtime: steps.append(f"readers upon {runtime}"))
    monkeypatch.setattr(product_images, "loadable", lambda: IMAGES)
    monkeypatch.setattr(lifecycle, "up", up)
    monkeypatch.setattr(loading, "load_early", load_early)
    monkeypatch.setattr(tools, "need", lambda *names: steps.extend(f"need {name}" for name in names))
    monkeypatch.setattr(tools, "build", lambda: steps.append("every tool"))
    monkeypatch.setattr(virtual_environment, "build", lambda purpose: steps.append(f"venv {purpose.name}"))
    return steps


def test_images_go_to_the_nodes_as_soon_as_both_are_there(done: list[str]) -> None:
    preparation.for_demo("c")
    assert [step for step in done if step.startswith(("nodes", "images", "load"))] == [
        "nodes",
        "images",
        "load on w1 w2",
    ]


def test_demo_needs_kind_and_helm_and_no_torch(done: list[str]) -> None:
    preparation.for_demo("c")
    assert sorted(step for step in done if step.startswith(("need", "every", "venv"))) == [
        "need helm",
        "need kind",
        "venv demo",
    ]
    assert not any(step.startswith("readers") for step in done)
    assert not any("torch" in requirement for requirement in virtual_environment.wanted(virtual_environment.DEMO))


def test_tests_need_everything(done: list[str]) -> None:
    preparation.for_tests("c")
    assert sorted(step for step in done if step.startswith(("need", "every", "venv"))) == [
        "every tool",
        "venv everything",
    ]
    assert done.index("readers upon own/runtime:key") > done.index("images")


def test_failed_image_is_told_and_nothing_is_loaded(done: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> dict[str, str]:
        raise errors.CommandFailed("docker build", 1, "no space")

    monkeypatch.setattr(product_images, "build_all", fail)
    with pytest.raises(errors.CommandFailed, match="docker build"):
        preparation.for_demo("c")
    assert not any(step.startswith("load") for step in done)
