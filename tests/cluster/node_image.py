"""The image of a kind node: the public one where it can be pulled, assembled here from Debian and our tools where not.

Nothing of Kubernetes is compiled where it can be pulled: kubectl is in it, too. The two differ in one thing for the
rest of this tool: ours has no network plugin of its own (`network.py`).
"""

import dataclasses
import shutil
from pathlib import Path

from cluster import (
    archive,
    base_image,
    console,
    control_plane_images,
    engine_images,
    go_modules,
    keys,
    layout,
    locking,
    process,
    root_filesystem,
    tools,
)

PACKAGES = (
    "systemd",
    # what kubelet, kube-proxy and the network plugins run
    *("conntrack", "ethtool", "iproute2", "iptables", "kmod", "mount", "nftables", "socat", "util-linux"),
    *("containernetworking-plugins", "runc"),
    # what kind and people at a prompt run
    *("hostname", "jq", "procps"),
)
HANDLED_BY_THE_HOST = (
    *("getty.target", "getty-static.service", "console-getty.service", "systemd-logind.service"),
    *("systemd-udevd.service", "systemd-networkd.service", "systemd-resolved.service", "systemd-timesyncd.service"),
    *("systemd-binfmt.service", "proc-sys-fs-binfmt_misc.automount", "fstrim.timer", "e2scrub_all.timer"),
    *("apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_reap.service"),
)
"""Units that make no sense in a container."""
SERVICES = ("containerd", "kubelet", "pod-routes", "dns-relay-udp", "dns-relay-tcp")
SOURCES = ("node_image.py", "control_plane_images.py", "root_filesystem.py", "archive.py")
NETWORK_LABEL = "dev.neuronspan.network"
STATIC = "static"
CONFIG = archive.ImageConfig(
    entrypoint=("/usr/local/bin/entrypoint", "/sbin/init"),
    environment={"container": "docker"},
    stop_signal="SIGRTMIN+3",
    labels={NETWORK_LABEL: STATIC},
)
COPY_SECONDS = 300.0


@dataclasses.dataclass(frozen=True)
class NodeImage:
    """A node image in the engine."""

    reference: str
    own: bool
    """Made by this tool, wherever it was pulled from: no network plugin, and pods resolve names through the node."""


def ensure() -> NodeImage:
    """Make sure that the engine has a node image: any that is there, the public one, or one made here."""
    version = go_modules.kubernetes_version()
    public, own = f"kindest/node:{version}", own_reference(version)
    found = _in_engine(own) or _in_engine(public)
    if found:
        return found
    cache = layout.cache()
    with locking.exclusive(cache.lock("node-image")):
        stored = archive_file(own)
        if not stored.is_file():
            if engine_images.pull(public, cache.log("node-image")):
                return NodeImage(public, own=_is_own(public))
            _assemble(own, version, stored)
        if not engine_images.identity(own):
            engine_images.load(stored)
    return NodeImage(own, own=True)


def _in_engine(reference: str) -> NodeImage | None:
    return NodeImage(reference, _is_own(reference)) if engine_images.identity(reference) else None


def _is_own(reference: str) -> bool:
    return engine_images.labels(reference).get(NETWORK_LABEL) == STATIC


def take_kubectl(image: NodeImage) -> None:
    """Make sure that there is a kubectl: the one in the node image, when there is no other."""
    if tools.find("kubectl"):
        return
    final = tools.from_node_image("kubectl")
    with locking.exclusive(layout.cache().lock("kubectl")):
        container = process.run(["docker", "create", image.reference], timeout=COPY_SECONDS).strip()
        try:
            with locking.new_file(final) as draft:
                process.run(["docker", "cp", f"{container}:/usr/bin/kubectl", draft], timeout=COPY_SECONDS)
        finally:
            process.run(["docker", "rm", "--volumes", container], timeout=COPY_SECONDS)


def own_reference(version: str) -> str:
    """The name of the image made here; it changes with its recipe and its tools."""
    parts: dict[str, str | bytes] = {module.name: module.key for module in go_modules.NODE}
    parts |= keys.tree_of(layout.ASSETS) | keys.files_of(layout.SOURCE, SOURCES)
    return f"neuronspan/node:{version}-{keys.key_of(parts)}"


def archive_file(reference: str) -> Path:
    """The image as a docker archive, for an engine that starts empty."""
    return layout.cache().images / (reference.replace("/", "-").replace(":", "-") + ".tar")


def _assemble(reference: str, version: str, out: Path) -> None:
    log = layout.cache().log("node-image")
    debian = _ensure_debian(log)
    tools.need(*(name for module in go_modules.NODE for name in module.programs))
    work = out.with_suffix(".tree")
    try:
        with locking.new_directory(work) as tree:
            process.run(["cp", "--archive", f"{debian}/.", tree], timeout=COPY_SECONDS)
            furnish(tree, version)
            preload(tree, version, log)
            root_filesystem.clean(tree)
        with console.Step("node image: packing"), locking.new_file(out) as draft:
            archive.write(draft, [reference], work, CONFIG, keep_owners=True)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _ensure_debian(log: Path) -> Path:
    """Debian with the packages of a node: what can be made while the programs are still compiled."""
    base = base_image.ensure_tree()
    final = base.with_name(f"node-debian-{keys.key_of({'base': base.name, 'packages': ' '.join(PACKAGES)})}")
    if not final.is_dir():
        with locking.new_directory(final) as tree:
            process.run(["cp", "--archive", f"{base}/.", tree], timeout=COPY_SECONDS)
            root_filesystem.install(tree, PACKAGES, log)
    return final


def furnish(tree: Path, version: str) -> None:
    """Put our programs, files and services into a Debian tree."""
    for name in ("containerd", "ctr", "containerd-shim-runc-v2", "kubeadm", "kubelet", "kubectl"):
        shutil.copy2(tools.program(name), tree / "usr/bin" / name)
    overlay(layout.ASSETS / "node", tree)
    overlay(tree / "usr/lib/cni", tree / "opt/cni/bin")
    for directory in ("etc/cni/net.d", "etc/kubernetes/manifests", "kind"):
        (tree / directory).mkdir(parents=True, exist_ok=True)
    (tree / "kind/version").write_text(f"{version}\n", encoding="ascii")
    link(tree / "sbin/init", "/lib/systemd/systemd")
    link(tree / "etc/systemd/system/default.target", "/lib/systemd/system/multi-user.target")
    for unit in HANDLED_BY_THE_HOST:
        link(tree / "etc/systemd/system" / unit, "/dev/null")
    for service in SERVICES:
        link(tree / f"etc/systemd/system/multi-user.target.wants/{service}.service", f"../{service}.service")
    configuration = tree / "etc/containerd/config.toml"
    sandbox = control_plane_images.names(version)["pause"]
    text = configuration.read_text(encoding="utf-8").replace("@SANDBOX_IMAGE@", sandbox)
    configuration.write_text(text, encoding="utf-8")


def overlay(source: Path, tree: Path) -> None:
    """Copy files into a tree with the modes a node needs, whatever the umask of the checkout was."""
    for path in sorted(source.rglob("*")):
        if path.is_file():
            target = tree / path.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
            target.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)


def preload(tree: Path, version: str, log: Path) -> None:
    """Store the control plane's images in the tree's containerd."""
    directory = tree / "preload"
    directory.mkdir()
    control_plane_images.write_all(directory, control_plane_images.names(version), tree)
    shutil.copyfile(layout.ASSETS / "preload", directory / "run")
    with console.Step("node image: storing the control plane's images") as step:
        root_filesystem.inside(tree, ["bash", "/preload/run"], log, lambda: step.progress("importing"))
    shutil.rmtree(directory)


def link(path: Path, target: str) -> None:
    """A symbolic link, in place of whatever was there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.symlink_to(target)
