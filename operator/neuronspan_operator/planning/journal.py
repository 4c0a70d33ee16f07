"""Which nodes changed since somebody looked last: whoever keeps an answer per node renews those alone. Pure.

Law: a reader that comes back after ``KEPT`` changes is told to look at everything again, so the journal stays small.
"""

from collections.abc import Hashable
from typing import Final, Generic, TypeVar

K = TypeVar("K", bound=Hashable)

KEPT: Final = 20_000
"""Changes that are remembered: a reader that missed more has about as much work with all nodes at once."""


class Journal(Generic[K]):
    """Keys in the order of their changes; a reader keeps the ``position`` it has read up to."""

    def __init__(self) -> None:
        self._changed: list[K] = []
        self._dropped = 0

    @property
    def position(self) -> int:
        """The number of changes so far."""
        return self._dropped + len(self._changed)

    def note(self, key: K) -> None:
        """Note that something about the key changed."""
        self._changed.append(key)
        if len(self._changed) > 2 * KEPT:
            excess = len(self._changed) - KEPT
            del self._changed[:excess]
            self._dropped += excess

    def since(self, position: int) -> "dict[K, None] | None":
        """Return the keys that changed after that position, each once; None when that is not known any more."""
        if position < self._dropped:
            return None
        return dict.fromkeys(self._changed[position - self._dropped :])
