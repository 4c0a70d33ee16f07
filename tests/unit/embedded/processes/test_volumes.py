"""Volumes as directories."""

import pathlib
from collections.abc import Mapping
from typing import Any

import pytest

from neuronspan_embedded import reasons
from neuronspan_embedded.processes import launching, volumes

DATA = {"word": b"hello\n", "raw": b"\xff\x00"}


def sources(kind: str, name: str) -> Mapping[str, bytes] | None:
    return DATA if (kind, name) == ("configMap", "words") else None


def make(directory: pathlib.Path, **source: Any) -> pathlib.Path:
    volumes.make({"volumes": [{"name": "v", **source}]}, directory, sources)
    return directory / "v"


def test_config_map_is_files_with_any_bytes(tmp_path: pathlib.Path) -> None:
    made = make(tmp_path, configMap={"name": "words"})
    assert {path.name: path.read_bytes() for path in made.iterdir()} == DATA


def test_items_choose_keys_and_paths(tmp_path: pathlib.Path) -> None:
    made = make(tmp_path, configMap={"name": "words", "items": [{"key": "word", "path": "a/b"}]})
    assert [path.relative_to(made) for path in made.rglob("*") if path.is_file()] == [pathlib.Path("a/b")]


def test_item_that_leads_out_of_its_volume_is_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(launching.CannotLaunch, match=r"path ../../x leaves volume v"):
        make(tmp_path / "deep", configMap={"name": "words", "items": [{"key": "word", "path": "../../x"}]})
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("source", "reason", "words"),
    [
        ({"configMap": {"name": "none"}}, reasons.ContainerReason.CONFIGURATION, 'configmap "none" not found'),
        ({"secret": {"secretName": "s"}}, reasons.ContainerReason.CONFIGURATION, 'secret "s" not found'),
        (
            {"configMap": {"name": "words", "items": [{"key": "no", "path": "p"}]}},
            reasons.ContainerReason.CONFIGURATION,
            "has no key no",
        ),
        ({"hostPath": {"path": "/nowhere"}}, reasons.ContainerReason.CONFIGURATION, "where nothing is"),
        ({"nfs": {"server": "s", "path": "/"}}, reasons.ContainerReason.VOLUME_NOT_SUPPORTED, "volume v is a nfs"),
        (
            {"persistentVolumeClaim": {"claimName": "c"}},
            reasons.ContainerReason.VOLUME_NOT_SUPPORTED,
            "volume v is a persistentVolumeClaim",
        ),
    ],
)
def test_volume_that_cannot_be_made_is_named_with_its_reason(
    tmp_path: pathlib.Path, source: dict[str, Any], reason: reasons.ContainerReason, words: str
) -> None:
    with pytest.raises(launching.CannotLaunch, match=words) as refused:
        make(tmp_path, **source)
    assert refused.value.reason is reason


@pytest.mark.parametrize(
    "source",
    [{"configMap": {"name": "none", "optional": True}}, {"emptyDir": {}}, {}],
    ids=["optional", "emptyDir", "nothing said"],
)
def test_volume_without_a_source_is_empty(tmp_path: pathlib.Path, source: dict[str, Any]) -> None:
    assert list(make(tmp_path, **source).iterdir()) == []


def test_paths_of_mounts_are_those_of_their_volumes() -> None:
    container = {
        "volumeMounts": [
            {"name": "v", "mountPath": "/data", "subPath": "a"},
            {"name": "host", "mountPath": "/etc/x"},
        ]
    }
    host = {"name": "host", "hostPath": {"path": "/etc"}}
    found = volumes.mounts(container, pathlib.Path("/pods/1"), (host,))
    assert found == {"/data": "/pods/1/v/a", "/etc/x": "/etc"}


def test_data_of_both_kinds_is_bytes() -> None:
    config = {"data": {"a": "ä"}, "binaryData": {"b": "/w=="}}
    assert volumes.data("configMap", config) == {"a": "ä".encode(), "b": b"\xff"}
    assert volumes.data("secret", {"data": {"b": "/w=="}}) == {"b": b"\xff"}
