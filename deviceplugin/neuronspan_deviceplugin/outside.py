"""Time and chance, as arguments.

Law: nobody else in the agent reads a clock or draws a random number, except to wait and to measure.
"""

import dataclasses
import datetime as dt
import time
import uuid
from collections.abc import Callable


def new_token() -> str:
    """Return a short name that was never used before."""
    return uuid.uuid4().hex[:12]


@dataclasses.dataclass(frozen=True, slots=True)
class Outside:
    """What the agent gets from the machine it runs on."""

    clock: Callable[[], float] = time.monotonic
    """Seconds since the boot, for every wait and age: the wall clock may jump, and nothing may hang on that."""
    wall_clock: Callable[[], float] = time.time
    """Seconds since the epoch, for what people read."""
    new_token: Callable[[], str] = new_token

    def now(self) -> str:
        """Return the time as RFC 3339."""
        return self._moment().isoformat(timespec="seconds").replace("+00:00", "Z")

    def stamp(self) -> str:
        """Return the time as part of a file name."""
        return self._moment().strftime("%Y%m%dT%H%M%SZ")

    def _moment(self) -> dt.datetime:
        return dt.datetime.fromtimestamp(self.wall_clock(), dt.UTC)
