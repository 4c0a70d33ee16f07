"""What a container runtime makes of kubelet's request: environment, mounts, device nodes, CDI documents applied.

The order of precedence is the real one: plugin < pod manifest < CDI.
"""

import dataclasses
import json
import pathlib
from collections.abc import Iterable, Mapping
from typing import Any

from neuronspan_deviceplugin.api import deviceplugin_pb2 as api


@dataclasses.dataclass(frozen=True)
class Created:
    """A container as its process sees it; mounts as container path -> host path."""

    environment: Mapping[str, str]
    mounts: Mapping[str, str]
    devices: frozenset[str]


def create(responses: Iterable[bytes], manifest_environment: Mapping[str, str], cdi: pathlib.Path) -> Created:
    """Apply the responses to Allocate that kubelet recorded for the container."""
    read = [api.ContainerAllocateResponse.FromString(each) for each in responses]
    environment = {key: value for each in read for key, value in each.envs.items()} | dict(manifest_environment)
    mounts = {each.container_path: each.host_path for one in read for each in one.mounts}
    for name in (each.name for one in read for each in one.cdi_devices):
        edits = _edits(cdi, name)
        environment |= dict(each.split("=", 1) for each in edits.get("env", ()))
        mounts |= {each["containerPath"]: each["hostPath"] for each in edits.get("mounts", ())}
    devices = frozenset(path for path in mounts if path.startswith("/dev/"))
    return Created(environment, mounts, devices)


def _edits(cdi: pathlib.Path, name: str) -> dict[str, Any]:
    """Find the entry in the CDI documents; fails when there is none, as container creation does."""
    kind, _, device = name.partition("=")
    for path in cdi.glob("*.json"):
        document = json.loads(path.read_text())
        if document["kind"] == kind:
            found: dict[str, Any] = next(each for each in document["devices"] if each["name"] == device)[
                "containerEdits"
            ]
            return found
    raise LookupError(f"unresolvable CDI device {name}")
