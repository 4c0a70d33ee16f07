"""An image for several architectures as one OCI layout in a tar file, without an engine.

Law: the same layers and configurations give the same bytes.
"""

import dataclasses
import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cluster import archive, loading

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


@dataclasses.dataclass(frozen=True)
class Layer:
    """One layer: its compressed bytes, and the digest of the uncompressed ones."""

    content: bytes
    diff_id: str


@dataclasses.dataclass(frozen=True)
class Start:
    """How a container of the image starts, and what its labels say."""

    user: str
    environment: Mapping[str, str]
    labels: Mapping[str, str]
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Variant:
    """The image of one architecture."""

    architecture: str
    layers: tuple[Layer, ...]


def layer_of(tree: Path) -> Layer:
    """Return the tree as a layer; every owner is root."""
    plain = io.BytesIO()
    archive.write_layer(plain, tree)
    raw = plain.getvalue()
    return Layer(gzip.compress(raw, 6, mtime=0), digest(raw))


def digest(content: bytes) -> str:
    """Return a digest as registries write it."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def write(out: Path, reference: str, variants: Sequence[Variant], start: Start, created: str) -> str:
    """Write the layout to ``out``; return the digest of the index, by which a registry knows the whole image."""
    blobs: dict[str, bytes] = {}
    manifests = [_manifest(blobs, variant, start, created) for variant in variants]
    index = archive.canonical({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests})
    # containerd takes either as it stands, its own first, and kubelet looks for the full name
    names = {"org.opencontainers.image.ref.name": reference, "io.containerd.image.name": loading.full_name(reference)}
    entry = _stored(blobs, INDEX, index) | {"annotations": names}
    top = archive.canonical({"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]})
    files = {f"blobs/{name.replace(':', '/')}": content for name, content in blobs.items()}
    files |= {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}', "index.json": top}
    with tarfile.open(out, "w", format=tarfile.PAX_FORMAT) as written:
        for name, content in sorted(files.items()):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            written.addfile(member, io.BytesIO(content))
    return str(entry["digest"])


def config_of(variant: Variant, start: Start, created: str) -> dict[str, Any]:
    """Return the configuration document of one architecture's image."""
    starts = {"Entrypoint": list(start.entrypoint), "Cmd": list(start.command)}
    return {
        "architecture": variant.architecture,
        "os": "linux",
        "created": created,
        "config": {
            "User": start.user,
            **{name: words for name, words in starts.items() if words},
            "Env": [f"{name}={value}" for name, value in sorted(start.environment.items())],
            "Labels": dict(start.labels),
        },
        "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in variant.layers]},
        "history": [{"created": created, "created_by": "make release"} for _ in variant.layers],
    }


def digest_in(layout: Path) -> str:
    """Return the digest of the one image in a layout, as ``write`` returned it."""
    with tarfile.open(layout) as stored:
        content = stored.extractfile("index.json")
        assert content is not None
        (entry,) = json.load(content)["manifests"]
    return str(entry["digest"])


def _manifest(blobs: dict[str, bytes], variant: Variant, start: Start, created: str) -> dict[str, Any]:
    config = archive.canonical(config_of(variant, start, created))
    document = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": _stored(blobs, CONFIG, config),
        "layers": [_stored(blobs, LAYER, layer.content) for layer in variant.layers],
    }
    stored = _stored(blobs, MANIFEST, archive.canonical(document))
    return stored | {"platform": {"architecture": variant.architecture, "os": "linux"}}


def _stored(blobs: dict[str, bytes], kind: str, content: bytes) -> dict[str, Any]:
    name = digest(content)
    blobs[name] = content
    return {"mediaType": kind, "digest": name, "size": len(content)}
