"""What the plugins report as held is compared with the ledgers, and the ledgers follow the facts.

Law: cores that a container holds are never granted to another one, whether or not the ledger can be made to say so.
"""

import dataclasses
from collections.abc import Iterable, Mapping

from neuronspan import errors, grants, names, placement, spans
from neuronspan.fitting import places
from neuronspan_agent import resources
from neuronspan_operator import reasons
from neuronspan_operator.objects import container_requests, neuron_nodes, pods
from neuronspan_operator.planning import plans
from neuronspan_operator.planning.drafting import drafts, node_drafts


@dataclasses.dataclass(frozen=True, slots=True)
class _Fact:
    """One held record, with the pod it was traced to and that pod's grant for the container."""

    held: neuron_nodes.Held
    uid: str
    grant: grants.Grant | None

    @property
    def is_owner(self) -> bool:
        """Whether the container itself holds the cores, not an init container that hands them on to it."""
        return self.grant is not None and self.grant.container == self.held.container

    @property
    def agrees(self) -> bool:
        """Whether the ledger says the same."""
        if self.grant is None:
            return False
        return self.grant.span == self.held.span if self.is_owner else self.grant.span.contains(self.held.span)

    @property
    def settled(self) -> bool:
        """Whether the ledger says the same and is known to."""
        return self.agrees and self.grant is not None and self.grant.state is grants.GrantState.CONFIRMED

    def __str__(self) -> str:
        return f"{self.held.namespace}/{self.held.pod}[{self.held.container}]"


def run(draft: drafts.Draft, node: node_drafts.NodeDraft) -> None:
    """Confirm, adopt and move the grants of one node, by what its containers hold."""
    if node.view.held:
        _Comparison(draft, node).run()
    _expect_unmanaged(draft, node)


class _Comparison:
    """One node's ledger against what its plugin reports."""

    def __init__(self, draft: drafts.Draft, node: node_drafts.NodeDraft) -> None:
        self.draft = draft
        self.node = node

    def run(self) -> None:
        """Let the ledger follow the facts, then confirm what agrees, and block what still does not."""
        facts = self._facts()
        if all(fact.settled for fact in facts):
            return
        self._move(facts)
        # larger first: an init container's part of the same cores is then known to be covered
        for fact in sorted(self._facts(), key=lambda fact: (-fact.held.span.count, fact.held.span, str(fact))):
            if fact.grant is None:
                self._adopt(fact)
        facts = self._facts()
        self._confirm(facts)
        for fact in facts:
            self._guard(fact)

    def _facts(self) -> list[_Fact]:
        return [self._fact(held) for held in self.node.view.held]

    def _fact(self, held: neuron_nodes.Held) -> _Fact:
        """Trace a record to a pod: by UID, by a grant of that name and span, or by the pod of that name here."""
        uid = held.pod_uid or self._uid_of_grant(held)
        if not uid:
            uid = self._uid_by_name(held)
        own = self.node.all_grants_of(uid)
        serving = (grant for grant in own if held.container in (grant.container, *grant.init_containers))
        return _Fact(held, uid, next(serving, None))

    def _uid_by_name(self, held: neuron_nodes.Held) -> str:
        there = self.draft.indices.bound(self.node.name).items()
        return max((uid for uid, pod in there if (pod.namespace, pod.name) == (held.namespace, held.pod)), default="")

    def _uid_of_grant(self, held: neuron_nodes.Held) -> str:
        for grant in self.node.ledger.grants:
            if (grant.namespace, grant.pod) == (held.namespace, held.pod) and grant.span.contains(held.span):
                return grant.pod_uid
        return ""

    def _confirm(self, facts: Iterable[_Fact]) -> None:
        for fact in facts:
            if fact.grant is None or not fact.agrees or fact.uid not in self.draft.snapshot.pods:
                continue
            if self.node.ledger.get(fact.grant.key).state is grants.GrantState.GRANTED:
                changed = self.node.ledger.confirm(fact.grant.key, self.draft.since)
                self.node.change(changed, f"{fact.grant} is confirmed: the node holds these cores for it")

    # --- grants whose cores turned out to be others --------------------------------------------------------------

    def _move(self, facts: list[_Fact]) -> None:
        """Let the ledger follow kubelet: exchanged cores, or cores that no other pod was promised."""
        agreed = {fact.grant.key for fact in facts if fact.grant is not None and fact.is_owner and fact.agrees}
        targets = {
            fact.grant.key: fact.held.span
            for fact in facts
            if fact.grant is not None and fact.grant.key not in agreed and _movable(fact)
        }
        if not targets:
            return
        self._displace(targets, {fact.grant.key for fact in facts if fact.grant is not None})
        if not self._moved(targets):  # all at once for exchanges; one by one when another grant stands in the way
            for key in sorted(targets):
                self._moved({key: targets[key]})

    def _moved(self, targets: Mapping[grants.Key, spans.CoreSpan]) -> bool:
        try:
            changed = self.node.ledger.moved(targets)
        except errors.LedgerError:
            return False  # contested: ``_guard`` says so
        whys = [
            f"{self.node.ledger.get(key)} holds cores {span} on {self.node.name}: the ledger follows"
            for key, span in sorted(targets.items())
        ]
        for why in whys:
            self._drifted(reasons.DriftKind.MOVED_GRANT, why)
        self.node.change(changed, *whys)
        return True

    def _displace(self, targets: dict[grants.Key, spans.CoreSpan], holding: set[grants.Key]) -> None:
        """Exchange with a pod that has not started: who got its cores leaves it his own of the same size."""
        taken_over = set(targets.values())
        for key, span in sorted(targets.items()):
            mine, other = self.node.ledger.get(key), self.node.ledger.find(span)
            if other is None or other.key in targets or other.key in holding or mine.span in taken_over:
                continue
            pod = self.draft.snapshot.pods.get(other.pod_uid)
            same = (other.span.count, other.resource) == (mine.span.count, mine.resource)
            if same and other.state is grants.GrantState.GRANTED and pod is not None and not pod.unplaced:
                targets[other.key] = mine.span
                taken_over.add(mine.span)

    # --- cores held without a grant ------------------------------------------------------------------------------

    def _adopt(self, fact: _Fact) -> None:
        """Enter what is held without a grant; cores of a pod that is over become a tombstone."""
        held = fact.held
        if not fact.uid or fact.uid in self.node.view.released:
            return
        covering = (grant for grant in self.node.all_grants_of(fact.uid) if grant.span.contains(held.span))
        if next(covering, None) is not None:
            return  # an init container whose devices were handed on
        pod = self.draft.snapshot.pods.get(fact.uid)
        if pod is None and self._may_come(fact):
            return
        if pod is not None and (pod.unplaced or pod.node_name not in {"", self.node.name}):
            return
        over = pod is None or pod.terminal
        try:
            changed = self.node.ledger.adopt(self._adopted(fact, pod, over=over))
        except errors.NeuronspanError as error:
            self._drifted(reasons.DriftKind.NOT_ADOPTABLE, f"{fact} holds cores {held.span} without a grant: {error}")
            return
        self._drifted(
            reasons.DriftKind.ADOPTED_HOLDER, f"{fact} holds cores {held.span} without a grant: entered into the ledger"
        )
        self.node.change(changed, f"{fact} holds {held.span} without a grant: adopted")

    def _may_come(self, fact: _Fact) -> bool:
        """Whether the pod may be known later: a static one runs before its mirror is made, and when that is deleted."""
        if resources.is_static(fact.uid) and fact.held.processes:
            return True
        return self.draft.exists(fact.uid, fact.held.namespace, fact.held.pod)

    def _adopted(self, fact: _Fact, pod: pods.PodView | None, *, over: bool) -> grants.Grant:
        """Return the grant of what is held: as the pod asked for it, in so far as it got that."""
        held = fact.held
        holder = pods.PodView(fact.uid, held.namespace, held.pod)
        state = grants.GrantState.RELEASING if over else grants.GrantState.CONFIRMED
        return self._request(held, pod).granted(holder, held.span, self.draft.since, state)

    def _request(self, held: neuron_nodes.Held, pod: pods.PodView | None) -> container_requests.ContainerRequest:
        asked = () if pod is None else pod.requests
        request = next((each for each in asked if each.container == held.container), None)
        in_devices = held.resource == names.DEVICE_RESOURCE
        count = len(self.node.hardware.devices_of(held.span)) if in_devices else held.span.count
        if pod is None or request is None:
            return container_requests.ContainerRequest(held.container, count, held.resource)
        if (request.count, request.resource) == (count, held.resource) and not pod.problems:
            return request
        # its core groups are parts of what was asked for: of other cores, or beside a contradiction, there are none
        return dataclasses.replace(request, count=count, resource=held.resource, group_sizes="")

    # --- whatever happened, held cores are not free --------------------------------------------------------------

    def _guard(self, fact: _Fact) -> None:
        """Keep held cores from being granted, and name every pod that was promised cores that another one holds."""
        span = fact.held.span
        owners = [grant for grant in self.node.ledger.grants if grant.span.overlaps(span)]
        if any(grant.pod_uid == fact.uid and grant.span.contains(span) for grant in owners):
            return
        self.node.block(span)
        for grant in owners:
            if grant.pod_uid != fact.uid:
                self.node.contested.add(grant.pod_uid)
        message = f"{fact} holds cores {span} of {self.node.name} that the ledger does not give it"
        self._drifted(reasons.DriftKind.CONTESTED_CORES, message)

    def _drifted(self, kind: reasons.DriftKind, message: str) -> None:
        self.draft.decide(plans.Drift(self.node.name, kind, message))


def _movable(fact: _Fact) -> bool:
    """Whether the container started on as many cores as it was granted, but on others."""
    grant = fact.grant
    if grant is None or fact.agrees or not fact.is_owner or grant.state is grants.GrantState.RELEASING:
        return False
    return (grant.span.count, grant.resource) == (fact.held.span.count, fact.held.resource)


def _expect_unmanaged(draft: drafts.Draft, node: node_drafts.NodeDraft) -> None:
    """Leave room for bound pods without a grant: the plugin will give them the best-fitting free cores any moment."""
    holding = {held.pod_uid for held in node.view.held} | {(held.namespace, held.pod) for held in node.view.held}
    for _, pod in sorted(draft.indices.bound(node.name).items()):
        if pod.deleted or pod.problems or node.all_grants_of(pod.uid):
            continue
        if pod.uid not in holding and (pod.namespace, pod.name) not in holding:
            _make_room(node, pod)


def _make_room(node: node_drafts.NodeDraft, pod: pods.PodView) -> None:
    served = (request for request in pod.requests if request.container not in pod.unlimited)  # kubelet gives by limits
    wanted = [request.on(node.hardware, placement.Rules()) for request in served]
    for span in places.find_all(node.hardware, node.taken(), wanted, placement.Packing.BEST_FIT) or ():
        node.block(span)
