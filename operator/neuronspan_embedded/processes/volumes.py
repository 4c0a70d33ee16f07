"""The volumes of a pod as directories of this machine: emptyDir, configMap and secret."""

import base64
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

from neuronspan_embedded.processes import launching

Sources = Callable[[str, str], Mapping[str, str] | None]
"""Returns the data of a ConfigMap or a Secret ("configMap" or "secret", and its name), None when there is none."""


def make(spec: Mapping[str, Any], directory: pathlib.Path, sources: Sources) -> None:
    """Make a directory for each volume; raises CannotLaunch when one is of another kind, or lacks its source."""
    for each in spec.get("volumes") or ():
        place = directory / each["name"]
        place.mkdir(parents=True, exist_ok=True)
        if "configMap" in each:
            _fill(place, "configMap", each["configMap"]["name"], each["configMap"], sources)
        elif "secret" in each:
            _fill(place, "secret", each["secret"]["secretName"], each["secret"], sources)
        elif "emptyDir" not in each and not _is_account(each):
            kind = ", ".join(key for key in each if key != "name")
            message = f"volume {each['name']} is a {kind}: the embedded cluster has emptyDir, configMap and secret"
            raise launching.CannotLaunch("VolumeNotSupported", message)


def mounts(container: Mapping[str, Any], directory: pathlib.Path) -> dict[str, str]:
    """Return where the paths of a container's mounts are on this machine."""
    return {
        each["mountPath"]: str(directory / each["name"] / (each.get("subPath") or ""))
        for each in container.get("volumeMounts") or ()
    }


def decoded(secret: Mapping[str, Any]) -> dict[str, str]:
    """Return the data of a Secret as text."""
    return {key: base64.b64decode(value).decode() for key, value in (secret.get("data") or {}).items()}


def _is_account(volume: Mapping[str, Any]) -> bool:
    """Whether it is the token of the service account, which nobody needs here."""
    return "projected" in volume and volume["name"].startswith("kube-api-access")


def _fill(place: pathlib.Path, kind: str, name: str, volume: Mapping[str, Any], sources: Sources) -> None:
    data = sources(kind, name)
    if data is None:
        if volume.get("optional"):
            return
        raise launching.CannotLaunch("CreateContainerConfigError", f'{kind.lower()} "{name}" not found')
    items = {each["key"]: each["path"] for each in volume.get("items") or ()} or {key: key for key in data}
    for key, path in items.items():
        target = place / path
        if not target.resolve().is_relative_to(place.resolve()):
            raise launching.CannotLaunch("CreateContainerConfigError", f"path {path} leaves volume {place.name}")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(data[key])
