"""The files of a kubelet: its device checkpoint, in the real shape, and its directory of sockets."""

import base64
import json
import pathlib
import stat
import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from neuronspan_embedded.kubelet import devices as device_manager

CHECKPOINT = "kubelet_internal_checkpoint"
_NO_NUMA_NODE = "-1"


def save(directory: pathlib.Path, manager: device_manager.DeviceManager) -> None:
    """Write the checkpoint: temporary file with a leading dot, then rename."""
    data = {
        "PodDeviceEntries": list(_entries(manager.given)) or None,
        "RegisteredDevices": {resource: sorted(ids) for resource, ids in manager.healthy.items()},
    }
    body = json.dumps({"Data": data, "Checksum": zlib.crc32(json.dumps(data).encode())})  # the real sum is FNV
    temporary = directory / ".temp"
    temporary.write_text(body)
    temporary.chmod(0o600)
    temporary.replace(directory / CHECKPOINT)


def load(directory: pathlib.Path) -> tuple[device_manager.PodDevices, list[str]]:
    """Read the checkpoint: what was given, and the resources known."""
    try:
        data = json.loads((directory / CHECKPOINT).read_text())["Data"]
    except FileNotFoundError:
        return {}, []
    given: device_manager.PodDevices = {}
    for entry in data["PodDeviceEntries"] or ():
        container = given.setdefault(entry["PodUID"], {}).setdefault(entry["ContainerName"], {})
        ids = frozenset(one for ids in entry["DeviceIDs"].values() for one in ids)
        container[entry["ResourceName"]] = device_manager.Given(ids, base64.b64decode(entry["AllocResp"]))
    return given, list(data["RegisteredDevices"])


def remove_sockets(directory: pathlib.Path) -> None:
    """Clean the directory as kubelet does when it starts: sockets go, everything else stays."""
    for path in directory.iterdir():
        if stat.S_ISSOCK(path.stat().st_mode):
            path.unlink()


def _entries(given: Mapping[str, Mapping[str, Mapping[str, device_manager.Given]]]) -> Iterator[dict[str, Any]]:
    ordered: Iterable[tuple[str, str, str, device_manager.Given]] = (
        (uid, container, resource, each)
        for uid, containers in given.items()
        for container, resources in containers.items()
        for resource, each in resources.items()
    )
    for uid, container, resource, each in ordered:
        yield {
            "PodUID": uid,
            "ContainerName": container,
            "ResourceName": resource,
            "DeviceIDs": {_NO_NUMA_NODE: sorted(each.ids)},
            "AllocResp": base64.b64encode(each.response).decode(),
        }
