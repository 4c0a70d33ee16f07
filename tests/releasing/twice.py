"""The same commit released twice: from two checkouts at different paths, at different times, and compared byte by byte.

Law: the second one has another path, another time zone, another umask and another hash seed.
"""

import tempfile
from collections.abc import Mapping
from pathlib import Path

import neuronspan
from cluster import environment, errors, layout, process
from releasing import release

MAKE_SECONDS = 7200.0
GIT_SECONDS = 300.0


def make() -> dict[str, str]:
    """Release the checkout's commit twice; return the sha256 of each file, or raise ClusterError when one differs."""
    with tempfile.TemporaryDirectory() as temporary:
        first = _made(Path(temporary, "a"), "022", {"TZ": "UTC", "PYTHONHASHSEED": "1"})
        second = _made(Path(temporary, "another/place"), "077", {"TZ": "Asia/Tokyo", "PYTHONHASHSEED": "2"})
    differ = differing(first, second)
    if differ:
        raise errors.ClusterError(f"two releases of one commit differ in {', '.join(differ)}")
    return first


def differing(first: Mapping[str, str], second: Mapping[str, str]) -> list[str]:
    """Return the files that are not in both, or not the same. Pure."""
    return sorted(name for name in first.keys() | second.keys() if first.get(name) != second.get(name))


def _made(checkout: Path, umask: str, changes: Mapping[str, str]) -> dict[str, str]:
    process.run(["git", "clone", "--quiet", "--no-hardlinks", layout.CHECKOUT, checkout], timeout=GIT_SECONDS)
    variables = environment.variables(**changes)
    for name in ("MAKEFLAGS", "MFLAGS", "PYTHONPATH"):
        variables.pop(name, None)
    script = f'umask {umask} && exec make -C "$0" release'
    process.run(["sh", "-ec", script, checkout], timeout=MAKE_SECONDS, variables=variables)
    return release.checksums(checkout / "build/release" / neuronspan.__version__)
