"""The images of a release, started: each architecture's own programs, by an emulator where the machine has another one.

Law: what runs is the layers of the release's files and nothing else of this machine but the emulator.
"""

import json
import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cluster import console, environment, errors, packages, process
from releasing.images import oci_layout

SECONDS = 1800.0
"""An emulated import of torch takes minutes."""
EMULATORS = {"amd64": ("qemu-x86_64-static", "x86_64"), "arm64": ("qemu-aarch64-static", "aarch64")}
TORCH = """
import torch, torch_neuronx
from neuronspan_runtime.library import extension
assert extension.library().is_relative_to("/opt/neuronspan"), extension.library()
x = torch.ones(2, 2, device="neuron")
assert (x @ x).cpu().sum().item() == 8
print("torch", torch.__version__)
"""
"""The library was compiled for this torch, and computes on the device."""
ROOM = 'mount -t proc proc "$0/proc"; mount --rbind /dev "$0/dev"; mount --rbind /sys "$0/sys"; exec chroot "$0" "$@"'


def start_all(release: Path) -> Iterator[str]:
    """Start every architecture of every image; yield a sentence for each, or raise CommandFailed."""
    if not release.is_dir():
        raise errors.ClusterError(f"there is no release in {release}: run `make release` first")
    for path in sorted(release.glob("*.oci.tar")):
        with tempfile.TemporaryDirectory() as temporary, tarfile.open(path) as stored:
            stored.extractall(temporary, filter="data")
            for manifest in manifests(Path(temporary), oci_layout.digest_in(path)):
                architecture = manifest["platform"]["architecture"]
                with console.Step(f"starting {path.name} for {architecture}"):
                    yield f"{path.name} for {architecture}: {_start(Path(temporary), manifest, architecture)}"


def manifests(layout: Path, digest: str) -> list[dict[str, Any]]:
    """Return the entries of an image's index, one for each architecture."""
    found: list[dict[str, Any]] = _read(layout, digest)["manifests"]
    return found


def words_of(config: dict[str, Any]) -> list[str]:
    """Return the command that says what an image is: its own, or tensors on the device for the runtime. Pure."""
    entrypoint: list[str] = config.get("Entrypoint", [])
    return [*entrypoint, "--version"] if entrypoint else ["/usr/bin/python3", "-c", TORCH]


def _start(layout: Path, entry: dict[str, Any], architecture: str) -> str:
    manifest = _read(layout, entry["digest"])
    config = _read(layout, manifest["config"]["digest"])["config"]
    with tempfile.TemporaryDirectory() as temporary:
        tree = Path(temporary)
        for layer in manifest["layers"]:
            with tarfile.open(_blob(layout, layer["digest"])) as content:
                content.extractall(tree, filter="tar")
        for name in ("proc", "dev", "sys"):
            (tree / name).mkdir(exist_ok=True)
        command = [*_emulator(tree, architecture), *words_of(config)]
        variables = dict(each.split("=", 1) for each in config["Env"])
        inside = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-ec", ROOM, temporary, *command]
        return process.run(inside, timeout=SECONDS, variables=variables | {"HOME": "/tmp"}).strip()  # noqa: S108


def _emulator(tree: Path, architecture: str) -> tuple[str, ...]:
    program, machine = EMULATORS[architecture]
    if os.uname().machine == machine:
        return ()
    if not environment.is_root():
        raise errors.NotRoot(f"starting a program for {architecture}")
    shutil.copy(packages.need(program, "qemu-user-static"), tree / "emulator")
    return ("/emulator",)


def _read(layout: Path, digest: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(_blob(layout, digest).read_bytes())
    return found


def _blob(layout: Path, digest: str) -> Path:
    return layout / "blobs" / Path(*digest.split(":"))
