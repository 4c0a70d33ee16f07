"""The volumes of a pod as directories of this machine: emptyDir, configMap, secret and hostPath."""

import base64
import pathlib
from collections.abc import Mapping
from typing import Any

from neuronspan_embedded import reasons
from neuronspan_embedded.processes import launching

_CONFIGURATION = reasons.ContainerReason.CONFIGURATION


def make(spec: Mapping[str, Any], directory: pathlib.Path, sources: launching.Sources) -> None:
    """Make a directory for each volume; raises CannotLaunch when one is of another kind, or lacks its source."""
    for each in spec.get("volumes") or ():
        place = directory / each["name"]
        if "hostPath" in each:
            _refuse_absent(each)
            continue
        place.mkdir(parents=True, exist_ok=True)
        if "configMap" in each:
            _fill(place, "configMap", each["configMap"]["name"], each["configMap"], sources)
        elif "secret" in each:
            _fill(place, "secret", each["secret"]["secretName"], each["secret"], sources)
        elif "emptyDir" not in each and not _is_account(each) and each.keys() != {"name"}:
            kind = ", ".join(key for key in each if key != "name")
            known = "emptyDir, configMap, secret and hostPath"
            message = f"volume {each['name']} is a {kind}: the embedded cluster has {known}"
            raise launching.CannotLaunch(reasons.ContainerReason.VOLUME_NOT_SUPPORTED, message)


def mounts(
    container: Mapping[str, Any], directory: pathlib.Path, volumes: tuple[Mapping[str, Any], ...] = ()
) -> dict[str, str]:
    """Return where the paths of a container's mounts are on this machine."""
    hosts = {each["name"]: pathlib.Path(each["hostPath"]["path"]) for each in volumes if "hostPath" in each}
    return {
        each["mountPath"]: str(hosts.get(each["name"], directory / each["name"]) / (each.get("subPath") or ""))
        for each in container.get("volumeMounts") or ()
    }


def data(kind: str, stored: Mapping[str, Any]) -> dict[str, bytes]:
    """Return what a ConfigMap or a Secret ("configMap" or "secret") has, as files have it."""
    text, encoded = ("data", "binaryData") if kind == "configMap" else ("stringData", "data")
    return {
        **{key: value.encode() for key, value in (stored.get(text) or {}).items()},
        **{key: base64.b64decode(value) for key, value in (stored.get(encoded) or {}).items()},
    }


def _refuse_absent(volume: Mapping[str, Any]) -> None:
    path = volume["hostPath"]["path"]
    if not pathlib.Path(path).exists():
        message = f"volume {volume['name']} is the path {path} of this machine, where nothing is"
        raise launching.CannotLaunch(_CONFIGURATION, message)


def _is_account(volume: Mapping[str, Any]) -> bool:
    """Whether it is the token of the service account, which nobody needs here."""
    return "projected" in volume and volume["name"].startswith("kube-api-access")


def _fill(place: pathlib.Path, kind: str, name: str, volume: Mapping[str, Any], sources: launching.Sources) -> None:
    found = sources(kind, name)
    if found is None:
        if volume.get("optional"):
            return
        raise launching.CannotLaunch(_CONFIGURATION, f'{kind.lower()} "{name}" not found')
    items = {each["key"]: each["path"] for each in volume.get("items") or ()} or {key: key for key in found}
    for key, path in items.items():
        target = place / path
        if not target.resolve().is_relative_to(place.resolve()):
            raise launching.CannotLaunch(_CONFIGURATION, f"path {path} leaves volume {place.name}")
        if key not in found:
            if volume.get("optional"):
                continue
            raise launching.CannotLaunch(_CONFIGURATION, f'{kind.lower()} "{name}" has no key {key}')
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(found[key])
