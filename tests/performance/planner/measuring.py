"""CPU time of planning at some sizes: one new pod, many at once, a foreign pod's event; in turns where they compare.

Milliseconds are those of the reference machine: what was measured, over how slow this one is just then.
"""

import dataclasses
import itertools
import time
from collections.abc import Callable, Iterator, Sequence

from neuronspan_operator.objects import pods
from neuronspan_operator.planning import facts
from neuronspan_operator.pools import membership, pool_status
from performance.planner import calibration, driving, scenes

Timed = Callable[[Callable[[], object]], float]
"""Does some work and tells how long that took."""
MakePlanner = Callable[[], driving.Planner]


@dataclasses.dataclass
class Subject:
    """One cluster under measurement."""

    scene: scenes.Scene
    loop: driving.Loop
    timed: Timed
    _numbers: Iterator[int] = dataclasses.field(default_factory=itertools.count)

    @classmethod
    def of(cls, scene: scenes.Scene, make: MakePlanner = driving.kept, *, timed: "Timed | None" = None) -> "Subject":
        """Return the cluster with a planner that knows all of it and has nothing left to do."""
        return cls(scene, driving.Loop(make(), scene.changes()), timed or milliseconds)

    def one_by_one(self, count: int) -> float:
        """Return milliseconds per pod for so many that come one after another, own writes included."""
        arrivals = [facts.Changes(pods=pod) for pod in self._fresh(count)]
        bound: dict[str, str] = {}
        taken = self.timed(lambda: [bound.update(self.loop.settle(arrival)) for arrival in arrivals])
        self._end(bound, count)
        return taken / count

    def at_once(self, count: int) -> float:
        """Return milliseconds per granted pod for so many that come in one round."""
        arrival = facts.Changes(pods={uid: pod for each in self._fresh(count) for uid, pod in each.items()})
        bound: dict[str, str] = {}
        taken = self.timed(lambda: bound.update(self.loop.settle(arrival)))
        self._end(bound, count)
        return taken / count

    def whole_lives(self, count: int) -> float:
        """Return milliseconds per pod from its arrival over the plugin's report to its end, one after another."""

        def live(arrival: facts.Changes) -> object:
            bound = self.loop.settle(arrival)
            self.loop.settle(self.loop.confirmed(bound))
            return self.loop.settle(self.loop.ended(bound))

        arrivals = [facts.Changes(pods=pod) for pod in self._fresh(count)]
        return self.timed(lambda: [live(arrival) for arrival in arrivals]) / count

    def foreign_events(self, count: int) -> float:
        """Return microseconds per event of pods that ask for nothing: half are news of one, a quarter come or go.

        From the decoded manifest to the plan, with a round of its own for each event.
        """
        events = list(itertools.islice(self._foreign(), count))

        def take(number: int, manifest: scenes.Manifest | None) -> object:
            seen = None if manifest is None else pods.read_known(manifest)
            return self.loop.planner.plan(facts.Changes(pods={f"uid-foreign-{number}": seen}), self.loop.now)

        return self.timed(lambda: [take(*event) for event in events]) * 1e3 / count

    def looks_at_pools(self, count: int) -> float:
        """Return microseconds for the look at which nodes belong to which pool that follows a NeuronNode's change."""
        known = self.scene.changes()
        kept = membership.Membership()
        kept.decide(known, self.loop.now)
        events = [facts.Changes(members={name: known.members[name]}) for name in itertools.islice(known.members, count)]

        def look(event: facts.Changes) -> object:
            found = kept.decide(event, self.loop.now).findings
            return {name: pool_status.wanted(kept.pools[name], each, self.loop.now) for name, each in found.items()}

        return self.timed(lambda: [look(event) for event in events]) * 1e3 / len(events)

    def fill_with_waiting(self, count: int, *, kinds: int = 1) -> None:
        """Let so many pods wait that fit nowhere: each wants more cores than a node has left, on nodes of its kind."""
        template = {uid: pod for each in self._fresh(count) for uid, pod in each.items()}
        waiting = {uid: _too_large(pod, number % kinds) for number, (uid, pod) in enumerate(template.items())}
        self.loop.settle(facts.Changes(pods=waiting))

    def _fresh(self, count: int) -> Sequence[dict[str, pods.PodView]]:
        pods_of_round = scenes.waiting(count, prefix=f"new{next(self._numbers)}")
        return [{uid: pod} for uid, pod in pods_of_round.items()]

    def _end(self, bound: dict[str, str], count: int) -> None:
        assert len(bound) == count, f"{len(bound)} of {count} pods were bound on {self.scene}"
        self.loop.settle(self.loop.confirmed(bound))
        self.loop.settle(self.loop.ended(bound))

    def _foreign(self) -> Iterator[tuple[int, scenes.Manifest | None]]:
        known = self.scene.foreign
        for number in itertools.count():
            node = scenes.node_name(number % self.scene.nodes)
            version = next(self._numbers) + 2
            old, new = number % max(known, 1), known + number
            yield old, scenes.foreign_pod(old, scenes.node_name(old % self.scene.nodes), version=version)
            yield new, scenes.foreign_pod(new, node, version=version)
            yield old, scenes.foreign_pod(old, scenes.node_name(old % self.scene.nodes), version=version + 1)
            yield new, None


def in_turns(rounds: int, *measures: Callable[[], float]) -> list[list[float]]:
    """Return what each of them measured, round by round, in turns."""
    taken: list[list[float]] = [[] for _ in measures]
    for _ in range(rounds):
        for results, measure in zip(taken, measures, strict=True):
            results.append(measure())
    return taken


def _too_large(pod: pods.PodView, kind: int) -> pods.PodView:
    """Return the pod with a wish for all cores of a node, of which some are taken everywhere."""
    wanted = scenes.whole_node(pod.name)
    place = dataclasses.replace(wanted.constraints, node_selector={"kind": str(kind)} if kind else {})
    return dataclasses.replace(pod, requests=wanted.requests, amounts=wanted.amounts, constraints=place)


def milliseconds(work: Callable[[], object]) -> float:
    """Return the CPU time of this work in milliseconds of the reference machine."""
    slow = calibration.slowness()
    start = time.thread_time()
    work()
    taken = time.thread_time() - start
    return taken * 1e3 / max(slow, calibration.slowness())
