"""Measures how planning grows: with nodes, running pods, cores of a node, foreign pods and waiting pods."""

import dataclasses
import functools
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence

from performance.growth import fits, numbers
from performance.planner import measuring, scenes

_ROUNDS = 5
_PODS = 40
_EVENTS = 400
_MIDDLE = 1000
"""Nodes, where something else grows."""


@dataclasses.dataclass(frozen=True)
class Axis:
    """One thing that grows, the sizes at which planning is measured, and how such a cluster comes about."""

    name: str
    counted: str
    sizes: Sequence[int]
    subject: Callable[[int], measuring.Subject]


def _with_waiting(count: int) -> measuring.Subject:
    subject = measuring.Subject.of(scenes.Scene(_MIDDLE))
    subject.fill_with_waiting(count)
    return subject


AXES: Mapping[str, Axis] = {
    axis.name: axis
    for axis in (
        Axis("nodes", "nodes", (100, 300, 1000, 3000, 10_000, 30_000, 100_000), lambda n: _of(scenes.Scene(n))),
        Axis(
            "running", "running pods with NeuronCores on a node", (1, 2, 4, 7), lambda n: _of(scenes.Scene(_MIDDLE, n))
        ),
        Axis(
            "foreign",
            "pods that ask for nothing",
            (1000, 10_000, 100_000, 300_000),
            lambda n: _of(scenes.Scene(_MIDDLE, foreign=n)),
        ),
        Axis("waiting", "waiting pods that fit nowhere", (100, 1000, 10_000, 100_000), _with_waiting),
    )
}


@dataclasses.dataclass(frozen=True)
class Measured:
    """What planning took along one axis: milliseconds per new pod, microseconds per foreign event; by size."""

    axis: str
    new_pod: fits.Points
    foreign_event: fits.Points


def measure(axis: Axis, largest: int) -> Measured:
    """Measure along an axis, up to that size."""
    new_pod, events = [], []
    for size in (each for each in axis.sizes if each <= largest):
        subject = axis.subject(size)
        subject.one_by_one(_PODS)  # what is made at first use is no pod's cost
        one_by_one = functools.partial(subject.one_by_one, _PODS)
        pods, foreign = measuring.in_turns(_ROUNDS, one_by_one, functools.partial(subject.foreign_events, _EVENTS))
        new_pod.append((float(size), statistics.median(pods)))
        events.append((float(size), statistics.median(foreign)))
    return Measured(axis.name, new_pod, events)


def rows(found: Measured) -> Iterator[str]:
    """Yield the rows of a Markdown table: a size, and what a new pod and an event took there."""
    for (size, pod), (_, event) in zip(found.new_pod, found.foreign_event, strict=True):
        yield f"| {AXES[found.axis].counted} | {numbers.grouped(size)} | {pod:.3f} | {event:.1f} |"


def _of(scene: scenes.Scene) -> measuring.Subject:
    return measuring.Subject.of(scene)
