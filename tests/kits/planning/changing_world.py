"""A cluster in which anything changes: what the planner knows of it, and each change as the planner is told of it.

Law: what may happen is anything that the API server could tell, in any order.
"""

import dataclasses
import datetime as dt
import random
from collections.abc import Callable

from kits.manifests import snapshots
from kits.planning import changing_objects
from neuronspan import names
from neuronspan_operator.objects import pod_changes, pods, pools
from neuronspan_operator.planning import facts, plans


class ChangingWorld:
    """Everything that is drawn comes from ``seed``."""

    def __init__(self, seed: int) -> None:
        self._draw = random.Random(seed)  # noqa: S311 - repeatable on purpose
        self._objects = changing_objects.Objects(self._draw)
        self.now = snapshots.NOW

    def first(self) -> facts.Changes:
        """Return a cluster to begin with."""
        hosts = [f"w{number}" for number in range(self._draw.randint(1, 5))]
        made = [self._objects.make_pod() for _ in range(self._draw.randint(0, 8))]
        return facts.Changes(
            nodes={name: self._objects.make_node(name) for name in hosts},
            members={name: self._objects.make_member(name, {}) for name in hosts},
            pools={name: self._objects.make_pool(name) for name in changing_objects.POOLS},
            pods={pod.uid: pod for pod in made},
            namespaces={name: {"kind": "prod"} for name in changing_objects.HOMES},
            storage=self._objects.make_storage(),
            budgets={"default/web": self._objects.make_budget()},
        )

    def change(self, known: plans.Snapshot, plan: plans.Plan) -> facts.Changes:
        """Return what happens next; ``plan`` is the last one, which may be carried out, or half of it."""
        self.now += dt.timedelta(seconds=self._draw.choice((0, 0.01, 1, 30)))
        happenings: list[Callable[[plans.Snapshot, plans.Plan], facts.Changes]] = [
            *[self._create, self._carry_out] * 3,
            *[self._replace_pod, self._delete_pod, self._change_node, self._report] * 2,
            self._delete_node,
            self._change_pool,
            self._change_namespace,
            self._change_storage,
            self._change_budget,
            self._spare,
            self._avoid,
            self._hold_back,
            self._learn,
        ]
        return self._draw.choice(happenings)(known, plan)

    # --- what may happen -----------------------------------------------------------------------------------------

    def _create(self, _known: plans.Snapshot, _plan: plans.Plan) -> facts.Changes:
        made = [self._objects.make_pod() for _ in range(self._draw.randint(1, 3))]
        return facts.Changes(pods={pod.uid: pod for pod in made})

    def _carry_out(self, known: plans.Snapshot, plan: plans.Plan) -> facts.Changes:
        """Store all or some of the ledgers, and then bind and mark all or some of the pods."""
        members: dict[str, pools.Member | None] = {}
        for write in plan.ledgers:
            if self._draw.random() < 0.8:
                view = known.neuron_nodes[write.node]
                version = str(self._draw.randrange(10**6))
                stored = dataclasses.replace(view, ledger=write.ledger, resource_version=version)
                members[write.node] = pools.Member(stored, changing_objects.POOLS[0])
        refused = {write.node for write in plan.ledgers} - members.keys()
        return facts.Changes(members=members, pods=self._let_go(plan, refused) | self._changed(known, plan))

    def _let_go(self, plan: plans.Plan, refused: set[str]) -> dict[str, pods.PodView | None]:
        changed: dict[str, pods.PodView | None] = {}
        for bind in plan.bindings:
            if bind.node not in refused and self._draw.random() < 0.8:
                text = pod_changes.grant_text(bind.node, bind.spans)
                changed[bind.pod.uid] = dataclasses.replace(bind.pod, node_name=bind.node, grant_annotation=text)
        for ungate in plan.ungates:
            if ungate.node not in refused:
                text = pod_changes.grant_text(ungate.node, ungate.spans)
                said = ungate.pod.constraints
                pinned = {**said.node_selector, names.HOSTNAME_LABEL: ungate.hostname}
                changed[ungate.pod.uid] = dataclasses.replace(
                    ungate.pod,
                    gate_index=-1,
                    grant_annotation=text,
                    constraints=dataclasses.replace(said, node_selector=pinned),
                )
        return changed

    def _changed(self, known: plans.Snapshot, plan: plans.Plan) -> dict[str, pods.PodView | None]:
        changed: dict[str, pods.PodView | None] = {}
        for eviction in plan.evictions:
            if self._draw.random() < 0.5:
                changed[eviction.pod.uid] = dataclasses.replace(eviction.pod, deleted=True)
        for patch in plan.patches:
            fence = patch.patch.get("status", {}).get("conditions", [{}])[0].get("message", "")
            if fence and patch.pod.uid in known.pods:
                changed[patch.pod.uid] = dataclasses.replace(patch.pod, fenced_until=fence)
        return changed

    def _some(self, known: plans.Snapshot) -> list[pods.PodView]:
        """Return up to two pods."""
        found = sorted(known.pods)
        return [known.pods[uid] for uid in self._draw.sample(found, min(len(found), self._draw.randint(1, 2)))]

    def _replace_pod(self, known: plans.Snapshot, _plan: plans.Plan) -> facts.Changes:
        draw = self._draw
        changed = {}
        for pod in self._some(known):
            unscheduled = pods.Unscheduled("Unschedulable", "0/1 nodes") if draw.random() < 0.3 else None
            changed[pod.uid] = dataclasses.replace(
                pod,
                resource_version=str(draw.randrange(10**6)),
                labels={**pod.labels, "app": draw.choice(changing_objects.APPS)},
                phase=draw.choice((pod.phase, pod.phase, "Running", "Failed")),
                deleted=pod.deleted or draw.random() < 0.2,
                unscheduled=unscheduled,
            )
        return facts.Changes(pods=changed)

    def _delete_pod(self, known: plans.Snapshot, _plan: plans.Plan) -> facts.Changes:
        found = self._some(known)
        certain = self._draw.random() < 0.7
        return facts.Changes(
            pods={pod.uid: None for pod in found}, gone={pod.uid: True for pod in found} if certain else {}
        )

    def _change_node(self, known: plans.Snapshot, _plan: plans.Plan) -> facts.Changes:
        name = self._draw.choice([*sorted(known.nodes), f"w{self._draw.randrange(6)}"])
        return facts.Changes(nodes={name: self._objects.make_node(name)})

    def _delete_node(self, known: plans.Snapshot, _plan: plans.Plan) -> facts.Changes:
        name = self._draw.choice([*sorted(known.nodes), "w0"])
        both = self._draw.random() < 0.5
        return facts.Changes(nodes={name: None}, members={name: None} if both else {})

    def _report(self, known: plans.Snapshot, _plan: plans.Plan) -> facts.Changes:
        name = self._draw.choice([*sorted(known.nodes), "w0"])
        return facts.Changes(members={name: self._objects.make_member(name, known.pods)})

    def _change_pool(self, _known: plans.Snapshot, _plan: plans.Plan) -> facts.Changes:
        name = self._draw.choice(changing_objects.POOLS)
        return facts.Changes(pools={name: self._draw.choice((None, self._objects.make_pool(name)))})

    def _change_namespace(self, _known: plans.Snapshot, _plan: plans.Plan) -> facts.Changes:
        labels = self._draw.choice((None, {"kind": "prod"}, {"kind": "test"}))
        return facts.Changes(namespaces={self._draw.choice(changing_objects.HOMES): labels})

    def _change_storage(self, _known: plans.Snapshot, _plan: plans.Plan) -> facts.Changes:
        return facts.Changes(storage=self._objects.make_storage())

    def _change_budget(self, _known: plans.Snapshot, _plan: plans.Plan) -> facts.Changes:
        return facts.Changes(budgets={"default/web": self._draw.choice((None, self._objects.make_budget()))})

    def _spare(self, known: plans.Snapshot, _plan: plans.Plan) -> facts.Changes:
        return facts.Changes(spared={pod.uid: self._draw.random() < 0.5 for pod in self._some(known)})

    def _avoid(self, known: plans.Snapshot, _plan: plans.Plan) -> facts.Changes:
        where = frozenset(self._draw.sample(["w0", "w1"], self._draw.randint(0, 2)))
        return facts.Changes(avoided={pod.uid: where for pod in self._some(known)})

    def _hold_back(self, known: plans.Snapshot, _plan: plans.Plan) -> facts.Changes:
        granted = {grant.pod_uid for view in known.neuron_nodes.values() if view.ledger for grant in view.ledger.grants}
        held = {pod.uid: True for pod in self._some(known) if pod.waits and pod.uid not in granted}
        return facts.Changes(held_back=held or {f"uid-p{self._draw.randrange(self._objects.made + 1)}": False})

    def _learn(self, _known: plans.Snapshot, _plan: plans.Plan) -> facts.Changes:
        """Learn that a pod that ledgers mention is gone, or that it is not."""
        return facts.Changes(gone={"uid-old": self._draw.random() < 0.5})
