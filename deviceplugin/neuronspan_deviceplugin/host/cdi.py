"""The static CDI catalogue: every contiguous run of the node's cores as a device that a container runtime can add.

Law: written once per hardware, whole or not at all, so Allocate only names entries. An environment variable from CDI
wins over the pod's own manifest, which is why a container learns of its cores in this way.
"""

import dataclasses
import json
import pathlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from neuronspan import grants, instance_types, names, spans
from neuronspan_deviceplugin.allocation import container_edits
from neuronspan_deviceplugin.host import files

CDI_VERSION = "0.6.0"  # containerd 1.7 reads up to 0.6.0
_READABLE = 0o644
_LINKS = "devices"

Entry = dict[str, Any]


@dataclasses.dataclass(frozen=True, slots=True)
class Node:
    """What of the host the entries name: the node's directory, its device nodes, and the folders that are shown."""

    directory: pathlib.Path
    nodes: container_edits.Nodes
    layers: tuple[container_edits.Layer, ...] = ()
    mounts_devices: bool = False
    """Whether real devices are mounted, see ``_mounted``."""

    def link(self, device: int) -> pathlib.Path:
        """Return the link to a real device's node, for devices that are mounted."""
        return self.directory / _LINKS / str(device)


@dataclasses.dataclass(frozen=True, slots=True)
class Document:
    """One file of the catalogue; never in memory as a whole: 64 cores have 2 080 runs, 128 have 8 256."""

    kind: str
    entries: Callable[[], Iterator[Entry]]
    """Makes them, each time anew."""
    edits: Entry
    """What a container with any of the entries gets besides."""

    @property
    def file(self) -> str:
        """The name of the file."""
        return f"{self.kind.replace('/', '-')}.json"

    def parts(self) -> Iterator[bytes]:
        """Yield its JSON, bit by bit."""
        yield _json({"cdiVersion": CDI_VERSION, "kind": self.kind})[:-1] + b',"devices":['
        for number, each in enumerate(self.entries()):
            yield (b"," if number else b"") + _json(each)
        yield b"]" + (b',"containerEdits":' + _json(self.edits) if self.edits else b"") + b"}"


def documents(hardware: instance_types.Hardware, numbering: str, node: Node) -> tuple[Document, ...]:
    """Return the catalogue, a document per kind."""
    visible, count = grants.EnvMode.VISIBLE, grants.EnvMode.COUNT
    layers = {"mounts": list(map(_layer, node.layers))} if node.layers else {}
    return (  # a container has one entry of the first two kinds, and so each layer once
        Document(names.CDI_CORES_KIND, lambda: _runs(hardware, visible, numbering, node), layers),
        Document(names.CDI_COUNT_KIND, lambda: _runs(hardware, count, numbering, node), layers),
        Document(names.CDI_CORE_KIND, lambda: _cores(hardware, node), {}),
        _of_devices(node),
    )


def _of_devices(node: Node) -> Document:
    return Document(names.CDI_DEVICE_KIND, lambda: _devices(node), {})


class Catalogue:
    """The folder in which container runtimes look for CDI documents."""

    def __init__(self, folder: pathlib.Path, node: Node) -> None:
        self._folder = folder
        self._node = node

    def write(self, hardware: instance_types.Hardware, numbering: str) -> int:
        """Write what is not there already; gives the number of files written. Raises OSError."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._link_devices()
        return sum(map(self._write_if_new, documents(hardware, numbering, self._node)))

    def renew(self, nodes: container_edits.Nodes) -> None:
        """Write the entries of the devices anew, whose nodes are others now; raises OSError."""
        self._node = dataclasses.replace(self._node, nodes=nodes)
        self._link_devices()
        self._write_if_new(_of_devices(self._node))

    def edits(
        self,
        span: spans.CoreSpan,
        mode: grants.EnvMode,
        variables: Mapping[str, str],
        hardware: instance_types.Hardware,
        numbering: str,
    ) -> container_edits.Edits:
        """Name the entries of the catalogue for a span; ``variables`` are its environment once more."""
        devices = container_edits.cdi_devices(span, mode, hardware, numbering)
        return container_edits.Edits(variables, cdi_devices=devices)

    def _link_devices(self) -> None:
        if self._node.mounts_devices:
            for device, found in self._node.nodes.items():
                files.link_atomically(self._node.link(device), found.path)

    def _write_if_new(self, document: Document) -> bool:
        path = self._folder / document.file
        if files.holds(path, document.parts()):
            return False
        files.write_atomically(path, document.parts(), _READABLE)
        return True


class NoCatalogue:
    """For container runtimes without CDI: nothing is written, and each answer carries everything itself."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def write(self, hardware: instance_types.Hardware, numbering: str) -> int:  # noqa: ARG002 - the catalogue's form
        """Write nothing."""
        return 0

    def renew(self, nodes: container_edits.Nodes) -> None:
        """Give these device nodes from now on."""
        self._node = dataclasses.replace(self._node, nodes=nodes)

    def edits(
        self,
        span: spans.CoreSpan,
        mode: grants.EnvMode,  # noqa: ARG002 - the variables say it already
        variables: Mapping[str, str],
        hardware: instance_types.Hardware,
        numbering: str,
    ) -> container_edits.Edits:
        """Return environment, mounts and device nodes of a span."""
        return container_edits.plain(span, variables, hardware, numbering, self._node.directory, self._node.nodes)


def _runs(hardware: instance_types.Hardware, mode: grants.EnvMode, numbering: str, node: Node) -> Iterator[Entry]:
    mount = _mount(container_edits.hardware_mount(node.directory))
    for first in range(hardware.cores):
        for count in range(1, hardware.cores - first + 1):
            span = spans.CoreSpan(first, count)
            variables = container_edits.environment(span, mode, numbering)
            yield _device(str(span), env=[f"{name}={value}" for name, value in variables.items()], mounts=[mount])


def _cores(hardware: instance_types.Hardware, node: Node) -> Iterator[Entry]:
    for core in range(hardware.cores):
        yield _device(str(core), mounts=[_mount(container_edits.lock_mount(node.directory, core))])


def _devices(node: Node) -> Iterator[Entry]:
    """Name every device by every number it may have in a container: a restart brings the name of the first start."""
    for device, found in sorted(node.nodes.items()):
        for shown in range(device + 1):
            edit = container_edits.device_edit(found, shown)
            yield _device(container_edits.cdi_name(device, shown), **_given(edit, node, device))


def _given(edit: container_edits.Mount | container_edits.Device, node: Node, device: int) -> Entry:
    if isinstance(edit, container_edits.Mount):
        return {"mounts": [_mount(edit)]}
    return _mounted(edit, str(node.link(device))) if node.mounts_devices else {"deviceNodes": [_made(edit)]}


def _mounted(device: container_edits.Device, link: str) -> Entry:
    """Return a real device that pods with a user namespace can open too, under whatever number.

    In a user namespace runc makes no device nodes; it mounts what the host has at the node's path in the container
    (``createDeviceNode`` of libcontainer/rootfs_linux.go). So the node, which lets the container use the device, gets a
    path at which the host has a link to the device, and the container's own path is a mount.
    """
    mount = container_edits.Mount(device.host_path, device.container_path, device=True)
    return {"deviceNodes": [{**_made(device), "path": link}], "mounts": [_mount(mount)]}


def _made(device: container_edits.Device) -> Entry:
    return {
        "path": device.container_path,
        "hostPath": device.host_path,
        "type": "c",
        "major": device.major,
        "minor": device.minor,
        "permissions": "rw",
    }


def _layer(layer: container_edits.Layer) -> Entry:
    """Return a read-only overlay: the container runtime makes it, so that the container needs no right for it."""
    below = f"lowerdir={layer.host_path}:{layer.container_path}"
    options = ["ro", "nosuid", "nodev", "noexec", below]
    return {"hostPath": "overlay", "containerPath": layer.container_path, "type": "overlay", "options": options}


def _device(name: str, **edits: Any) -> Entry:
    return {"name": name, "containerEdits": edits}


def _mount(mount: container_edits.Mount) -> Entry:
    """Return a mount in which nothing of the host's can be changed, a device's mode and owner neither.

    A device is written to all the same. Without the flags that /dev has on most hosts a user namespace, which must not
    take them away, forbids the mount.
    """
    options = ["ro", "nosuid", "noexec" if mount.device else "nodev", "bind"]
    return {"hostPath": mount.host_path, "containerPath": mount.container_path, "options": options}


def _json(value: Entry) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
