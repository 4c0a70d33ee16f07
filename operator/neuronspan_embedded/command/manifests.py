"""Reads manifests: files, directories, and kustomizations as plain as those of the examples."""

import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

import click
import yaml

Manifest = dict[str, Any]

_KUSTOMIZATION = "kustomization.yaml"
_KNOWN = {"apiVersion", "kind", "namespace", "generatorOptions", "configMapGenerator", "resources"}
_CLUSTER_SCOPED = {"Namespace", "PriorityClass", "NeuronPool", "PersistentVolume", "StorageClass"}


def load(path: pathlib.Path) -> list[Manifest]:
    """Return the objects of a file or directory, in order; raises click.ClickException when it cannot be read."""
    if (path / _KUSTOMIZATION).exists():
        return list(_kustomized(path))
    files = sorted(each for each in path.rglob("*") if each.suffix in {".yaml", ".yml"}) if path.is_dir() else [path]
    return [each for file in files for each in _documents(file)]


def _documents(path: pathlib.Path) -> Iterator[Manifest]:
    try:
        found = list(yaml.safe_load_all(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise click.ClickException(f"{path} cannot be read as YAML: {error}") from error
    for each in found:
        if each is None:
            continue
        if not isinstance(each, dict) or "kind" not in each:
            raise click.ClickException(f"{path} has a document without a kind: give manifests of Kubernetes objects")
        yield from each["items"] if each["kind"] == "List" else [each]


def _kustomized(path: pathlib.Path) -> Iterator[Manifest]:
    (asked,) = _documents(path / _KUSTOMIZATION)
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
