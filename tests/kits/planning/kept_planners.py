"""A planner that is kept, and is told manifests as they change."""

import dataclasses
import datetime as dt
from collections.abc import Iterable
from typing import Any

import pytest

from kits.manifests import builders, snapshots
from neuronspan_operator.objects import neuron_nodes, nodes, pod_changes, pods, pools
from neuronspan_operator.planning import facts, planner, plans
from neuronspan_operator.planning.drafting import drafts
from neuronspan_operator.scheduling import screening

SECOND = dt.timedelta(seconds=1)


class KeptPlanner:
    """With nothing in its cluster at first; ``now`` is its clock."""

    def __init__(self, *, again: float = 1.0, starvation: float = 0.0) -> None:
        self.planner = planner.Planner(again=dt.timedelta(seconds=again), starvation_seconds=starvation)
        self.now = snapshots.NOW
        self._version = 1

    def tell(
        self,
        *changed: dict[str, Any],
        hosts: Iterable[dict[str, Any]] = (),
        members: Iterable[dict[str, Any]] = (),
        gone: Iterable[str] = (),
        later: float = 0.0,
        **further: Any,
    ) -> plans.Plan:
        """Plan after that many seconds with these pods, Nodes and NeuronNodes, and without the pods of these UIDs."""
        self.now += dt.timedelta(seconds=later)
        read = [pods.read(each) for each in changed]
        changes = facts.Changes(
            pods={pod.uid: pod for pod in read} | dict.fromkeys(gone),
            nodes={each["metadata"]["name"]: nodes.read(each) for each in hosts},
            members={each["metadata"]["name"]: pools.Member(neuron_nodes.read(each)) for each in members},
            gone=dict.fromkeys(gone, True),
        )
        return self.planner.plan(changes._replace(**further), self.now)

    def build(self, *named: str, **fields: Any) -> plans.Plan:
        """Plan with more nodes, empty ones of twelve cores."""
        hosts = [builders.make_node(name, cores=12, devices=6, **fields) for name in named]
        return self.tell(hosts=hosts, members=[member(name) for name in named])

    def carry_out(self, plan: plans.Plan) -> plans.Plan:
        """Store the plan's ledgers, bind its pods, and plan again."""
        known = self.planner.facts.snapshot()
        self._version += 1
        members = {
            write.node: pools.Member(
                dataclasses.replace(
                    known.neuron_nodes[write.node], ledger=write.ledger, resource_version=str(self._version)
                )
            )
            for write in plan.ledgers
        }
        bound = {
            each.pod.uid: dataclasses.replace(
                each.pod, node_name=each.node, grant_annotation=pod_changes.grant_text(each.node, each.spans)
            )
            for each in plan.bindings
        }
        return self.planner.plan(facts.Changes(members=members, pods=bound), self.now)


def member(name: str, entries: Iterable[Any] = (), **fields: Any) -> dict[str, Any]:
    """Return a NeuronNode of twelve cores with these grants."""
    return builders.make_neuron_node(name, list(entries), instance_type=builders.SMALL, **fields)


class Looks:
    """What a planner looks at: names of nodes that are opened, UIDs of pods, and nodes that a pod is judged on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.nodes: list[str] = []
        self.pods: list[str] = []
        self.judged: list[str] = []
        open_node, open_pod, objection = drafts.Draft.open_node, drafts.Draft.open_pod, screening.Screen.objection

        def count_node(draft: drafts.Draft, name: str) -> Any:
            self.nodes.append(name)
            return open_node(draft, name)

        def count_pod(draft: drafts.Draft, uid: str) -> None:
            self.pods.append(uid)
            open_pod(draft, uid)

        def count_look(screen: screening.Screen, state: Any) -> Any:
            self.judged.append(state.name)
            return objection(screen, state)

        monkeypatch.setattr(drafts.Draft, "open_node", count_node)
        monkeypatch.setattr(drafts.Draft, "open_pod", count_pod)
        monkeypatch.setattr(screening.Screen, "objection", count_look)

    def forget(self) -> None:
        """Count from here on."""
        for each in (self.nodes, self.pods, self.judged):
            each.clear()
