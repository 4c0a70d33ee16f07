"""Which compiled libraries of a cache are not worth keeping.

Every edit of the sources and every upgrade of torch makes a library, and none is removed by hand. Removing too early
costs a minute at the next import, removing too late half a megabyte, so both rules must agree.

Law: pure; names, last uses and the time now in, names out.
"""

import dataclasses
import re
from collections import defaultdict
from collections.abc import Iterable

KEPT = 5
"""So many of each torch version, those used last, are always kept."""
IDLE_SECONDS = 14 * 24 * 3600.0
"""What was used within two weeks is always kept, however many there are."""

_NAME = re.compile(r"(torch-.+)-[0-9a-f]{12}")


@dataclasses.dataclass(frozen=True)
class Library:
    """One library of the cache."""

    name: str
    """Of its directory; see extension.key. Anything else in the cache is not ours to remove."""
    used: float
    """When it was loaded last, seconds since the epoch; to about a day."""


def superfluous(libraries: Iterable[Library], now: float) -> tuple[str, ...]:
    """Return the names of the libraries to remove, the longest unused one first."""
    versions: dict[str, list[Library]] = defaultdict(list)
    for library in libraries:
        if found := _NAME.fullmatch(library.name):
            versions[found[1]].append(library)
    spare = [one for of_version in versions.values() for one in sorted(of_version, key=_age)[KEPT:]]
    idle = (library for library in spare if now - library.used > IDLE_SECONDS)
    return tuple(library.name for library in sorted(idle, key=lambda library: library.used))


def _age(library: Library) -> float:
    return -library.used
