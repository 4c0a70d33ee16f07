"""Room on the disk, looked at before a step fills it."""

import shutil
from pathlib import Path

from cluster import errors


def need(step: str, path: Path, size: int) -> None:
    """NoSpace unless `size` bytes are free where `path` is or will be."""
    existing = next(parent for parent in (path, *path.parents) if parent.exists())
    free = shutil.disk_usage(existing).free
    if free < size:
        raise errors.NoSpace(step, existing, free, size)
