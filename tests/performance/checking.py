"""Limits beside what was measured: reading the data file, judging, and the table. Pure but for `read`."""

import dataclasses
import operator
import pathlib
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import yaml

DATA = pathlib.Path(__file__).parent / "limits.yaml"
STATISTICS: Mapping[str, Callable[[Sequence[float]], float]] = {
    "median": statistics.median,
    "least": min,
    "greatest": max,
}
"""What of the rounds is judged. The extremes are for throughput: the round that was disturbed least."""


@dataclasses.dataclass(frozen=True)
class Limit:
    """One promise: a quantity, and what it must not exceed or fall below. Without either it is information."""

    case: str
    quantity: str
    says: str
    unit: str
    statistic: str = "median"
    at_most: float | None = None
    at_least: float | None = None
    aim: float | None = None
    """What would be better still; missing it fails nothing."""

    def promise(self) -> str:
        """Return the limit as people write it."""
        bounds = (("≤", self.at_most), ("≥", self.at_least))
        return next((f"{sign} {bound:g}" for sign, bound in bounds if bound is not None), "")

    def holds(self, value: float) -> bool:
        """Whether a measured value keeps the promise."""
        above = self.at_most is not None and operator.gt(value, self.at_most)
        below = self.at_least is not None and operator.lt(value, self.at_least)
        return not (above or below)


@dataclasses.dataclass(frozen=True)
class Measured:
    """The rounds of one quantity in numbers."""

    value: float
    """What is judged."""
    mean: float
    deviation: float
    """Standard deviation of the rounds."""
    cv: float
    """Coefficient of variation: deviation / mean."""
    rounds: int
    least: float | None = None
    greatest: float | None = None


def measured(samples: Sequence[float], statistic: str) -> Measured:
    """Sum up the rounds. Raises KeyError for a statistic that is not in STATISTICS."""
    mean = statistics.fmean(samples)
    deviation = statistics.stdev(samples) if len(samples) > 1 else 0.0
    cv = deviation / abs(mean) if mean else 0.0
    value = STATISTICS[statistic](samples)
    least, greatest = _short(min(samples)), _short(max(samples))
    return Measured(_short(value), _short(mean), _short(deviation), _short(cv), len(samples), least, greatest)


def _short(number: float) -> float:
    return float(f"{number:.4g}")


@dataclasses.dataclass(frozen=True)
class Entry:
    """A limit, and what was measured when the file was last recorded."""

    limit: Limit
    last: Measured | None


def read(path: pathlib.Path = DATA) -> list[Entry]:
    """Read the data file. Raises TypeError for a field that Limit or Measured does not have."""
    entries: list[Mapping[str, Any]] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return [_entry(dict(fields)) for fields in entries]


def _entry(fields: dict[str, Any]) -> Entry:
    last = fields.pop("measured", None)
    return Entry(Limit(**fields), Measured(**last) if last else None)


def written(entries: Sequence[Entry]) -> str:
    """Return the text of the data file."""
    plain = [_given(entry.limit) | ({"measured": _given(entry.last)} if entry.last else {}) for entry in entries]
    header = (
        "# Promises about speed and memory, and what was measured last: `make test-performance RECORD=1` rewrites it.\n"
    )
    return header + yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=120)


def _given(values: Limit | Measured) -> dict[str, Any]:
    return {name: value for name, value in dataclasses.asdict(values).items() if value is not None}


def named(word: str, cases: Sequence[str]) -> list[str]:
    """Return the case of this name, or all whose names begin with it and go on after an underscore."""
    return [word] if word in cases else [case for case in cases if case.startswith(f"{word}_")]


def missed(entries: Sequence[Entry]) -> list[Entry]:
    """Return the entries that were measured and do not keep their promise."""
    return [entry for entry in entries if entry.last and not entry.limit.holds(entry.last.value)]


def table(entries: Sequence[Entry]) -> str:
    """Return a Markdown table of the entries, one line each."""
    lines = ["| what | limit | aim | measured | least … greatest | mean ± deviation | rounds | |", "|---" * 8 + "|"]
    for entry in entries:
        limit, last = entry.limit, entry.last
        if last is None:
            numbers = " | | | | "
        else:
            verdict = "" if not limit.promise() else "kept" if limit.holds(last.value) else "**missed**"
            judged = " ".join(filter(None, (f"{last.value:g}", limit.unit, f"({limit.statistic})")))
            extremes = "" if last.least is None else f"{last.least:g} … {last.greatest:g}"
            numbers = f"{judged} | {extremes} | {last.mean:g} ± {last.deviation:.2g} | {last.rounds} | {verdict}"
        aim = "" if limit.aim is None else f"{limit.aim:g}"
        lines.append(f"| {limit.says} | {limit.promise()} | {aim} | {numbers} |")
    return "\n".join(lines) + "\n"
