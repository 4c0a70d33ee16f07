"""Many values tried at once: none of a batch stands inside another one, so that each means what it does alone."""

import collections
import dataclasses
from collections.abc import Callable, Iterable, Iterator
from typing import Any

Path = tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Case:
    """One value, set to something."""

    path: Path
    value: Any

    @property
    def pointer(self) -> str:
        """The value's name as helm's schema says it."""
        return "/" + "/".join(self.path)

    def __str__(self) -> str:
        return f"{'.'.join(self.path)}={self.value!r:.300}"


def packed(cases: Iterable[Case]) -> list[list[Case]]:
    """Put the cases into batches, each with at most one case of a path, and with paths of one length only."""
    seen: collections.Counter[Path] = collections.Counter()
    batches: dict[tuple[int, int], list[Case]] = {}
    for case in cases:
        batches.setdefault((len(case.path), seen[case.path]), []).append(case)
        seen[case.path] += 1
    return [*batches.values()]


def values(batch: Iterable[Case], base: dict[str, Any]) -> dict[str, Any]:
    """Return the base with every case of the batch in it."""
    made: dict[str, Any] = _copied(base)
    for case in batch:
        place = made
        for key in case.path[:-1]:
            place = place.setdefault(key, {})
        place[case.path[-1]] = case.value
    return made


def _copied(place: Any) -> Any:
    return {key: _copied(value) for key, value in place.items()} if isinstance(place, dict) else place


def failing(batch: list[Case], attempt: Callable[[list[Case]], str]) -> Iterator[tuple[list[Case], str]]:
    """Try a batch; when it fails, yield the smallest parts of it that do, halving, each with what was said of it."""
    said = attempt(batch)
    if not said:
        return
    if len(batch) == 1:
        yield batch, said
        return
    middle = len(batch) // 2
    found = [part for half in (batch[:middle], batch[middle:]) for part in failing(half, attempt)]
    yield from found or [(batch, said)]
