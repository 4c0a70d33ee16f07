"""The working state of one planning pass: each node's ledger as it will be, and the actions found so far.

Law: stages change drafts, never views; what differs from the snapshot at the end is what has to be written.
"""

import collections
import dataclasses
import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from neuronspan import grants, names
from neuronspan_operator import reasons
from neuronspan_operator.objects import neuron_nodes, pod_changes, pods, pools
from neuronspan_operator.planning import answers, groups, journal, kept, node_drafts, placements, plans
from neuronspan_operator.scheduling import cluster_state, objections, screening
from neuronspan_operator.scheduling.volumes import claiming

DEFAULT_POLICY = pools.Policy()


_CLOCKS_DIFFER: Final = dt.timedelta(days=1)


class Draft:
    """One planning pass."""

    def __init__(self, snapshot: plans.Snapshot, now: dt.datetime) -> None:
        self.snapshot = snapshot
        self.now = now
        self.since = neuron_nodes.timestamp(now)
        self.nodes: dict[str, node_drafts.NodeDraft] = {}
        self.broken: list[neuron_nodes.NeuronNodeView] = []
        self.bindings: list[plans.Bind] = []
        self.ungates: list[plans.Ungate] = []
        self.claims: list[claiming.Write] = []
        self.inquiries: dict[str, plans.Inquiry] = {}  # by UID
        self.patches: list[plans.PodPatch] = []
        self.evictions: list[plans.Evict] = []
        self.notices: list[plans.Notice] = []
        self.waiting: dict[str, plans.Waiting] = {}
        self.drift: list[plans.Drift] = []
        self.wake_at: dt.datetime | None = None
        self.resumable: set[str] = set()  # UIDs of unplaced pods with usable grants in store
        self.unserved: list[pods.PodView] = []  # pods that found no place
        self.kept = kept.Places()
        self.journal = journal.Journal[str]()  # names of nodes about which something changed
        self.remembered: answers.Answers[Any] = answers.Answers(self.journal)  # of those who ask about many nodes
        self.lowest_priority: int | None = None  # of the pods that have a node
        self.groups = groups.of(snapshot.pods.values())
        self.placements = placements.Placements()
        hosts = (snapshot.nodes[name] for name in sorted(snapshot.nodes))
        self.cluster = cluster_state.Cluster(hosts, snapshot.namespaces, snapshot.storage)
        for name in sorted(snapshot.neuron_nodes):
            self._open(snapshot.neuron_nodes[name])
        self._node_of_hostname = {node.hostname: node.name for node in snapshot.nodes.values()}
        self.holders = self._index_holders()
        self._released_on: dict[str, list[str]] = collections.defaultdict(list)
        for node in self.nodes.values():
            for uid in node.view.released:
                self._released_on[uid].append(node.name)
        self.bound: dict[str, list[pods.PodView]] = collections.defaultdict(list)  # asking pods, by node
        for uid in sorted(snapshot.pods):
            self._count_bound(snapshot.pods[uid])

    def _open(self, view: neuron_nodes.NeuronNodeView) -> None:
        if view.ledger is None or view.hardware is None:
            self.broken.append(view)
            self.drift.append(plans.Drift(view.name, reasons.DriftKind.UNREADABLE_LEDGER, view.problem))
            return
        node = self.snapshot.nodes.get(view.name)
        policy = self.snapshot.policies.get(view.name, DEFAULT_POLICY)
        self.nodes[view.name] = node_drafts.NodeDraft(view, node, policy, view.hardware, view.ledger)

    def _index_holders(self) -> Mapping[str, list[str]]:
        """Map pod UIDs to the nodes whose stored ledger mentions them."""
        holders: dict[str, list[str]] = collections.defaultdict(list)
        for node in self.nodes.values():
            for uid in sorted({grant.pod_uid for grant in node.stored.grants}):
                holders[uid].append(node.name)
        return holders

    def _count_bound(self, pod: pods.PodView) -> None:
        if pod.terminal or not pod.node_name:
            return
        if self.lowest_priority is None or pod.priority < self.lowest_priority:
            self.lowest_priority = pod.priority
        if pod.requests:
            self.bound[pod.node_name].append(pod)
        self.cluster.add(pod, pod.node_name)

    def count_promises(self) -> None:
        """Count the granted pods where they will be bound.

        By the ledgers as this pass has them: a grant that it released is no promise any more, one it adopted is.
        """
        for node in self.nodes.values():
            for uid in sorted({grant.pod_uid for grant in node.ledger.grants}):
                pod = self.snapshot.pods.get(uid)
                if pod is not None and not (pod.terminal or pod.node_name) and node.grants_of(uid):
                    self.cluster.add(pod, node.name)

    def objection(self, pod: pods.PodView, node: node_drafts.NodeDraft) -> objections.Objection | None:
        """Return why a pod that is counted on the node could not be there, were it not there yet.

        With an objection it does not count there any more.
        """
        state = self.cluster.nodes[node.name]
        self.cluster.remove(pod, node.name)
        found = screening.Screen(pod, self.cluster, granted=True).objection(state)
        if found is None:
            self.cluster.add(pod, node.name)
        return found

    # --- questions -----------------------------------------------------------------------------------------------

    def home(self, pod: pods.PodView) -> str:
        """Return the only node that the pod can run on, "" when it may still go anywhere."""
        if pod.unplaced or pod.node_name:
            return pod.node_name
        hostname = pod.constraints.node_selector.get(names.HOSTNAME_LABEL, "")
        if hostname in self._node_of_hostname:
            return self._node_of_hostname[hostname]
        return hostname if hostname in self.nodes else pod.granted_node or hostname

    def granted_on(self, pod: pods.PodView) -> Iterator[tuple[node_drafts.NodeDraft, tuple[grants.Grant, ...]]]:
        """Return the nodes where the pod has grants that are not being released, with those grants."""
        for name in self.holders.get(pod.uid, ()):
            found = self.nodes[name].grants_of(pod.uid)
            if found:
                yield self.nodes[name], found

    def winding_up(self, uid: str) -> set[str]:
        """Return the nodes where the pod cannot be granted anew yet: an earlier grant of it is still being wound up.

        A node's ``released`` is proof for any grant of the pod: it must not mention the pod when a new one is made.
        """
        return {*self.holders.get(uid, ()), *self._released_on.get(uid, ())}

    def excluded(self, uid: str) -> set[str]:
        """Return the nodes where the pod must not be granted cores now, whatever their room."""
        return self.winding_up(uid) | self.snapshot.avoided.get(uid, frozenset())

    def ending_nodes(self) -> list[str]:
        """Return the nodes where somebody is ending, whose cores and other resources will be free soon."""
        dying = {pod.node_name for pod in self.snapshot.pods.values() if pod.deleted and not pod.terminal}
        releasing = grants.GrantState.RELEASING
        released = (
            node.name for node in self.nodes.values() if any(grant.state is releasing for grant in node.ledger.grants)
        )
        evicted = (each.pod.node_name for each in self.evictions)
        return sorted({*dying, *released, *evicted} & self.nodes.keys())

    def group_of(self, pod: pods.PodView) -> groups.Group | None:
        """Return the group that the pod names, if any."""
        return self.groups.get((pod.namespace, pod.pod_group))

    def undecided(self) -> list[pods.PodView]:
        """Return the pods to be placed that neither go on nor have a reason to wait, by UID."""
        going = {bind.pod.uid for bind in self.bindings} | {ungate.pod.uid for ungate in self.ungates}
        return [
            pod
            for uid, pod in sorted(self.snapshot.pods.items())
            if pod.waits and uid not in self.waiting and uid not in going
        ]

    def exists(self, uid: str, namespace: str, name: str) -> bool:
        """Whether the pod may still be there; one that is missing here without proof is asked for, and may."""
        if uid in self.snapshot.pods:
            return True
        if uid in self.snapshot.gone:
            return False
        self.inquiries[uid] = plans.Inquiry(uid, namespace, name)
        return True

    # --- actions -------------------------------------------------------------------------------------------------

    def notice(
        self,
        pod: pods.PodView,
        reason: reasons.EventReason,
        message: str,
        *,
        warning: bool = True,
        lasting: bool = False,
    ) -> None:
        """Put an Event on a pod; a lasting one stays for as long as it is told."""
        found = plans.Notice.on(pod, reason, message, warning=warning)
        self.notices.append(dataclasses.replace(found, lasting=True) if lasting else found)

    def send(self, pod: pods.PodView, node: node_drafts.NodeDraft, granted: Sequence[grants.Grant]) -> None:
        """Let a pod with these grants go to its node, once its volumes can be reached there."""
        given = {grant.container: grant.span for grant in granted}
        if pod.gated:
            self.ungates.append(plans.Ungate(pod, node.name, given, node.hostname))
            return
        volumes = self.claiming(pod, node, granted)
        if volumes.ready:
            self.bindings.append(plans.Bind(pod, node.name, given))
            return
        if volumes.flaw:  # what it needs went to a pod before it
            self.revoke(pod, granted, f"Its grant is being taken back: on {node.name}: {volumes.flaw}.")
            return
        self.claims.extend(volumes.writes)
        self.cluster.assume(volumes.assumed_in(self.cluster.storage))
        message = f"It has its cores on {node.name}; {plans.listed(volumes.waits_for)}."
        self.waiting[pod.uid] = plans.Waiting(reasons.WaitingReason.WAITING_FOR_VOLUMES, message, node.name)

    def claiming(
        self, pod: pods.PodView, node: node_drafts.NodeDraft, granted: Sequence[grants.Grant]
    ) -> claiming.Claiming:
        """Return how far the volumes of a pod are that has these grants; a guest's are its own scheduler's business."""
        if pod.gated or not granted:
            return claiming.Claiming.READY
        return claiming.of(pod, node.name, self.cluster, min(grant.since for grant in granted))

    def reserve_volumes(self, pod: pods.PodView, node: node_drafts.NodeDraft) -> None:
        """Keep for a pod that is not let go yet what it will need, so that no other pod gets it."""
        needed = self.claiming(pod, node, node.grants_of(pod.uid))
        self.cluster.assume(needed.assumed_in(self.cluster.storage))

    def since_of(self, pod: pods.PodView) -> str:
        """Return the moment of a new grant for the pod: now, or just after its fence where clocks differ."""
        fence = self.fence(pod)
        return self.since if fence < self.now else neuron_nodes.timestamp(fence + dt.timedelta(microseconds=1))

    def fence(self, pod: pods.PodView) -> dt.datetime:
        """Return the moment up to which no grant of the pod may be carried out; long ago without a fence.

        One that is further ahead than clocks of operators may be is nobody's: it would keep the pod waiting for ever.
        """
        found = neuron_nodes.moment(pod.fenced_until)
        return found if found < self.now + _CLOCKS_DIFFER else neuron_nodes.moment("")

    def revoke(self, pod: pods.PodView, granted: Iterable[grants.Grant], why: str) -> None:
        """Take an unplaced pod's grants back: first the fence; once that is visible, the next pass releases them."""
        until = max(neuron_nodes.moment(grant.since) for grant in granted)
        fence = pod_changes.fence_patch(pod, neuron_nodes.timestamp(until), self.since)
        self.patches.append(plans.PodPatch(pod, fence, why))
        self.waiting[pod.uid] = plans.Waiting(
            reasons.WaitingReason.REVOKED, f"{why} It is planned again as soon as that is undone."
        )

    def wake(self, moment: dt.datetime) -> bool:
        """Note that a timer ends at ``moment``; True when it has ended already."""
        if moment <= self.now:
            return True
        self.wake_at = moment if self.wake_at is None else min(self.wake_at, moment)
        return False

    def elapsed(self, since: str, seconds: float) -> bool:
        """Whether that much time has passed since then; if not, the plan wakes up when it has."""
        return self.wake(neuron_nodes.moment(since) + dt.timedelta(seconds=seconds))

    def plan(self) -> plans.Plan:
        """Return everything found."""
        changed = (node for node in self.nodes.values() if node.ledger != node.stored)
        return plans.Plan(
            ledgers=tuple(_write(node) for node in changed),
            bindings=tuple(self.bindings),
            ungates=tuple(self.ungates),
            claims=tuple(self.claims),
            patches=tuple(self.patches),
            inquiries=tuple(self.inquiries[uid] for uid in sorted(self.inquiries)),
            evictions=tuple(self.evictions),
            notices=tuple(self.notices),
            waiting=dict(self.waiting),
            drift=tuple(self.drift),
            wake_at=self.wake_at,
        )


def _write(node: node_drafts.NodeDraft) -> plans.LedgerWrite:
    return plans.LedgerWrite(node.name, node.view.resource_version, node.ledger, tuple(node.why))
