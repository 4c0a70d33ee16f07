"""The pods of a kubelet: manifests, how far each has come, and their control groups on disk."""

import dataclasses
import enum
import pathlib
import shutil
from collections.abc import Iterator, Mapping
from typing import Any

from neuronspan import names

Manifest = dict[str, Any]


class Phase(enum.StrEnum):
    """What kubelet thinks of a pod."""

    KNOWN = "Known"  # added, not admitted yet
    ADMITTED = "Admitted"
    FAILED = "Failed"  # rejected at admission: stays in the pod manager, is not active
    TERMINATED = "Terminated"  # all containers over: not active any more


@dataclasses.dataclass(frozen=True)
class Container:
    """One container of a manifest; ``limits`` of our two resources only."""

    name: str
    limits: Mapping[str, int]
    init: bool = False
    sidecar: bool = False

    @property
    def plain_init(self) -> bool:
        """Whether it runs to its end before the next one: PodResources does not list those."""
        return self.init and not self.sidecar


@dataclasses.dataclass
class Pod:
    """One pod of the node; ``containers`` in the order of admission: init containers, then the others."""

    uid: str
    namespace: str
    name: str
    created: str
    containers: tuple[Container, ...]
    phase: Phase = Phase.KNOWN
    message: str = ""

    @property
    def active(self) -> bool:
        """Whether kubelet counts its devices as in use."""
        return self.phase in {Phase.KNOWN, Phase.ADMITTED}

    def container(self, name: str) -> Container:
        """Return one container."""
        return next(each for each in self.containers if each.name == name)


def read(manifest: Mapping[str, Any]) -> Pod:
    """Read a manifest."""
    metadata, spec = manifest["metadata"], manifest["spec"]
    init = [_container(each, init=True) for each in spec.get("initContainers", ())]
    return Pod(
        uid=metadata["uid"],
        namespace=metadata["namespace"],
        name=metadata["name"],
        created=metadata.get("creationTimestamp", ""),
        containers=(*init, *(_container(each, init=False) for each in spec["containers"])),
    )


def _container(raw: Mapping[str, Any], *, init: bool) -> Container:
    limits = raw.get("resources", {}).get("limits", {})
    ours = {resource: int(limits[resource]) for resource in names.RESOURCES if resource in limits}
    return Container(raw["name"], ours, init, init and raw.get("restartPolicy") == "Always")


class Layout(enum.StrEnum):
    """How the tree of pods is named and where it hangs."""

    V2_SYSTEMD = "v2-systemd"
    V2_CGROUPFS = "v2-cgroupfs"
    V1_CGROUPFS = "v1-cgroupfs"
    V2_KIND = "v2-kind"
    V1_KIND = "v1-kind"


_TREES = {
    Layout.V2_SYSTEMD: "kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{systemd}.slice",
    Layout.V2_CGROUPFS: "kubepods/besteffort/pod{uid}",
    Layout.V1_CGROUPFS: "pids/kubepods/burstable/pod{uid}",
    Layout.V2_KIND: "kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod{systemd}.slice",
    Layout.V1_KIND: "pids/docker/0123abcd/kubelet/kubepods/besteffort/pod{uid}",
}


_EMPTY_EVENTS = "populated 0\nfrozen 0\n"
_POPULATED_EVENTS = "populated 1\nfrozen 0\n"


class ControlGroups:
    """A cgroup file system as files, with the kernel's counts: cgroup.events on v2, pids.current on v1.

    Processes of another PID namespace, as all pods are for the plugin, read as 0 in cgroup.procs on v2 and are left out
    of it on v1.
    """

    def __init__(self, root: pathlib.Path, layout: Layout = Layout.V2_SYSTEMD) -> None:
        self.root = root
        self._pattern = _TREES[layout]
        self.folder("").parent.mkdir(parents=True)

    def folder(self, uid: str) -> pathlib.Path:
        """Return the group of a pod."""
        return self.root / self._pattern.format(uid=uid, systemd=uid.replace("-", "_"))

    def start(self, uid: str, process: str) -> None:
        """Add a process (by name) to a pod."""
        group = self._group(uid, process)
        group.mkdir(parents=True, exist_ok=True)
        (group / "cgroup.procs").write_text("" if self._v1 else "0\n")
        self._count(group, 1)
        self._count_pod(uid)

    def end(self, uid: str, process: str) -> None:
        """End one process; its group stays until the pod's is removed."""
        group = self._group(uid, process)
        (group / "cgroup.procs").write_text("")
        self._count(group, 0)
        self._count_pod(uid)

    def end_all(self, uid: str) -> None:
        """End the pod's processes and remove its group."""
        shutil.rmtree(self.folder(uid), ignore_errors=True)

    def processes(self, uid: str) -> Iterator[str]:
        """Return the names of the pod's processes."""
        for group in self.folder(uid).glob("cri-containerd-*.scope"):
            if (group / self._counter).read_text() not in {_EMPTY_EVENTS, "0\n"}:
                yield group.name.removeprefix("cri-containerd-").removesuffix(".scope")

    def _group(self, uid: str, process: str) -> pathlib.Path:
        return self.folder(uid) / f"cri-containerd-{process}.scope"

    @property
    def _v1(self) -> bool:
        return self._pattern.startswith("pids/")

    @property
    def _counter(self) -> str:
        return "pids.current" if self._v1 else "cgroup.events"

    def _count(self, group: pathlib.Path, processes: int) -> None:
        text = f"{processes}\n" if self._v1 else _POPULATED_EVENTS if processes else _EMPTY_EVENTS
        written = group / ".written"
        written.write_text(text)
        written.replace(group / self._counter)  # the kernel shows a whole count or none

    def _count_pod(self, uid: str) -> None:
        (self.folder(uid) / "cgroup.procs").touch()
        self._count(self.folder(uid), len(list(self.processes(uid))))
