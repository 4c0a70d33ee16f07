"""The planner's working state: each node's ledger as it will be, and what was decided for each node and pod.

Law: stages change drafts, never views; what differs from the stored ledgers at the end is what has to be written. A
draft is kept from pass to pass: a pass opens the nodes and pods anew that something happened to, and no others.
"""

import dataclasses
import datetime as dt
from collections.abc import Iterable, Iterator
from typing import Any, Final

from neuronspan import grants, names
from neuronspan_operator import reasons
from neuronspan_operator.objects import neuron_nodes, pods, pools
from neuronspan_operator.planning import answers, journal, plans
from neuronspan_operator.planning.drafting import (
    groups,
    indices,
    kept,
    node_drafts,
    node_table,
    parts,
    placements,
    promises,
    queue,
)
from neuronspan_operator.scheduling import cluster_state, objections, screening

DEFAULT_POLICY = pools.Policy()
_NOWHERE: Final[frozenset[str]] = frozenset()


class Draft:
    """What is decided, and what that stands on."""

    def __init__(self) -> None:
        self.snapshot = plans.Snapshot({}, {}, {})
        self.now = neuron_nodes.moment("")
        self._since = ""
        self.indices = indices.Indices()
        self.parts = parts.Parts()
        self.waiting: dict[str, plans.Waiting] = {}
        self.resumable: set[str] = set()  # UIDs of unplaced pods with usable grants in store
        self.groups = groups.Groups()
        self.queue = queue.Queue()
        self.kept = kept.Places()
        self.placements = placements.Placements()
        self.journal: journal.Journal[str] = journal.Journal()
        self.cluster = cluster_state.Cluster(on_change=self.journal.note)
        self.remembered: answers.Answers[Any] = answers.Answers(self.journal)  # of those who ask about many nodes
        self.promises = promises.Promises(self.cluster)
        self.table = node_table.NodeTable(self.journal)
        self.nodes = self.table.drafts
        self.broken = self.table.broken
        self._about: parts.Key = parts.Kind.NODE, ""
        self._said_before: dict[str, plans.Waiting | None] = {}

    # --- a pass --------------------------------------------------------------------------------------------------

    def begin(self, snapshot: plans.Snapshot, now: dt.datetime) -> None:
        """Start a pass at that moment."""
        self.snapshot = snapshot
        self.now = now
        self._since = ""
        self.resumable.clear()
        self._said_before.clear()
        if self.cluster.storage is not snapshot.storage:
            self.cluster.assume(snapshot.storage)

    def open_node(self, name: str) -> node_drafts.NodeDraft | None:
        """Begin anew with a node: its ledger is as it is stored, and nothing is decided; None when it has none."""
        view = self.snapshot.neuron_nodes.get(name)
        policy = self.snapshot.policies.get(name, DEFAULT_POLICY)
        node = self.table.open(name, view, self.snapshot.nodes.get(name), policy)
        self._about = parts.Kind.NODE, name
        if view is None:
            self.parts.drop(self._about)
            return None
        part = self.parts.open(self._about)
        if node is None:
            part.decisions.append(plans.Drift(name, reasons.DriftKind.UNREADABLE_LEDGER, view.problem))
        return node

    def open_pod(self, uid: str) -> None:
        """Begin anew with a pod: nothing is decided."""
        self.parts.open((parts.Kind.POD, uid))
        self.queue.leave(uid)
        self._say(uid, None)

    def about_pod(self, uid: str) -> None:
        """Take what is decided from here on for decided about this pod."""
        self._about = parts.Kind.POD, uid

    @property
    def part(self) -> parts.Part:
        """What is decided about the node or the pod that is being decided about."""
        return self.parts.get(self._about)

    def count_promises(self, nodes: Iterable[str]) -> None:
        """Count the granted pods of these nodes where they will be bound, and no others.

        By the ledgers as this pass has them: a grant that it released is no promise any more, one it adopted is.
        """
        for name in nodes:
            self.promises.count(name, self._promised(name))

    def _promised(self, name: str) -> dict[str, pods.PodView]:
        node = self.nodes.get(name)
        found: dict[str, pods.PodView] = {}
        for grant in () if node is None else node.ledger.grants:
            uid = grant.pod_uid
            unplaced = uid in self.indices.waiting or uid in self.indices.let_go
            if unplaced and grant.state is not grants.GrantState.RELEASING:
                found[uid] = self.snapshot.pods[uid]
        return found

    @property
    def since(self) -> str:
        """The moment of the pass, as ledgers have it."""
        if not self._since:
            self._since = neuron_nodes.timestamp(self.now)
        return self._since

    # --- questions -----------------------------------------------------------------------------------------------

    def objection(self, pod: pods.PodView, node: node_drafts.NodeDraft) -> objections.Objection | None:
        """Return why a pod that is counted on the node could not be there, were it not there yet.

        With an objection it does not count there any more.
        """
        with self.cluster.without([pod], node.name) as state:
            found = screening.Screen(pod, self.cluster, granted=True).objection(state)
        if found is not None:
            self.promises.break_one(pod.uid, node.name)
        return found

    def home(self, pod: pods.PodView) -> str:
        """Return the only node that the pod can run on, "" when it may still go anywhere."""
        if pod.unplaced or pod.node_name:
            return pod.node_name
        hostname = pod.constraints.node_selector.get(names.HOSTNAME_LABEL, "")
        named = self.indices.hostnames.of(hostname)
        if named:
            return max(named)
        return hostname if hostname in self.snapshot.neuron_nodes else pod.granted_node or hostname

    def granted_on(self, pod: pods.PodView) -> Iterator[tuple[node_drafts.NodeDraft, tuple[grants.Grant, ...]]]:
        """Return the nodes where the pod has grants that are not being released, with those grants."""
        for name in sorted(self.indices.holders.of(pod.uid)):
            found = self.nodes[name].grants_of(pod.uid)
            if found:
                yield self.nodes[name], found

    def winding_up(self, uid: str) -> set[str]:
        """Return the nodes where the pod cannot be granted anew yet: an earlier grant of it is still being wound up.

        A node's ``released`` is proof for any grant of the pod: it must not mention the pod when a new one is made.
        """
        return {*self.indices.holders.of(uid), *self.indices.released_on.of(uid)}

    def excluded(self, uid: str) -> frozenset[str]:
        """Return the nodes where the pod must not be granted cores now, whatever their room."""
        avoided = self.snapshot.avoided.get(uid, _NOWHERE)
        wound_up = self.winding_up(uid)
        return avoided | wound_up if wound_up else avoided

    @property
    def lowest_priority(self) -> int | None:
        """The lowest priority of any pod that has a node."""
        return self.indices.lowest_priority

    @property
    def evictions(self) -> list[plans.Evict]:
        """Whom it was decided to evict so far."""
        return self.parts.evictions()

    def ending_nodes(self) -> list[str]:
        """Return the nodes where somebody is ending, whose cores and other resources will be free soon."""
        evicted = (each.pod.node_name for each in self.evictions)
        return sorted({*self.indices.dying, *self.table.releasing, *evicted} & self.nodes.keys())

    def group_of(self, pod: pods.PodView) -> groups.Group | None:
        """Return the group that the pod names, if any."""
        return self.groups.get((pod.namespace, pod.pod_group)) if pod.pod_group else None

    def undecided(self, uids: Iterable[str]) -> list[pods.PodView]:
        """Return which of these pods are to be placed, and neither go on nor have a reason to wait, by UID."""
        return [
            self.snapshot.pods[uid]
            for uid in sorted(uids)
            if uid in self.indices.waiting
            and uid not in self.waiting
            and not self.parts.get((parts.Kind.POD, uid)).departs
        ]

    def exists(self, uid: str, namespace: str, name: str) -> bool:
        """Whether the pod may still be there; one that is missing here without proof is asked for, and may."""
        if uid in self.snapshot.pods:
            return True
        if uid in self.snapshot.gone:
            return False
        inquiry = plans.Inquiry(uid, namespace, name)
        if inquiry not in self.part.decisions:
            self.decide(inquiry)
        return True

    # --- actions -------------------------------------------------------------------------------------------------

    def decide(self, what: parts.Decision) -> None:
        """Have this done, for the node or the pod that is being decided about."""
        self.part.decisions.append(what)

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
        self.decide(dataclasses.replace(found, lasting=True) if lasting else found)

    def wait(self, uid: str, why: plans.Waiting) -> None:
        """Let a pod wait, for this reason."""
        self._say(uid, why)

    def _say(self, uid: str, why: plans.Waiting | None) -> None:
        self._said_before.setdefault(uid, self.waiting.get(uid))
        if why is None:
            self.waiting.pop(uid, None)
        else:
            self.waiting[uid] = why

    def wake(self, moment: dt.datetime) -> bool:
        """Note that a timer ends at ``moment``; True when it has ended already."""
        if moment <= self.now:
            return True
        self.parts.wake(self._about, moment)
        return False

    def elapsed(self, since: str, seconds: float) -> bool:
        """Whether that much time has passed since then; if not, the plan wakes up when it has."""
        return self.wake(neuron_nodes.moment(since) + dt.timedelta(seconds=seconds))

    def news(self) -> frozenset[str]:
        """Return the UIDs of the pods whose waiting came, went or changed in this pass."""
        return frozenset(uid for uid, before in self._said_before.items() if before != self.waiting.get(uid))
