"""neuron-monitor's configuration file: which groups of metrics, of which processes, how often.

The form is that of AWS's user guide: `period` at the root, of a process filter, or of a metric; the nearest one counts.

Law: pure; parsed JSON in, and all of its problems at once.
"""

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from neuronspan_runtime import errors

DEFAULT_PERIOD = 5.0
"""Seconds."""
RUNTIME_METRICS = ("neuroncore_counters", "execution_stats", "memory_used", "neuron_runtime_vcpu_usage")
SYSTEM_METRICS = ("memory_info", "neuron_hw_counters", "vcpu_usage")
_UNITS = {"ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|s|m|h))+")
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")


@dataclasses.dataclass(frozen=True)
class Metric:
    """A group of metrics."""

    type: str
    period: float = DEFAULT_PERIOD
    """Seconds between two updates."""


@dataclasses.dataclass(frozen=True)
class Filter:
    """What is reported of the processes whose tag matches."""

    tag: re.Pattern[str]
    metrics: tuple[Metric, ...]


@dataclasses.dataclass(frozen=True)
class Config:
    """What neuron-monitor reports."""

    runtimes: tuple[Filter, ...] = (Filter(re.compile(".*"), tuple(map(Metric, RUNTIME_METRICS))),)
    system: tuple[Metric, ...] = tuple(map(Metric, SYSTEM_METRICS))

    def filter_of(self, tag: str) -> Filter | None:
        """Return the first filter that a process with this tag passes."""
        return next((each for each in self.runtimes if each.tag.search(tag)), None)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """All groups, of processes and of the system."""
        return (*(metric for each in self.runtimes for metric in each.metrics), *self.system)


def parse(raw: Any) -> Config:
    """Read a configuration. Raises InvalidSettings with every problem found."""
    reader = _Reader()
    config = reader.config(raw)
    if reader.problems:
        raise errors.InvalidSettings(reader.problems)
    return config


def seconds(text: str) -> float | None:
    """Read a duration such as `500ms` or `1m30s`; None when it is not one, or is 0."""
    if not _DURATION.fullmatch(text):
        return None
    return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text)) or None


class _Reader:
    """Reads what can be read and collects what is wrong with the rest."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def config(self, raw: Any) -> Config:
        root = self._mapping(raw, "the configuration")
        period = self._period(root, "the configuration", DEFAULT_PERIOD)
        runtimes = tuple(
            self._filter(each, f"neuron_runtimes[{index}]", period)
            for index, each in enumerate(self._list(root, "neuron_runtimes", "the configuration"))
        )
        return Config(runtimes, tuple(self._metrics(root, "system_metrics", "the configuration", period)))

    def _filter(self, raw: Any, where: str, period: float) -> Filter:
        value = self._mapping(raw, where)
        text = value.get("tag_filter", ".*")
        try:
            tag = re.compile(text)
        except (re.error, TypeError) as error:
            self.problems.append(f"tag_filter of {where} is {text!r}, not a regular expression: {error}")
            tag = re.compile(".*")
        return Filter(tag, tuple(self._metrics(value, "metrics", where, self._period(value, where, period))))

    def _metrics(self, owner: Mapping[str, Any], key: str, where: str, period: float) -> Iterator[Metric]:
        known = SYSTEM_METRICS if key == "system_metrics" else RUNTIME_METRICS
        for index, each in enumerate(self._list(owner, key, where)):
            place = f"{key}[{index}] of {where}"
            value = self._mapping(each, place)
            if value.get("type") not in known:
                self.problems.append(f"type of {place} is {value.get('type')!r}: use one of {', '.join(known)}")
                continue
            yield Metric(value["type"], self._period(value, place, period))

    def _period(self, owner: Mapping[str, Any], where: str, default: float) -> float:
        text = owner.get("period")
        if text is None:
            return default
        if (found := seconds(str(text))) is None:
            self.problems.append(f"period of {where} is {text!r}: write a duration such as 1s, 500ms or 1m")
        return found or default

    def _mapping(self, raw: Any, where: str) -> Mapping[str, Any]:
        if isinstance(raw, Mapping):
            return raw
        self.problems.append(f"{where} is {raw!r}: write an object")
        return {}

    def _list(self, owner: Mapping[str, Any], key: str, where: str) -> Sequence[Any]:
        value = owner.get(key, [])
        if isinstance(value, list):
            return value
        self.problems.append(f"{key} of {where} is {value!r}: write a list")
        return []
