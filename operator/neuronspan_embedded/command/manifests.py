"""Reads manifests: files, standard input, directories, and kustomizations as plain as those of the examples."""

import pathlib
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import click

from neuronspan_embedded.command import documents
from neuronspan_embedded.processes import launching

Manifest = dict[str, Any]

_KUSTOMIZATION = "kustomization.yaml"
_SUFFIXES = (".yaml", ".yml", ".json")
STANDARD_INPUT = pathlib.Path("-")
_KNOWN = {"apiVersion", "kind", "namespace", "generatorOptions", "configMapGenerator", "resources"}
_CLUSTER_SCOPED = {"Namespace", "PriorityClass", "NeuronPool", "PersistentVolume", "StorageClass"}


def load(path: pathlib.Path) -> list[Manifest]:
    """Return the objects of a file or directory, in order; raises click.ClickException when it cannot be read."""
    if (path / _KUSTOMIZATION).exists():
        return list(_kustomized(path))
    if not path.is_dir():
        return list(_documents(path))
    files = sorted(each for each in path.rglob("*") if each.suffix in _SUFFIXES and each.is_file())
    if not files:
        raise click.ClickException(f"{path} has no manifest: no file ends in {', '.join(_SUFFIXES)}")
    return [each for file in files for each in _documents(file)]


def images(manifests: Iterable[Manifest]) -> set[str]:
    """Return the images that these objects name, in pods and in templates of pods."""
    found: set[str] = set()
    waiting: list[Any] = list(manifests)
    while waiting:
        value = waiting.pop()
        if isinstance(value, Mapping):
            found |= {value["image"]} if isinstance(value.get("image"), str) else set()
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
    return found


def needs_runtime(manifests: Iterable[Manifest]) -> bool:
    """Whether a container of the runtime's image is among these objects, so that models are to run."""
    return any(map(launching.is_runtime_image, images(manifests)))


def _documents(path: pathlib.Path) -> Iterator[Manifest]:
    try:
        text = sys.stdin.buffer.read(documents.MOST_BYTES + 1) if path == STANDARD_INPUT else path.read_bytes()
    except OSError as error:
        raise click.ClickException(f"{path} cannot be read: {error.strerror}") from error
    name = "standard input" if path == STANDARD_INPUT else str(path)
    yield from documents.objects(name, documents.read(name, text))


def _kustomized(path: pathlib.Path) -> Iterator[Manifest]:
    name = str(path / _KUSTOMIZATION)
    asked: Any = next(iter(documents.read(name, (path / _KUSTOMIZATION).read_bytes())), {})
    if not isinstance(asked, dict):
        raise click.ClickException(f"{name} is no kustomization: it has to be a map")
    unknown = asked.keys() - _KNOWN
    if unknown:
        raise click.ClickException(
            f"{path / _KUSTOMIZATION} uses {', '.join(sorted(unknown))}, which is not carried out here: "
            "write the objects out with `kubectl kustomize` and give that file"
        )
    namespace = asked.get("namespace", "")
    resources = [each for name in asked.get("resources") or () for each in load(path / name)]
    generated = [_config_map(path, each) for each in asked.get("configMapGenerator") or ()]
    placed = [_placed(each, namespace) for each in (*resources, *generated)]
    yield from sorted(placed, key=lambda each: {"Namespace": 0, "ConfigMap": 1}.get(each["kind"], 2))


def _config_map(path: pathlib.Path, asked: Mapping[str, Any]) -> Manifest:
    files = [path / each for each in asked.get("files") or ()]
    data = {each.name: each.read_text(encoding="utf-8") for each in files}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": asked["name"]}, "data": data}


def _placed(manifest: Manifest, namespace: str) -> Manifest:
    if not namespace or manifest["kind"] in _CLUSTER_SCOPED:
        return manifest
    return {**manifest, "metadata": {**manifest["metadata"], "namespace": namespace}}
