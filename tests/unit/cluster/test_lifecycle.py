import fcntl
import json
from pathlib import Path
from typing import Any

import pytest

from cluster import engine, kernel_limits, kind_cluster, layout, lifecycle, node_image, tools

IMAGE = node_image.NodeImage("own/node:1", own=True)


class Stage:
    """The cluster's life without an engine: what is asked of it, and whether the lock is held meanwhile."""

    def __init__(self, *, exists: bool) -> None:
        self.exists = exists
        self.done: list[str] = []

    def act(self, name: str, *, exists: bool) -> None:
        with (
            layout.cache().lock("cluster-c").open("r", encoding="ascii") as lock,
            pytest.raises(BlockingIOError),
        ):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self.done.append(name)
        self.exists = exists


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Stage:
    """A machine on which everything is built."""
    acting = Stage(exists=False)
    monkeypatch.setenv("NEURONSPAN_CACHE", str(tmp_path))
    monkeypatch.setattr(tools, "need", lambda *_: None)
    monkeypatch.setattr(node_image, "take_kubectl", lambda _: None)
    monkeypatch.setattr(engine, "ensure", lambda: None)
    monkeypatch.setattr(engine, "version", lambda: 28)
    monkeypatch.setattr(kernel_limits, "raise_limits", lambda: None)
    monkeypatch.setattr(node_image, "ensure", lambda: IMAGE)
    monkeypatch.setattr(kind_cluster.Cluster, "exists", lambda _: acting.exists)

    def create(cluster: kind_cluster.Cluster, *_: Any) -> None:
        acting.act("create", exists=True)
        cluster.record.parent.mkdir(parents=True, exist_ok=True)

    monkeypatch.setattr(lifecycle, "_create", create)
    monkeypatch.setattr(lifecycle, "_remove", lambda _: acting.act("remove", exists=False))
    monkeypatch.setattr(lifecycle, "_wake", lambda _: acting.act("wake", exists=True))
    return acting


def test_up_creates_once_and_wakes_later(stage: Stage) -> None:
    lifecycle.up("c")
    lifecycle.up("c")
    assert stage.done == ["create", "wake"]


@pytest.mark.parametrize("record", [None, "{", json.dumps({"image": "own/node:0"})], ids=["none", "cut", "other"])
def test_up_makes_a_half_made_or_older_cluster_anew(stage: Stage, record: str | None) -> None:
    stage.exists = True
    path = kind_cluster.Cluster("c").record
    path.parent.mkdir(parents=True)
    if record is not None:
        path.write_text(record, encoding="ascii")
    lifecycle.up("c")
    assert stage.done == ["remove", "create"]


def test_down_removes_what_nobody_else_is_making(stage: Stage) -> None:
    lifecycle.down("c")
    assert stage.done == ["remove"]


def test_down_without_an_engine_has_nothing_to_remove(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "version", lambda: None)
    lifecycle.down("c")
    assert stage.done == []
