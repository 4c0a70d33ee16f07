"""Which shared libraries files need, without running them.

Law: an image whose packages were chosen by hand is whole, or there is no release.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from cluster import errors, process

READ_SECONDS = 60.0
_NEEDED = re.compile(r"\(NEEDED\)\s+Shared library: \[(.+?)\]")


def needed(dynamic: str) -> tuple[str, ...]:
    """Return the names in what `readelf --dynamic` printed. Pure."""
    return tuple(_NEEDED.findall(dynamic))


def require_complete(roots: Sequence[Path], machine: str) -> None:
    """Raise ClusterError unless the trees have everything that their Python modules need, and what that needs."""
    absent: dict[str, str] = {}
    seen: set[str] = set()
    waiting = [path for root in roots for path in _modules(root)]
    while waiting:
        path = waiting.pop()
        for name in needed(process.run(["readelf", "--dynamic", "--wide", path], timeout=READ_SECONDS)):
            if name in seen:
                continue
            seen.add(name)
            found = next(_found(roots, machine, name), None)
            if found:
                waiting.append(found)
            else:
                absent[name] = path.name
    if absent:
        listed = ", ".join(f"{name} (for {user})" for name, user in sorted(absent.items()))
        raise errors.ClusterError(f"the image lacks shared libraries: {listed}; a package too many is left out")


def _modules(root: Path) -> Iterator[Path]:
    for path in (root / "usr/lib").glob("python3*/**/*.so"):
        if path.is_file() and not path.is_symlink():
            yield path


def _found(roots: Sequence[Path], machine: str, name: str) -> Iterator[Path]:
    for root in roots:
        for directory in (root / "usr/lib" / f"{machine}-linux-gnu", root / "usr/lib"):
            if (directory / name).exists():
                yield directory / name
