"""Several planners over one set of ledgers, played in virtual time: who gets how many pods bound, at what price.

Each planner has its own, slightly old, view of all ledgers. It takes waiting pods in rounds, chooses nodes, and writes
ledgers by compare-and-swap: a write on an older version than the stored one is refused, and its pods wait again. The
next round begins when all ledgers of the last one are answered. The API server is a queue with some processors. What
one planner wrote is an event for every other that watches all; it costs these time, too.

Law: what is stored never exceeds a node, whatever planners believe; the same seed plays the same game.
"""

import collections
import dataclasses
import enum
import heapq
import itertools
import random
from collections.abc import Callable, Iterator

from performance.growth import costs as measured_costs


class Choice(enum.StrEnum):
    """How planners divide the work."""

    SAME = "all nodes, in the same order"
    APART = "all nodes, each from another one on"
    SHARES = "a share of the nodes each"


@dataclasses.dataclass(frozen=True)
class Setting:
    """One game."""

    nodes: int
    planners: int
    pods: int
    choice: Choice = Choice.APART
    rooms_of_node: int = 4
    """How many pods a node takes."""
    processors: int = 16
    """Of the API server."""
    pods_in_round: int = 50
    news_seconds: float = 0.02
    """Until other planners see what was written."""
    events_of_pod: int = 3
    """Watch events of a pod until it is bound: it came, its ledger, its binding."""
    watches_all: bool = True
    """Whether each planner is sent the events of all pods, or those of its own share alone."""
    arrivals_per_second: float = 0.0
    """0: all pods are there at the start."""
    seed: int = 1


@dataclasses.dataclass
class Outcome:
    """What a game came to."""

    seconds: float = 0.0
    bound: int = 0
    conflicts: int = 0
    ledger_writes: int = 0
    apiserver_busy: float = 0.0
    planners_busy: float = 0.0
    waits: list[float] = dataclasses.field(default_factory=list)

    @property
    def pods_per_second(self) -> float:
        """Return how many pods were bound per second of the game."""
        return self.bound / self.seconds if self.seconds else 0.0


class _View:
    """What one planner believes of all nodes, and its order of choosing: fullest first, then its own order."""

    def __init__(self, setting: Setting, number: int) -> None:
        self.free = [setting.rooms_of_node] * setting.nodes
        self.version = [0] * setting.nodes
        self._nodes = setting.nodes
        self._offset = number * setting.nodes // setting.planners if setting.choice is Choice.APART else 0
        shares = setting.choice is Choice.SHARES
        self._mine = range(number, setting.nodes, setting.planners) if shares else range(setting.nodes)
        self._owned = setting.planners if shares else 1
        self._number = number if shares else 0
        self._heaps: list[list[tuple[int, int]]] = [[] for _ in range(setting.rooms_of_node + 1)]
        for node in self._mine:
            self._heaps[setting.rooms_of_node].append((self._rank(node), node))
        heapq.heapify(self._heaps[setting.rooms_of_node])

    def learn(self, node: int, free: int, version: int) -> None:
        """Take news of a node, unless they are known: what this planner has chosen since must not be forgotten."""
        if version > self.version[node]:
            self.version[node] = version
            self.put(node, free)

    def put(self, node: int, free: int) -> None:
        """Believe that a node has so much room."""
        self.free[node] = free
        if free and node % self._owned == self._number:
            heapq.heappush(self._heaps[free], (self._rank(node), node))

    def choose(self) -> int | None:
        """Return the node that the next pod goes to, None when there is no room."""
        for free in range(1, len(self._heaps)):
            heap = self._heaps[free]
            while heap:
                node = heap[0][1]
                if self.free[node] == free:
                    return node
                heapq.heappop(heap)
        return None

    def _rank(self, node: int) -> int:
        return (node - self._offset) % self._nodes


class Game:
    """Planners, the API server and the stored ledgers; ``play`` runs until every pod is bound or none can be."""

    def __init__(self, setting: Setting, costs: measured_costs.Costs) -> None:
        self.outcome = Outcome()
        self.stored = [setting.rooms_of_node] * setting.nodes
        self._setting = setting
        self._costs = costs
        self._versions = [0] * setting.nodes
        self._views = [_View(setting, number) for number in range(setting.planners)]
        self._waiting: list[collections.deque[float]] = [collections.deque() for _ in range(setting.planners)]
        self._idle = [True] * setting.planners
        self._unanswered = [0] * setting.planners
        self._unread = [0.0] * setting.planners  # seconds of events of others
        self._processors = [0.0] * setting.processors
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order: Iterator[int] = itertools.count()
        self._random = random.Random(setting.seed)  # noqa: S311 - a game, not a secret
        self._now = 0.0

    def play(self) -> Outcome:
        """Return what it came to."""
        moment = 0.0
        for _ in range(self._setting.pods):
            if self._setting.arrivals_per_second:
                moment += self._random.expovariate(self._setting.arrivals_per_second)
            self._at(moment, self._arrival(self._random.randrange(self._setting.planners)))
        while self._events:
            self._now, _, happen = heapq.heappop(self._events)
            happen()
        self.outcome.seconds = max(self.outcome.seconds, 1e-9)
        return self.outcome

    def _arrival(self, planner: int) -> Callable[[], None]:
        def arrive() -> None:
            self._serve(self._costs.other_writes)
            self._waiting[planner].append(self._now)
            self._wake(planner)

        return arrive

    def _wake(self, planner: int) -> None:
        if self._idle[planner] and self._waiting[planner]:
            self._idle[planner] = False
            self._at(self._now, lambda: self._plan(planner))

    def _plan(self, planner: int) -> None:
        """Choose nodes for the next pods; a round writes each ledger once."""
        view, queue = self._views[planner], self._waiting[planner]
        chosen: dict[int, list[float]] = {}
        while queue and sum(map(len, chosen.values())) < self._setting.pods_in_round:
            node = view.choose()
            if node is None:
                break
            view.put(node, view.free[node] - 1)
            chosen.setdefault(node, []).append(queue.popleft())
        count = sum(map(len, chosen.values()))
        taken = count * (self._costs.planning + self._costs.rest_of_operator) + self._unread[planner]
        self._unread[planner] = 0.0
        self.outcome.planners_busy += taken
        if not count:
            self._idle[planner] = True
            return
        self._unanswered[planner] = len(chosen)
        for node, pods in chosen.items():
            self._at(self._now + taken, self._write(planner, node, view.version[node], pods))

    def _answered(self, planner: int) -> None:
        self._unanswered[planner] -= 1
        if not self._unanswered[planner]:
            self._idle[planner] = True
            self._wake(planner)

    def _write(self, planner: int, node: int, version: int, pods: list[float]) -> Callable[[], None]:
        def send() -> None:
            self._at(self._serve(self._costs.ledger_write), lambda: self._store(planner, node, version, pods))

        return send

    def _store(self, planner: int, node: int, version: int, pods: list[float]) -> None:
        """Compare and swap; a planner that is refused reads the node anew."""
        self.outcome.ledger_writes += 1
        view = self._views[planner]
        if version != self._versions[node]:
            self.outcome.conflicts += 1
            self._waiting[planner].extend(pods)
            view.version[node] = self._versions[node]
            view.put(node, self.stored[node])
            self._answered(planner)
            return
        self.stored[node] -= len(pods)
        self._versions[node] += 1
        free, now_at = self.stored[node], self._versions[node]
        view.version[node] = now_at
        others = enumerate(self._views) if self._setting.watches_all else ()
        for number, other in others:
            if number != planner:
                self._unread[number] += len(pods) * self._setting.events_of_pod * self._costs.event
                self._at(self._now + self._setting.news_seconds, self._news(number, other, node, free, now_at))
        for created in pods:
            self._at(self._serve(self._costs.binding), self._bound(created))
        self._answered(planner)

    def _news(self, number: int, view: _View, node: int, free: int, version: int) -> Callable[[], None]:
        def learn() -> None:
            view.learn(node, free, version)
            self._wake(number)

        return learn

    def _bound(self, created: float) -> Callable[[], None]:
        def count() -> None:
            self.outcome.bound += 1
            self.outcome.waits.append(self._now - created)
            self.outcome.seconds = self._now

        return count

    def _serve(self, work: float) -> float:
        """Return when the API server is done with a call that is sent now."""
        start = max(heapq.heappop(self._processors), self._now)
        heapq.heappush(self._processors, start + work)
        self.outcome.apiserver_busy += work
        return start + work

    def _at(self, moment: float, happen: Callable[[], None]) -> None:
        heapq.heappush(self._events, (moment, next(self._order), happen))
