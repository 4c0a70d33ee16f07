"""Does an answer cost what changed, or what there is? Counted in two clusters that differ in size alone.

Law: nothing here is timed, so that every run on every machine says the same; the planner is given, so that a slow one
can be shown to be caught.
"""

from collections.abc import Callable, Sequence

from neuronspan_operator.objects import pods
from neuronspan_operator.planning import facts
from performance import sampling
from performance.planner import driving, measuring, scenes, steps

SMALL, LARGE = 16, 96
"""Nodes; for each there are four running pods of ours, a foreign one, and half a waiting one, of its own kind."""
_CALLS = 3


def samples(make: measuring.MakePlanner = driving.kept) -> sampling.Samples:
    """Return for each kind of event what every further node cost: steps, and bytes at one time."""
    for nodes in (SMALL, LARGE):  # fills what is remembered beyond one planner: texts, amounts, windows
        _counted(nodes, make)
    small, large = (_counted(nodes, make) for nodes in (SMALL, LARGE))
    found: dict[str, list[float]] = {}
    for event, ours in large.items():
        found[f"{event}_steps"] = [(ours.steps - small[event].steps) / (LARGE - SMALL)]
        found[f"{event}_bytes"] = [(ours.peak_bytes - small[event].peak_bytes) / (LARGE - SMALL)]
    return found


def _counted(nodes: int, make: measuring.MakePlanner) -> dict[str, steps.Counted]:
    """Count one event of each kind, after others like it: what is made at first use is no event's doing."""
    subject = measuring.Subject.of(scenes.Scene(nodes, foreign=nodes), make, timed=_untimed)
    subject.fill_with_waiting(nodes // 2, kinds=nodes)
    subject.whole_lives(2)
    subject.foreign_events(4)
    loop = subject.loop
    bound: list[dict[str, str]] = []

    def arrive(pod: dict[str, pods.PodView]) -> Callable[[], object]:
        return lambda: bound.append(loop.settle(facts.Changes(pods=pod)))

    def report(index: int) -> Callable[[], object]:
        return lambda: loop.settle(loop.confirmed(bound[index]))

    def end(index: int) -> Callable[[], object]:
        return lambda: loop.settle(loop.ended(bound[index]))

    new = [{uid: pod} for uid, pod in scenes.waiting(_CALLS, prefix="counted").items()]
    return {
        "arrival": steps.count(*map(arrive, new)),
        "report": steps.count(*map(report, range(_CALLS))),
        "end": steps.count(*map(end, range(_CALLS))),
        "foreign": steps.count(*_foreign(loop)),
        "rest": steps.count(*[lambda: loop.settle(facts.Changes())] * _CALLS),
    }


def _untimed(work: Callable[[], object]) -> float:
    work()
    return 0.0


def _foreign(loop: driving.Loop) -> Sequence[Callable[[], object]]:
    seen = [pods.read_known(scenes.foreign_pod(0, scenes.node_name(0), version=101 + call)) for call in range(_CALLS)]
    return [
        lambda pod=pod: loop.planner.plan(facts.Changes(pods={"uid-foreign-0": pod}), loop.now)  # type: ignore[misc]
        for pod in seen
    ]
