"""CPU time of planning: one new pod, many at once, events of pods that ask for nothing, and looks at pools."""

import functools

from performance import sampling
from performance.planner import measuring, scenes

SIZES = 1000, 5000, 10_000
"""Nodes; each has four running pods with NeuronCores."""
ROUNDS = 7
SINGLES = 40
AT_ONCE = 1000
EVENTS = 2000
FOREIGN_PODS = 50_000
_SHARED = 5000
"""Nodes of the cluster that foreign pods share."""


def measure() -> sampling.Samples:
    """Return milliseconds per pod and microseconds per event of the reference machine."""
    return {**_pods_of_ours(), **_foreign_pods()}


def _pods_of_ours() -> dict[str, list[float]]:
    subjects = [measuring.Subject.of(scenes.Scene(nodes)) for nodes in SIZES]
    measures = [functools.partial(subject.one_by_one, SINGLES) for subject in subjects]
    measures += [functools.partial(subjects[0].whole_lives, SINGLES), functools.partial(subjects[0].at_once, AT_ONCE)]
    small, middle, large, lives, bursts = measuring.in_turns(ROUNDS, *measures)
    return {
        "new_pod_1000": small,
        "new_pod_5000": middle,
        "new_pod_10000": large,
        "new_pod_ratio": [ours / theirs for ours, theirs in zip(large, middle, strict=True)],
        "life": lives,
        "at_once": bursts,
    }


def _foreign_pods() -> dict[str, list[float]]:
    subject = measuring.Subject.of(scenes.Scene(_SHARED, foreign=FOREIGN_PODS))
    measures = functools.partial(subject.foreign_events, EVENTS), functools.partial(subject.looks_at_pools, EVENTS)
    events, looks = measuring.in_turns(ROUNDS, *measures)
    return {"foreign_event": events, "pools": looks}
