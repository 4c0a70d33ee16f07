"""Two nodes under endless small pods, and one large pod that waits among them. In memory, in virtual time."""

import datetime as dt
import random
from typing import Any

from kits.manifests import builders, snapshots
from neuronspan import grants
from neuronspan_operator.planning import planner, plans

STARVATION = 20
LONGEST = 12
"""Seconds that a small pod runs at most."""
PROOF = 3
"""Seconds until a pod's end is proven and the next plan is made, with the time that binding takes."""
_TICK = dt.timedelta(seconds=1)
_BACKLOG = 6
_NODES = ("w1", "w2")
_LARGE = "large"


class World:
    """Small pods come for ever, of equal or lower priority; every tick is one plan."""

    def __init__(self, seed: int, large: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - repeatable on purpose
        self._large = large
        self._made = 0
        self._pods: dict[str, dict[str, Any]] = {}
        self._ends: dict[str, dt.datetime] = {}
        self._entries: dict[str, list[grants.Grant]] = {name: [] for name in _NODES}
        self._released: dict[str, list[str]] = {name: [] for name in _NODES}
        self.now = snapshots.NOW
        self.asked = self.now + dt.timedelta(seconds=self._random.randint(5, 15))
        if self._random.random() < 1 / 2:  # one that runs for ever: the bound is about places without it
            self._add("service", 1, ends=False)

    def run_until_started(self) -> dt.datetime:
        """Return when the large pod is bound; at most a little later than any bound allows."""
        while _LARGE not in self._ends and self.now < self.asked + dt.timedelta(seconds=10 * STARVATION):
            self._tick()
        return self.now

    def _tick(self) -> None:
        self.now += _TICK
        self._end()
        if self.now == self.asked:
            self._add(_LARGE, self._large, ends=True)
        while sum(not pod["spec"].get("nodeName") for pod in self._pods.values()) < _BACKLOG:
            self._made += 1
            self._add(f"s{self._made}", self._random.randint(1, 3), ends=True)
        self._apply(planner.plan(self._snapshot(), self.now))

    def _add(self, name: str, cores: int, *, ends: bool) -> None:
        priority = 0 if name == _LARGE else self._random.choice((0, 0, -1))
        created = self.now.isoformat().replace("+00:00", "Z")
        self._pods[name] = builders.make_pod(
            name, cores=cores, created=created, version=str(self._made), priority=priority, ends=ends, preempts=False
        )

    def _end(self) -> None:
        for name in [name for name, moment in self._ends.items() if moment <= self.now]:
            del self._ends[name], self._pods[name]
        for node in _NODES:  # the plugin says so of what the ledger had released before
            releasing = grants.GrantState.RELEASING
            self._released[node] = [each.pod_uid for each in self._entries[node] if each.state is releasing]

    def _snapshot(self) -> plans.Snapshot:
        members = [
            builders.make_neuron_node(
                name, self._entries[name], instance_type=builders.SMALL, released=self._released[name]
            )
            for name in _NODES
        ]
        nodes = [builders.make_node(name, cores=12, devices=6) for name in _NODES]
        return snapshots.snapshot(self._pods.values(), nodes, members, starvation_seconds=STARVATION)

    def _apply(self, plan: plans.Plan) -> None:
        for write in plan.ledgers:
            self._entries[write.node] = list(write.ledger.grants)
        for each in plan.bindings:
            pod = self._pods[each.pod.name]
            pod["spec"]["nodeName"] = each.node
            pod["status"]["phase"] = "Running"
            started = self.now + self._random.choice((0, 1)) * _TICK
            pod["status"]["startTime"] = started.isoformat().replace("+00:00", "Z")
            if each.pod.name != "service":
                self._ends[each.pod.name] = started + self._random.randint(1, LONGEST) * _TICK
