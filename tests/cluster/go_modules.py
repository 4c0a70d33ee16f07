"""Which programs are built from which Go module; the versions stand in `modules/<name>/go.mod` and nowhere else."""

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path

from cluster import keys, layout

BUILD_FLAGS = ("-mod=readonly", "-trimpath", "-buildvcs=false")
LINK_FLAGS = ("-s", "-w")
KUBERNETES_COMMANDS = (
    "kubeadm",
    "kubelet",
    "kubectl",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kube-proxy",
)


@dataclasses.dataclass(frozen=True)
class GoModule:
    """A wrapper module: `programs` maps a binary's name to the package it is built from."""

    name: str
    programs: Mapping[str, str]
    minutes: int
    """Rough time of a first build on two cores, for the announcement."""
    root: Path = layout.MODULES

    @property
    def directory(self) -> Path:
        """Where go.mod lies."""
        return self.root / self.name

    @property
    def go_mod(self) -> str:
        """The text of go.mod."""
        return (self.directory / "go.mod").read_text(encoding="utf-8")

    @property
    def key(self) -> str:
        """Changes with every source, version, checksum and flag; not with the patch level of the Go that builds."""
        return keys.key_of({**keys.tree_of(self.directory), "flags": " ".join(self.flags)})

    @property
    def flags(self) -> tuple[str, ...]:
        """Flags for `go build`."""
        return (*BUILD_FLAGS, "-ldflags", " ".join((*LINK_FLAGS, *self.stamps)))

    @property
    def stamps(self) -> tuple[str, ...]:
        """Linker flags that tell Kubernetes its version: kubeadm stops without one."""
        if self.name != "kubernetes":
            return ()
        return kubernetes_stamps(required_version(self.go_mod, "k8s.io/kubernetes"))


MODULES = (
    GoModule("kubernetes", {name: f"k8s.io/kubernetes/cmd/{name}" for name in KUBERNETES_COMMANDS}, minutes=10),
    GoModule("etcd", {"etcd": "go.etcd.io/etcd/server/v3"}, minutes=1),
    GoModule(
        "containerd",
        {
            name: f"github.com/containerd/containerd/v2/cmd/{name}"
            for name in ("containerd", "ctr", "containerd-shim-runc-v2")
        },
        minutes=2,
    ),
    GoModule("helm", {"helm": "helm.sh/helm/v3/cmd/helm"}, minutes=2),
    GoModule("kind", {"kind": "sigs.k8s.io/kind"}, minutes=1),
    GoModule("pause", {"pause": "neuronspan.dev/cluster/pause"}, minutes=1),
)

NODE = tuple(module for module in MODULES if module.name in {"kubernetes", "etcd", "containerd", "pause"})
"""What a node image is made of: not built where one can be pulled."""
CRANE = GoModule("crane", {"crane": "github.com/google/go-containerregistry/cmd/crane"}, minutes=1)
"""Pushes images. Built by those who ask for it, as the one that follows: no cluster needs them."""
ACTIONLINT = GoModule("actionlint", {"actionlint": "github.com/rhysd/actionlint/cmd/actionlint"}, minutes=1)
ASIDE = (CRANE, ACTIONLINT)


def required_version(go_mod: str, module: str) -> str:
    """The version of `module` in the text of a go.mod; LookupError when it is not required there."""
    found = re.search(rf"^(?:require)?\s+{re.escape(module)} (v\S+)", go_mod, re.MULTILINE)
    if not found:
        raise LookupError(f"go.mod requires no {module}")
    return found[1]


def kubernetes_version() -> str:
    """The version of Kubernetes that is built, like `v1.36.3`."""
    return required_version(MODULES[0].go_mod, "k8s.io/kubernetes")


def kubernetes_stamps(version: str) -> tuple[str, ...]:
    """The version variables of Kubernetes as linker flags."""
    major, minor, _ = version.removeprefix("v").split(".", 2)
    fields = {
        "gitVersion": version,
        "gitMajor": major,
        "gitMinor": minor,
        "gitTreeState": "clean",
        "gitCommit": "module",
        "buildDate": "1970-01-01T00:00:00Z",
    }
    package = "k8s.io/component-base/version"
    return tuple(word for name, value in fields.items() for word in ("-X", f"{package}.{name}={value}"))


def binary_name(package: str) -> str:
    """What `go build` calls the program of a package: the last part of its path that is not a major version."""
    *_, before, last = package.split("/")
    return before if re.fullmatch(r"v[0-9]+", last) else last
