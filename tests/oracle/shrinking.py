"""A disagreement in the smallest cluster that still shows it, as manifests to read."""

import copy
import dataclasses
import time
from collections.abc import Iterator
from typing import Any, Final, TypeVar

import yaml

from oracle import comparing, judging, stage
from oracle.drawn import drawing, probes, scenes, storage_scenes

Manifest = drawing.Manifest
_Value = TypeVar("_Value", scenes.Scene, storage_scenes.Storage)

_PATIENCE_SECONDS: Final = 60.0
_PAUSES: Final = (0.2,)


def reduced(theatre: stage.Stage, scene: scenes.Scene, probe: probes.Probe) -> comparing.Comparison | None:
    """Return the disagreement in the smallest scene found; the scene stays set up. None when it does not show again."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    smallest = dataclasses.replace(scene, probes=(probe,))
    found = _disagreement(theatre, smallest)
    is_about_nodes = found is not None and bool(found.wrong)  # and not only about words
    is_smaller = found is not None
    while is_smaller:
        is_smaller = False
        for candidate in _smaller(smallest):
            if time.monotonic() > deadline:
                break
            again = _disagreement(theatre, candidate)
            if again is not None and bool(again.wrong) == is_about_nodes:
                smallest, found, is_smaller = candidate, again, True
                break
    return _disagreement(theatre, smallest)


def _disagreement(theatre: stage.Stage, scene: scenes.Scene) -> comparing.Comparison | None:
    theatre.clear(theatre.seen())
    try:
        seen = theatre.set_up(scene)
        (found,) = comparing.compared(theatre, judging.cluster_of(seen), scene.probes, _PAUSES)
    except AssertionError:  # the API server refuses what is left of a manifest
        return None
    return None if found.agrees else found


def _smaller(scene: scenes.Scene) -> Iterator[scenes.Scene]:
    """Yield scenes without one thing."""
    half = len(scene.placed) // 2
    if half > 1:
        yield dataclasses.replace(scene, placed=scene.placed[:half])
        yield dataclasses.replace(scene, placed=scene.placed[half:])
    for field in ("placed", "nodes"):
        items = getattr(scene, field)
        for index in range(len(items)):
            yield _changed(scene, field, _without(items, index))
    for field in ("claims", "volumes", "csi_nodes", "attachments", "capacities", "drivers"):
        items = getattr(scene.storage, field)
        for index in range(len(items)):
            storage = _changed(scene.storage, field, _without(items, index))
            yield dataclasses.replace(scene, storage=storage)
    (probe,) = scene.probes
    for spec in _thinner(probe.manifest["spec"]):
        manifest = {**probe.manifest, "spec": spec}
        yield dataclasses.replace(scene, probes=(dataclasses.replace(probe, manifest=manifest),))


def _changed(value: _Value, field: str, content: Any) -> _Value:
    changes: dict[str, Any] = {field: content}
    return dataclasses.replace(value, **changes)


def _thinner(spec: Any) -> Iterator[Any]:
    """Yield copies of a spec without one of its branches, the large ones first."""
    for where in _branches(spec):
        copied = copy.deepcopy(spec)
        holder = copied
        for step in where[:-1]:
            holder = holder[step]
        del holder[where[-1]]
        yield copied


def _branches(value: Any, depth: int = 6) -> Iterator[tuple[Any, ...]]:
    steps = list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []
    yield from ((step,) for step in steps)
    if depth:
        for step in steps:
            yield from ((step, *rest) for rest in _branches(value[step], depth - 1))


def _without(items: tuple[Any, ...], index: int) -> tuple[Any, ...]:
    return (*items[:index], *items[index + 1 :])


def reproduction(seen: stage.Seen, found: comparing.Comparison) -> str:
    """Return the disagreement and its manifests."""
    manifests = [
        _plain(manifest)
        for field in dataclasses.fields(seen)
        if field.name != "namespaces"
        for manifest in getattr(seen, field.name)
    ]
    spaces = [_plain(each) for each in seen.namespaces if each["metadata"]["name"] in drawing.NAMESPACES]
    asked = map(_plain, (found.real.pod, *found.real.claims))
    return f"{found.text()}\n{yaml.safe_dump_all([*asked, *spaces, *manifests], sort_keys=False)}"


def _plain(manifest: Manifest) -> Manifest:
    """Return a manifest without what the API server adds to every object."""
    kept = ("name", "namespace", "labels", "annotations", "deletionTimestamp")
    metadata = {key: manifest["metadata"][key] for key in kept if key in manifest["metadata"]}
    return {**manifest, "metadata": metadata}
