"""An operator for simulations: its caches lag, its plans are carried out one write at a time, it crashes in between."""

import contextlib
import dataclasses
import datetime as dt
from collections.abc import Iterator

from kits.world import simulated_cluster
from neuronspan_operator.objects import budgets, neuron_nodes, nodes, pod_changes, pods, pools
from neuronspan_operator.planning import facts, planner, plans
from neuronspan_operator.pools import membership

POOL = "pool"


@dataclasses.dataclass
class Operator:
    """One operator process; several may run at once, which is what compare-and-swap is for."""

    cluster: simulated_cluster.Cluster
    policy: pools.Policy
    known_pods: dict[str, pods.PodView] = dataclasses.field(default_factory=dict)
    known_budgets: dict[str, budgets.Budget] = dataclasses.field(default_factory=dict)
    spared: set[str] = dataclasses.field(default_factory=set)  # pods that the API server would not evict
    known_nodes: dict[str, nodes.NodeView] = dataclasses.field(default_factory=dict)
    gone: set[str] = dataclasses.field(default_factory=set)  # pods that ended for certain
    known_ledgers: dict[str, neuron_nodes.NeuronNodeView] = dataclasses.field(default_factory=dict)
    starvation_seconds: float = 0.0
    restarts: int = 0
    skew: dt.timedelta = dt.timedelta()  # how far its clock is ahead
    work: Iterator[None] | None = None
    plan: plans.Plan = dataclasses.field(default_factory=plans.Plan)
    planner: "planner.Planner | None" = None  # what it keeps from plan to plan; None after its start

    def observe_pods(self) -> None:
        """Catch up with the pods: deletions are watched."""
        self.gone |= self.known_pods.keys() - self.cluster.pods.keys()
        self.known_pods = {uid: self.cluster.pod(uid) for uid in self.cluster.pods}

    def observe_budgets(self) -> None:
        """Catch up with the disruption budget; what was refused may be allowed by now."""
        budget = self.cluster.budget()
        self.known_budgets = {budget.key: budget}
        self.spared.clear()

    def forget_pods(self) -> None:
        """Lose the cache of pods, or some of it: a list is in progress, or the watch is far behind."""
        self.known_pods = {uid: pod for uid, pod in self.known_pods.items() if int(pod.resource_version or 0) % 2}

    def observe_nodes(self) -> None:
        """Catch up with the nodes."""
        self.known_nodes = {name: self.cluster.node(name) for name in self.cluster.nodes}

    def observe_ledgers(self) -> None:
        """Catch up with the NeuronNodes."""
        self.known_ledgers = {name: self.cluster.neuron_node(name) for name in self.cluster.neuron_nodes}

    def observe(self) -> None:
        """Catch up with everything."""
        self.observe_pods()
        self.observe_budgets()
        self.observe_nodes()
        self.observe_ledgers()

    def snapshot(self) -> plans.Snapshot:
        """Return what this operator believes."""
        policies = dict.fromkeys(self.known_ledgers, self.policy)
        gone = frozenset(self.gone - self.known_pods.keys())
        return plans.Snapshot(
            dict(self.known_pods),
            dict(self.known_nodes),
            dict(self.known_ledgers),
            policies,
            gone,
            budgets=dict(self.known_budgets),
            spared=frozenset(self.spared),
            starvation_seconds=self.starvation_seconds,
        )

    @property
    def now(self) -> dt.datetime:
        """The time of day that it believes in."""
        return self.cluster.now + self.skew

    def think(self, snapshot: plans.Snapshot) -> plans.Plan:
        """Plan, and start to carry it out; what was being done is lost."""
        if self.planner is None:
            self.planner = planner.Planner(again=dt.timedelta(), starvation_seconds=self.starvation_seconds)
        self.plan = self.planner.plan(self._changes(snapshot), self.now)
        self.work = self._carry_out(self.plan)
        return self.plan

    def _changes(self, snapshot: plans.Snapshot) -> facts.Changes:
        """Return what leads from what the planner knows to this snapshot; most of it is known already."""
        known = facts.Facts().snapshot() if self.planner is None else self.planner.facts.snapshot()
        members = {name: pools.Member(view, POOL) for name, view in snapshot.neuron_nodes.items()}
        return facts.Changes(
            pods=dict.fromkeys(known.pods) | dict(snapshot.pods),
            nodes=dict.fromkeys(known.nodes) | dict(snapshot.nodes),
            members=dict.fromkeys(known.neuron_nodes) | members,
            pools={POOL: pools.PoolView(POOL, policy=self.policy)},
            budgets=dict.fromkeys(known.budgets) | dict(snapshot.budgets),
            gone=dict.fromkeys(known.gone, False) | dict.fromkeys(snapshot.gone, True),
            spared=dict.fromkeys(known.spared, False) | dict.fromkeys(snapshot.spared, True),
        )

    def crash(self) -> None:
        """Forget what was being done, and half of the time also what was known."""
        self.work = None
        self.restarts += 1
        if self.restarts % 2:
            self.planner = None

    def step(self) -> bool:
        """Make the next write of the current plan; False when there is none."""
        if self.work is None:
            return False
        try:
            next(self.work)
        except StopIteration:
            self.work = None
        return self.work is not None

    def run(self) -> None:
        """Make all writes."""
        while self.step():
            pass

    def keep_pool(self) -> None:
        """Make and remove NeuronNodes as the one pool of the cluster wants it."""
        pool = pools.PoolView(
            POOL, selector=simulated_cluster.LABELS, hardware=simulated_cluster.HARDWARE, policy=self.policy
        )
        members = {name: pools.Member(view, POOL) for name, view in self.known_ledgers.items()}
        decision = membership.decide({POOL: pool}, self.known_nodes, members, self.cluster.now)
        assert not decision.changes, "the pool's hardware never changes here"
        with contextlib.suppress(simulated_cluster.Refused):
            for removal in decision.removals:
                self.cluster.remove_neuron_node(removal)
        with contextlib.suppress(simulated_cluster.Refused):
            for creation in decision.creations:
                self.cluster.add_neuron_node(creation)

    def _carry_out(self, plan: plans.Plan) -> Iterator[None]:
        """One write per step, in the order the executor keeps: patches, then each ledger before its bindings."""
        for inquiry in plan.inquiries:
            self._inquire(inquiry)
            yield
        for patch in plan.patches:
            with contextlib.suppress(simulated_cluster.Refused):
                self.cluster.patch_status(patch.pod, patch.patch)
                self.known_pods[patch.pod.uid] = self.cluster.pod(patch.pod.uid)
            yield
        failed = set()
        for write in plan.ledgers:
            try:
                self.cluster.write_ledger(write)
            except simulated_cluster.Refused:
                failed.add(write.node)
            else:
                self.known_ledgers[write.node] = self.cluster.neuron_node(write.node)  # the API server's answer
            yield
        for departure in plan.departures:
            if departure.node not in failed:
                with contextlib.suppress(simulated_cluster.Refused):
                    self._let_go(departure)
                yield
        for eviction in plan.evictions:
            try:
                self.cluster.evict(eviction.pod.uid)
            except simulated_cluster.Refused:
                self.spared.add(eviction.pod.uid)
            yield

    def _inquire(self, inquiry: plans.Inquiry) -> None:
        if inquiry.uid in self.cluster.pods:
            self.known_pods[inquiry.uid] = self.cluster.pod(inquiry.uid)
        else:
            self.gone.add(inquiry.uid)

    def _let_go(self, departure: plans.Bind | plans.Ungate) -> None:
        pod = departure.pod
        if isinstance(departure, plans.Bind):
            self.cluster.bind_pod(pod_changes.binding(pod, departure.node, departure.spans))
            self.known_pods[pod.uid] = pod_changes.bound(pod, departure.node, departure.spans)
        else:
            self.cluster.patch_pod(pod.uid, departure.patch)
            self.known_pods[pod.uid] = self.cluster.pod(pod.uid)
