"""What must hold in a simulated world: at every moment, for every plan, and at rest."""

import collections
import datetime as dt
from collections.abc import Mapping

from kits.world import simulated_cluster
from neuronspan import grants, names, placement, spans
from neuronspan.fitting import places
from neuronspan_operator import reasons
from neuronspan_operator.objects import nodes, pods
from neuronspan_operator.planning import planner, plans

RELEASING = grants.GrantState.RELEASING


class Promises:
    """The checks, and what they have to remember of the past."""

    def __init__(self, cluster: simulated_cluster.Cluster, *, tampering: bool) -> None:
        self.cluster = cluster
        self.tampering = tampering
        self.ever_granted: dict[tuple[str, str], set[str]] = collections.defaultdict(set)
        self.groups: dict[str, tuple[str, str]] = {}
        self.plans = 0
        self.victims = 0

    # --- at every moment -------------------------------------------------------------------------------------------

    def check(self) -> None:
        """No core twice, every ledger sound, every pod told the truth, no group half started."""
        for machine in self.cluster.machines.values():
            owners = [core for process in machine.processes for core in process.span]
            assert len(owners) == len(set(owners)), f"a core of {machine.name} is used twice: {machine.processes}"
        for name in self.cluster.neuron_nodes:
            book = self.cluster.ledger(name)  # reading it checks: contiguous, in range, no overlap, one per container
            assert book.cores == simulated_cluster.HARDWARE.cores
        if not self.tampering:
            self.check_annotations()
        self.check_groups()

    def check_annotations(self) -> None:
        """Every pod that the operators let go has in the ledger exactly what its annotation says.

        But for guests that their own scheduler refused: those may have lost their cores.
        """
        for pod in self.let_go():
            stored = self.cluster.ledger(pod.granted_node).of_pod(pod.uid)
            told = simulated_cluster.annotated(pod)
            assert {each.container: str(each.span) for each in stored} == told, f"{pod.key} was told {told}"
            lost = [each for each in stored if each.state is RELEASING]
            assert not lost or pod.granted_node not in self.cluster.nodes, f"{pod.key} lost {lost}"

    def let_go(self) -> list[pods.PodView]:
        """Return the living pods that were let go and can get to their cores."""
        return [
            pod
            for pod in self.cluster.views()
            if not (pod.unplaced or pod.terminal or pod.deleted or pod.grant_annotation is None or pod.unscheduled)
        ]

    def check_groups(self) -> None:
        """Nobody of a group starts before all n members had their grants stored."""
        members = [pod for pod in self.cluster.views() if pod.pod_group]
        for pod in members:  # one may be deleted at the very moment when its grant is written: that still counts
            self.groups.setdefault(pod.uid, (pod.namespace, pod.pod_group))
        for name in self.cluster.neuron_nodes if members else ():
            for grant in self.cluster.ledger(name).grants:
                if grant.pod_uid in self.groups:
                    self.ever_granted[self.groups[grant.pod_uid]].add(grant.pod_uid)
        for pod in members:
            granted = len(self.ever_granted[pod.namespace, pod.pod_group])
            assert pod.unplaced or granted >= pod.pod_group_size, f"{pod.key} started with {granted} members granted"

    # --- for every plan --------------------------------------------------------------------------------------------

    def check_plan(self, snapshot: plans.Snapshot, plan: plans.Plan, now: dt.datetime) -> None:
        """Nobody waits without a reason, nobody is granted what is broken; equal snapshots give equal plans."""
        going = {each.pod.uid for each in plan.departures}
        for pod in snapshot.pods.values():
            if pod.waits:
                waiting = plan.waiting.get(pod.uid)
                assert (pod.uid in going) != (waiting is not None), f"{pod.key}: {waiting}"
                assert waiting is None or (waiting.reason and waiting.message)
        for each in plan.departures:
            assert _takes_pods(snapshot.nodes.get(each.node)), f"{each.pod.key} is sent to {each.node}"
        self._check_victims(snapshot, plan)
        for write in plan.ledgers:
            self._check_new_grants(snapshot, write)
        self.plans += 1
        assert planner.plan(snapshot, now) == plan, "what is kept from plan to plan made a difference"

    def _check_victims(self, snapshot: plans.Snapshot, plan: plans.Plan) -> None:
        """Who ends for others is less important than somebody who waits for it there, and budgets allow it."""
        victims = [each.pod for each in plan.evictions if each.event is reasons.EventReason.PREEMPTED]
        waiting = [
            (snapshot.pods[uid].priority, why.node)
            for uid, why in plan.waiting.items()
            if why.reason is reasons.WaitingReason.PREEMPTING
        ]
        for victim in victims:
            assert any(priority > victim.priority and node == victim.node_name for priority, node in waiting), (
                f"{victim.key} ends for nobody"
            )
        for budget in snapshot.budgets.values():
            covered = sum(map(budget.covers, victims))
            others = sum(budget.covers(each.pod) for each in plan.evictions) - covered
            assert covered <= max(0, budget.allowed - others), f"{budget} is broken"
        self.victims += len(victims)

    @staticmethod
    def _check_new_grants(snapshot: plans.Snapshot, write: plans.LedgerWrite) -> None:
        view, node = snapshot.neuron_nodes[write.node], snapshot.nodes.get(write.node)
        known = () if view.ledger is None else view.ledger.grants
        for grant in write.ledger.grants:
            if grant.state is grants.GrantState.GRANTED and all(grant.key != each.key for each in known):
                assert _takes_pods(node), f"{grant} is on {node}"
                assert not any(grant.span.overlaps(each.span) for each in view.unhealthy), (
                    f"{grant} is on unhealthy cores"
                )

    # --- at rest ---------------------------------------------------------------------------------------------------

    def check_rest(self, waiting: Mapping[str, plans.Waiting]) -> None:
        """Ledgers and processes say the same, annotations are right, and who waits really does not fit."""
        self.check_annotations()
        for name, machine in self.cluster.machines.items():
            book = self.cluster.ledger(name)
            for process in machine.processes:
                owner = book.find(process.span)
                assert owner is not None, f"{process} is not in the ledger"
                assert (owner.pod_uid, owner.state) == (process.uid, grants.GrantState.CONFIRMED)
            for grant in book.grants:
                assert grant.pod_uid in self.cluster.pods, f"{grant} leaked"
                pod = self.cluster.pod(grant.pod_uid)
                assert pod.unplaced or pod.node_name == name, f"{grant} belongs to another node: {pod}"
        for uid, reason in waiting.items():
            kept = "kept for" in reason.message  # it may have room, which others have a right to
            if reason.reason == "NoRoom" and not (kept or self.cluster.pod(uid).pod_group):
                self._check_hopeless(self.cluster.pod(uid), reason)

    def _check_hopeless(self, pod: pods.PodView, reason: plans.Waiting) -> None:
        wanted = [request.on(simulated_cluster.HARDWARE, placement.Rules()) for request in pod.requests]
        for name in self.cluster.nodes:
            if pod.constraints.node_selector.get(names.HOSTNAME_LABEL, name) != name:
                continue
            taken: tuple[spans.CoreSpan, ...] = self.cluster.ledger(name).taken()
            found = places.place_all(simulated_cluster.HARDWARE, taken, wanted, placement.Packing.BEST_FIT)
            fits = not isinstance(found, placement.Unplaceable) and not self._is_crowded(name, pod)
            assert not fits, f"{pod.key} fits on {name} and waits: {reason}"

    def _is_crowded(self, name: str, pod: pods.PodView) -> bool:
        """Whether the scheduler would not find enough of the resources there, whatever the ledger says."""
        granted = {grant.pod_uid for grant in self.cluster.ledger(name).grants}
        there = [
            each
            for each in self.cluster.views()
            if not each.terminal and (each.node_name == name or (not each.node_name and each.uid in granted))
        ]
        cores = sum(each.neuroncores for each in (*there, pod))
        devices = sum(each.neuron_devices for each in (*there, pod))
        return cores > simulated_cluster.HARDWARE.cores or devices > simulated_cluster.HARDWARE.devices


def _takes_pods(node: nodes.NodeView | None) -> bool:
    return (
        node is not None and node.ready and not node.unschedulable and node.allocatable.get(names.CORE_RESOURCE, 0) > 0
    )
