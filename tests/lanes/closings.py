"""The closing lines of pytest runs, and their sum. Pure."""

import dataclasses
import re
from collections.abc import Iterable, Mapping

ORDER = ("failed", "passed", "skipped", "deselected", "xfailed", "xpassed", "warning", "error")
"""As pytest tells them; `warning` and `error` have a plural."""
WIDTH = 120
_CLOSING = re.compile(r"^=+ (?P<counts>\d+ \w+(?:, \d+ \w+)*) in [\d.]+s(?: \([\d:]+\))? =+$", re.MULTILINE)
_MINUTE = 60


class NoClosingError(Exception):
    """A run that did not come to its closing line."""


@dataclasses.dataclass(frozen=True)
class Counts:
    """How many tests passed, failed and so on."""

    of: Mapping[str, int]

    @property
    def ran(self) -> int:
        """How many tests came to a verdict."""
        return sum(self.of.get(word, 0) for word in ("failed", "passed", "xfailed", "xpassed"))


def parse(output: str) -> Counts:
    """Read the last closing line of a run; NoClosingError when there is none."""
    found = list(_CLOSING.finditer(output))
    if not found:
        raise NoClosingError
    counts = (each.split() for each in found[-1]["counts"].split(", "))
    return Counts({_singular(word): int(number) for number, word in counts})


def total(runs: Iterable[Counts]) -> Counts:
    """Add up."""
    found: dict[str, int] = {}
    for run in runs:
        for word, number in run.of.items():
            found[word] = found.get(word, 0) + number
    return Counts(found)


def line(counts: Counts, seconds: float) -> str:
    """Return the closing line that pytest would write for all of it."""
    told = [f"{counts.of[word]} {_plural(word, counts.of[word])}" for word in ORDER if counts.of.get(word)]
    whole = int(seconds)
    clock = f" ({whole // _MINUTE**2}:{whole // _MINUTE % _MINUTE:02d}:{whole % _MINUTE:02d})"
    text = f" {', '.join(told) or 'no tests ran'} in {seconds:.2f}s{clock if whole >= _MINUTE else ''} "
    return text.center(WIDTH, "=")


def _singular(word: str) -> str:
    return word.removesuffix("s") if word in {"warnings", "errors"} else word


def _plural(word: str, number: int) -> str:
    return f"{word}s" if word in {"warning", "error"} and number > 1 else word
