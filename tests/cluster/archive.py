"""Docker archives (`docker load`, `ctr images import`) from a directory tree, without an engine.

Law: the same tree gives the same bytes, so the image's id says what is in it. Names are sorted, times are zero, owners
are numbers; owners, modes, links and device nodes are kept, or every owner becomes root.
"""

import dataclasses
import hashlib
import io
import json
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

EPOCH = "1970-01-01T00:00:00Z"
SEARCH_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclasses.dataclass(frozen=True)
class ImageConfig:
    """The part of an image that says how it starts."""

    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict)
    stop_signal: str = ""
    labels: Mapping[str, str] = dataclasses.field(default_factory=dict)
    architecture: str = "amd64"

    def to_dict(self, layer: str) -> dict[str, Any]:
        """The image's configuration document; `layer` is the sha256 of its one uncompressed layer."""
        start: dict[str, Any] = {"Env": [SEARCH_PATH, *(f"{k}={v}" for k, v in sorted(self.environment.items()))]}
        optional = {
            "Entrypoint": list(self.entrypoint),
            "Cmd": list(self.command),
            "StopSignal": self.stop_signal,
            "Labels": dict(sorted(self.labels.items())),
        }
        start |= {name: value for name, value in optional.items() if value}
        return {
            "architecture": self.architecture,
            "os": "linux",
            "created": EPOCH,
            "config": start,
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer}"]},
            "history": [{"created": EPOCH, "created_by": "neuronspan cluster"}],
        }


def write(out: Path, references: Sequence[str], root: Path, config: ImageConfig, *, keep_owners: bool = False) -> str:
    """Write the tree under `root` to `out` as an image with one layer; returns the image's id, `sha256:...`."""
    layer_file = out.with_name(out.name + ".layer")
    try:
        with layer_file.open("wb") as layer:
            write_layer(layer, root, keep_owners=keep_owners)
        digest = digest_of(layer_file)
        document = canonical(config.to_dict(digest))
        image = hashlib.sha256(document).hexdigest()
        manifest = [{"Config": f"{image}.json", "RepoTags": list(references), "Layers": [f"{digest}/layer.tar"]}]
        with tarfile.open(out, "w", format=tarfile.PAX_FORMAT) as archive:
            _add_bytes(archive, f"{image}.json", document)
            _add_file(archive, f"{digest}/layer.tar", layer_file)
            _add_bytes(archive, "manifest.json", canonical(manifest))
    finally:
        layer_file.unlink(missing_ok=True)
    return f"sha256:{image}"


def write_layer(out: IO[bytes], root: Path, *, keep_owners: bool = False) -> None:
    """Write the tree under `root` as one reproducible tar stream."""
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path in walk(root):
            member = archive.gettarinfo(path, arcname=str(path.relative_to(root)))
            normalise(member, keep_owners=keep_owners)
            if member.isreg():
                with path.open("rb") as content:
                    archive.addfile(member, content)
            else:
                archive.addfile(member)


def walk(root: Path) -> Iterator[Path]:
    """Everything below `root`, directories before what they hold, in an order that no file system decides."""
    for path in sorted(root.iterdir(), key=lambda entry: entry.name):
        if path.is_socket():
            continue
        yield path
        if path.is_dir() and not path.is_symlink():
            yield from walk(path)


def normalise(member: tarfile.TarInfo, *, keep_owners: bool = False) -> tarfile.TarInfo:
    """Take out what differs between two machines: times, names of owners and, unless kept, their numbers."""
    member.mtime = 0
    member.uname = member.gname = ""
    if not keep_owners:
        member.uid = member.gid = 0
    return member


def digest_of(path: Path) -> str:
    """The sha256 of a file, in hex."""
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def canonical(document: object) -> bytes:
    """JSON with one spelling."""
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def _add_bytes(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))


def _add_file(archive: tarfile.TarFile, name: str, path: Path) -> None:
    member = normalise(tarfile.TarInfo(name))
    member.size = path.stat().st_size
    with path.open("rb") as content:
        archive.addfile(member, content)
