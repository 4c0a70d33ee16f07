"""Names that say what a thing was made from: equal inputs, equal key, nothing to do."""

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

LENGTH = 12


def key_of(parts: Mapping[str, str | bytes]) -> str:
    """A short key over named parts, whatever their order; a part cannot run into its neighbour."""
    digest = hashlib.sha256()
    for name in sorted(parts):
        content = parts[name]
        raw = content.encode() if isinstance(content, str) else content
        digest.update(f"{name}\0{len(raw)}\0".encode())
        digest.update(raw)
    return digest.hexdigest()[:LENGTH]


def files_of(root: Path, names: Iterable[str]) -> dict[str, bytes]:
    """The named files below `root` that exist, as parts of a key."""
    return {name: (root / name).read_bytes() for name in sorted(names) if (root / name).is_file()}


def tree_of(root: Path) -> dict[str, bytes]:
    """Every file below `root` as parts of a key, without Python's own caches."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }
