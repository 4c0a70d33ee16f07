"""What a container runtime makes of kubelet's request: environment, mounts, device nodes, CDI documents applied.

The order of precedence is the real one: plugin < pod manifest < CDI.
"""

import dataclasses
import json
import pathlib
from collections.abc import Iterable, Mapping
from typing import Any

from neuronspan_deviceplugin.api import deviceplugin_pb2 as api

_OVERLAY = "overlay"
_EDITS = ("env", "mounts", "deviceNodes")


@dataclasses.dataclass(frozen=True)
class Created:
    """A container as its process sees it; mounts as container path -> host path."""

    environment: Mapping[str, str]
    mounts: Mapping[str, str]
    devices: frozenset[str]
    layers: Mapping[str, tuple[str, ...]]
    """Folders that it sees one above the other at a place, the topmost first."""
    changeable: frozenset[str]
    """Mounts in which root of the container could change what is the host's: those that are not read-only."""


def create(responses: Iterable[bytes], manifest_environment: Mapping[str, str], cdi: pathlib.Path) -> Created:
    """Apply the responses to Allocate that kubelet recorded for the container."""
    read = [api.ContainerAllocateResponse.FromString(each) for each in responses]
    environment = {key: value for each in read for key, value in each.envs.items()} | dict(manifest_environment)
    mounts = {each.container_path: each.host_path for one in read for each in one.mounts}
    changeable = {each.container_path for one in read for each in one.mounts if not each.read_only}
    devices = {each.container_path for one in read for each in one.devices}
    layers: dict[str, tuple[str, ...]] = {}
    for name in (each.name for one in read for each in one.cdi_devices):
        edits = _edits(cdi, name)
        environment |= dict(each.split("=", 1) for each in edits["env"])
        plain = [each for each in edits["mounts"] if each.get("type") != _OVERLAY]
        mounts |= {each["containerPath"]: each["hostPath"] for each in plain}
        changeable |= {each["containerPath"] for each in edits["mounts"] if "ro" not in each["options"]}
        layers |= {each["containerPath"]: _layers(each) for each in edits["mounts"] if each not in plain}
        devices |= {each["path"] for each in edits["deviceNodes"]}
    devices |= {path for path in mounts if path.startswith("/dev/")}
    return Created(environment, mounts, frozenset(devices), layers, frozenset(changeable))


def _layers(mount: Mapping[str, Any]) -> tuple[str, ...]:
    (below,) = (each for each in mount["options"] if each.startswith("lowerdir="))
    return tuple(below.removeprefix("lowerdir=").split(":"))


def _edits(cdi: pathlib.Path, name: str) -> dict[str, list[Any]]:
    """Find the entry in the CDI documents, and what its document has for every entry.

    Fails when there is none, as container creation does.
    """
    kind, _, device = name.partition("=")
    for path in cdi.glob("*.json"):
        document = json.loads(path.read_text())
        if document["kind"] == kind:
            found = next(each for each in document["devices"] if each["name"] == device)["containerEdits"]
            parts = (document.get("containerEdits", {}), found)
            return {each: [edit for part in parts for edit in part.get(each, ())] for each in _EDITS}
    raise LookupError(f"unresolvable CDI device {name}")
