"""When neuron-monitor reports what: the groups of metrics that are due, each since its own last time.

Law: pure; the moment is an argument, and a report returns the schedule that follows.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from neuronspan_runtime.tools import machine_view, samples
from neuronspan_runtime.tools.neuron_monitor import configuration, runtime_report, system_report

_NANOSECONDS = 1e9
_KUBERNETES = configuration.Metric("neuron_k8s_info")


@dataclasses.dataclass(frozen=True)
class Schedule:
    """The last sample of each group; replaced by the one that a report returns."""

    config: configuration.Config
    last: Mapping[configuration.Metric, samples.Sample]

    @classmethod
    def begin(cls, config: configuration.Config, sample: samples.Sample) -> "Schedule":
        """Begin with a first sample; everything is due at once."""
        return cls(config, dict.fromkeys((*config.metrics, _KUBERNETES), sample))

    def wait(self, now: int) -> float:
        """Return the seconds until a group is due; `now` is nanoseconds of the monotonic clock."""
        times = (metric.period - self._age(metric, now) for metric in self.config.metrics)
        return max(min(times, default=configuration.DEFAULT_PERIOD), 0.0)

    def due(self, now: int) -> tuple[configuration.Metric, ...]:
        """Return the groups whose period is over, a hair early rather than late."""
        return tuple(metric for metric in self.config.metrics if self._age(metric, now) >= metric.period * 0.999)

    def _age(self, metric: configuration.Metric, now: int) -> float:
        return (now - self.last[metric].view.moment) / _NANOSECONDS

    def report(self, sample: samples.Sample, due: Iterable[configuration.Metric]) -> tuple[dict[str, Any], "Schedule"]:
        """Return the report of these groups and the schedule that follows."""
        wanted = frozenset(due)
        view = sample.view
        report = {
            "neuron_runtime_data": [
                self._runtime(owner, each, sample, wanted)
                for owner in view.owners
                if owner.pages and (each := self.config.filter_of(owner.tag)) is not None
            ],
            "system_data": {
                metric.type: system_report.report(metric.type, self._interval(metric, sample))
                for metric in self.config.system
                if metric in wanted
            },
            "instance_info": system_report.instance_info(view),
            "neuron_hardware_info": system_report.hardware_info(view),
            "neuron_k8s_info": system_report.kubernetes_info(view, self._interval(_KUBERNETES, sample).seconds),
        }
        return report, Schedule(self.config, {**self.last, **dict.fromkeys((*wanted, _KUBERNETES), sample)})

    def _runtime(
        self,
        owner: machine_view.CoreOwner,
        each: configuration.Filter,
        sample: samples.Sample,
        due: frozenset[configuration.Metric],
    ) -> dict[str, Any]:
        return {
            "pid": owner.pid,
            "address": "",
            "neuron_runtime_tag": owner.tag,
            "error": "",
            "report": {
                metric.type: runtime_report.report(metric.type, self._interval(metric, sample), owner)
                for metric in each.metrics
                if metric in due
            },
        }

    def _interval(self, metric: configuration.Metric, sample: samples.Sample) -> samples.Interval:
        return samples.Interval(self.last[metric], sample)
