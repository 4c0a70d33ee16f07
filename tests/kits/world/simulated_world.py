"""One random world around the planner: users, controllers, a scheduler, late plugins, failing nodes, two operators."""

import collections
import dataclasses
import datetime as dt
import random
from collections.abc import Callable

from kits.manifests import builders
from kits.world import simulated_cluster, simulated_operator, simulated_promises
from neuronspan import names, placement
from neuronspan_operator.objects import pods, pools
from neuronspan_operator.planning import plans

SKEWS = (0, 0, 0, -3600, -180, 180, 3600)
MACHINES = ("w1", "w2")
POLICIES = tuple(
    pools.Policy(packing, limbo_seconds=20, quarantine_seconds=30)
    for packing in (placement.Packing.BEST_FIT, placement.Packing.WORST_FIT)
)


@dataclasses.dataclass(frozen=True)
class Kind:
    """What happens in a world."""

    name: str
    unmanaged: bool = False  # pods that never met admission; needs plugins that refuse busy cores
    tampering: bool = False  # people edit grant annotations
    vanishing: bool = False  # nodes leave and come back
    urgent: bool = False  # large pods of high priority come, and long waits count


KINDS = (
    Kind("plain"),
    Kind("vanishing", vanishing=True),
    Kind("everything", unmanaged=True, tampering=True, vanishing=True),
)

URGENT = Kind("urgent", urgent=True)


class World:
    """One random world."""

    def __init__(self, seed: int, kind: Kind) -> None:
        self.random = random.Random(seed)  # noqa: S311 - repeatable on purpose
        self.kind = kind
        self.cluster = simulated_cluster.Cluster(MACHINES, cautious=kind.unmanaged)
        nameless = kind.vanishing and self.random.random() < 1 / 3
        for machine in self.cluster.machines.values():
            machine.nameless = nameless
        # they disagree about where pods should go, so that racing ones do not choose the same node by chance
        self.operators = [simulated_operator.Operator(self.cluster, policy) for policy in POLICIES]
        clocks = random.Random(seed)  # noqa: S311 - repeatable on purpose
        for operator in self.operators:
            operator.skew = dt.timedelta(seconds=clocks.choice(SKEWS))
            operator.starvation_seconds = 30.0 * kind.urgent
        self.traits = clocks
        self.created = 0
        self.done: collections.Counter[str] = collections.Counter()
        self.promises = simulated_promises.Promises(self.cluster, tampering=kind.tampering)
        self.operations: list[tuple[Callable[[], object], int]] = [
            (self.create, 9),
            (self.create_group, 1),
            (self.delete, 5),
            (self.delete_by_force, 4),
            (self.finish, 2),
            (self.reap, 6),
            (self.schedule, 8),
            (self.start, 10),
            (self.report, 10),
            (self.hear, 8),
            (self.observe, 14),
            (self.think, 12),
            (self.step, 30),
            (self.finish_thinking, 2),
            (self.crash, 1),
            (self.race, 3),
            (self.interrupt, 3),
            (self.wait, 5),
            (self.disturb_node, 4),
            (self.change_health, 1),
        ]
        if kind.unmanaged:
            self.operations.append((self.create_unmanaged, 2))
        if kind.urgent:
            self.operations += [(self.create_urgent, 8), (self.reap, 30), (self.start, 20), (self.report, 20)]
        if kind.tampering:
            self.operations.append((self.tamper, 1))
        if kind.vanishing:
            self.operations += [(self.vanish, 1), (self.keep_pool, 3)]

    def run(self, operations: int) -> None:
        """Do random things, checking after each."""
        what = [operation for operation, _ in self.operations]
        # each world has its own habits: a rare report or a hectic operator finds other things than the average does
        weights = [weight * self.random.choice((0.1, 1, 1, 3)) for _, weight in self.operations]
        for operation in self.random.choices(what, weights, k=operations):
            operation()
            self.done[operation.__name__] += 1
            self.promises.check()

    # --- people and controllers ------------------------------------------------------------------------------------

    def create(self) -> None:
        """Create a pod of a random form."""
        if len(self.cluster.pods) < 8:
            self.cluster.add_pod(self._pod(self._containers()))

    def create_urgent(self) -> None:
        """Create a large pod that others may have to end for."""
        if len(self.cluster.pods) < 10:
            shape = {"containers": [builders.container(cores=self.random.choice((3, 4, 6, 8)))]}
            self.cluster.add_pod(self._pod({**shape, "priority": self.random.choice((5, 7, 9))}, plain=True))

    def create_group(self) -> None:
        """Create two or three pods that want to run together."""
        if len(self.cluster.pods) > 6:
            return
        size = self.random.choice((2, 3))
        notes = {names.POD_GROUP_ANNOTATION: f"group-{self.created}", names.POD_GROUP_SIZE_ANNOTATION: str(size)}
        for _ in range(self.random.choice((size, size, size - 1))):
            self.cluster.add_pod(self._pod({"containers": [builders.container(cores=self._size())]}, notes))

    def create_unmanaged(self) -> None:
        """Create a bound pod that never met admission."""
        if self.cluster.nodes:
            node = self.random.choice(sorted(self.cluster.nodes))
            self.cluster.add_pod(self._pod({"containers": [builders.container(cores=self._size())], "node": node}))

    def _size(self) -> int:
        return self.random.choice((1, 1, 1, 1, 2, 2, 2, 3, 4, 6)) if self.random.random() < 0.97 else 9

    def _containers(self) -> dict[str, object]:
        size = self._size()
        match self.random.randrange(6):
            case 0:
                return {"containers": [builders.container(devices=self.random.choice((1, 1, 2)))]}
            case 1:
                return {"containers": [builders.container("a", cores=size), builders.container("b", cores=1)]}
            case 2:
                init = builders.container("init", cores=self.random.choice((1, 1, 2)))
                return {"init_containers": [init], "containers": [builders.container(cores=size)]}
            case _:
                return {"containers": [builders.container(cores=size)]}

    def _pod(
        self, shape: dict[str, object], notes: dict[str, str] | None = None, *, plain: bool = False
    ) -> dict[str, object]:
        self.created += 1
        fields: dict[str, object] = {
            "priority": self.random.choice((0, 0, 5)),
            "preempts": self.traits.random() < 0.9,
            "labels": self.traits.choice(({}, simulated_cluster.GUARDED)),
            "owner": self.random.choice(("", "rs")),
            "selector": self.random.choice(({}, {}, {}, {names.HOSTNAME_LABEL: "w1"})),
            **self.random.choice(({}, {}, builders.GUEST)),
        }
        if plain:
            fields = {}
        return builders.make_pod(
            f"p{self.created}",
            annotations=notes,
            created=self.cluster.now.isoformat(),
            **(fields | shape),  # type: ignore[arg-type]  # what _containers gives are this builder's arguments
        )

    def _some_pod(self, wanted: Callable[[pods.PodView], bool]) -> pods.PodView | None:
        found = [pod for pod in self.cluster.views() if wanted(pod)]
        return self.random.choice(found) if found else None

    def delete(self) -> None:
        """Delete a pod as kubectl does: one that is bound goes when its processes have."""
        pod = self._some_pod(lambda _: True)
        if pod is not None and pod.node_name:
            self.cluster.change_pod(pod.uid, metadata={"deletionTimestamp": "2026-01-31T09:00:00Z"})
        elif pod is not None:
            self.cluster.remove_pod(pod.uid)

    def delete_by_force(self) -> None:
        """Take the object away and leave the processes."""
        pod = self._some_pod(lambda _: True)
        if pod is not None:
            self.cluster.remove_pod(pod.uid)

    def finish(self) -> None:
        """Let a running pod end by itself."""
        pod = self._some_pod(lambda pod: bool(pod.node_name) and not pod.terminal)
        if pod is not None and pod.node_name in self.cluster.machines:
            self.cluster.machines[pod.node_name].end(pod.uid)
            self.cluster.change_pod(pod.uid, status={"phase": self.random.choice(("Succeeded", "Failed"))})

    def tamper(self) -> None:
        """Edit a grant annotation."""
        pod = self._some_pod(lambda pod: pod.grant_annotation is not None)
        if pod is not None:
            notes = self.cluster.pods[pod.uid]["metadata"]["annotations"]
            edited = {**notes, names.GRANT_ANNOTATION: '{"node":"w2","containers":{"app":"0-7"}}'}
            self.cluster.change_pod(pod.uid, metadata={"annotations": edited})

    # --- the scheduler and the machines ----------------------------------------------------------------------------

    def schedule(self) -> None:
        """Let the scheduler of guests look at one that may be bound."""
        pod = self._some_pod(lambda pod: not pod.unplaced)
        if pod is not None:
            self.cluster.bind(pod)

    def start(self) -> None:
        """Start a bound pod's containers."""
        pod = self._some_pod(lambda pod: bool(pod.node_name) and not (pod.terminal or pod.deleted))
        if pod is not None:
            self.cluster.start(pod)

    def reap(self) -> None:
        """Let processes end that nobody wants any more, and with them the pods that are being deleted."""
        self.cluster.reap(self.cluster.machines[self.random.choice(MACHINES)])

    def report(self) -> None:
        """Let a plugin write its status."""
        self.cluster.write_status(self.random.choice(MACHINES))

    def hear(self) -> None:
        """Let a plugin read the ledger."""
        self.cluster.hear(self.random.choice(MACHINES))

    def change_health(self) -> None:
        """Let a core fail or heal."""
        self.cluster.machines[self.random.choice(MACHINES)].unhealthy ^= {self.random.randrange(8)}

    def disturb_node(self) -> None:
        """Cordon, uncordon, or let the plugin or kubelet of a node fail for a while."""
        if self.cluster.nodes:
            changes: list[dict[str, object]] = [{}, {}, {}, {"cordoned": True}, {"ready": False}, {"cores": 0}]
            self.cluster.change_node(self.random.choice(sorted(self.cluster.nodes)), **self.random.choice(changes))

    def vanish(self) -> None:
        """Take a node away, or bring one back."""
        name = self.random.choice(MACHINES)
        if name in self.cluster.nodes:
            self.cluster.remove_node(name, switch_off=self.random.random() < 0.5)
        else:
            self.cluster.add_node(name)

    # --- operators and time ----------------------------------------------------------------------------------------

    def observe(self) -> None:
        """Let one operator catch up with some of the world."""
        operator = self.random.choice(self.operators)
        self.random.choice(
            (
                operator.observe,
                operator.observe_pods,
                operator.observe_nodes,
                operator.observe_ledgers,
                operator.forget_pods,
            )
        )()

    def think(self) -> None:
        """Let one operator plan; what it was doing is lost."""
        self.think_with(self.random.choice(self.operators))

    def think_with(self, operator: simulated_operator.Operator) -> plans.Plan:
        """Plan, and check the plan."""
        snapshot = operator.snapshot()
        plan = operator.think(snapshot)
        self.promises.check_plan(snapshot, plan, operator.now)
        return plan

    def finish_thinking(self) -> None:
        """Let one operator work through undisturbed: it must then have nothing more to write."""
        operator = self.random.choice(self.operators)
        operator.observe()
        first = self.think_with(operator)
        operator.run()
        operator.observe()
        second = self.think_with(operator)
        fences = any(patch.pod.unplaced for patch in first.patches)
        assert fences or first.inquiries or not second.ledgers, (
            f"written again: {second.ledgers}, first {first.ledgers}"
        )

    def keep_pool(self) -> None:
        """Let one operator look after the NeuronNodes, on what it believes."""
        self.random.choice(self.operators).keep_pool()

    def step(self) -> None:
        """Let one operator make one write."""
        self.random.choice(self.operators).step()

    def crash(self) -> None:
        """Let one operator start again."""
        operator = self.random.choice(self.operators)
        operator.crash()
        operator.observe()

    def race(self) -> None:
        """Let both operators see the same world, plan, and write at the same time."""
        for operator in self.operators:
            operator.observe()
            self.think_with(operator)
        busy = list(self.operators)
        while busy:
            operator = self.random.choice(busy)
            if not operator.step():
                busy.remove(operator)
            self.promises.check()

    def interrupt(self) -> None:
        """Let an operator crash when its ledgers are written and its pods not, and a node fail just then."""
        operator = self.random.choice(self.operators)
        operator.observe()
        plan = self.think_with(operator)
        for _ in range(len(plan.patches) + len(plan.ledgers)):
            operator.step()
        operator.crash()
        self.disturb_node()

    def wait(self) -> None:
        """Let time pass."""
        self.pass_time(self.random.choice((0.1, 1.0, 1.0, 15.0, 40.0)))

    def pass_time(self, seconds: float) -> None:
        """Let time pass for everyone."""
        self.cluster.now += dt.timedelta(seconds=seconds)

    # --- the end ---------------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Repair all nodes and let everything that is due happen, until nothing changes any more."""
        for name in MACHINES:
            if name not in self.cluster.nodes:
                self.cluster.add_node(name)
            self.cluster.change_node(name)
            self.cluster.machines[name].unhealthy = set()
        for _ in range(60):
            before = self.cluster.version
            self._everyone_acts()
            if self.cluster.version == before:
                return
        raise AssertionError("the world does not come to rest")

    def _everyone_acts(self) -> None:
        self.pass_time(7)
        for name, machine in self.cluster.machines.items():
            self.cluster.hear(name)
            self.cluster.reap(machine)
            for pod in self.cluster.views():
                self.cluster.bind(pod)
            for pod in self.cluster.views():
                if pod.node_name == name and not (pod.terminal or pod.deleted):
                    self.cluster.start(pod)
            if self.cluster.neuron_nodes.get(name, {}).get("status") != machine.report():
                self.cluster.write_status(name)
        for operator in self.operators:
            operator.observe()
            operator.keep_pool()
            operator.observe()
            self.think_with(operator)
            operator.run()
            self.promises.check()

    def empty(self) -> None:
        """Delete every pod and settle; at the end no ledger may have an entry."""
        for uid in sorted(self.cluster.pods):
            self.cluster.remove_pod(uid)
        self.settle()
        for name in MACHINES:
            assert self.cluster.ledger(name).grants == (), "cores leaked"
