"""Clusters of nodes with 12 cores whose pods hold cores there, for tests about who makes room for whom."""

from collections.abc import Iterable, Mapping
from typing import Any, Self

from kits.manifests import builders, domain, snapshots
from neuronspan import grants
from neuronspan_operator.objects import budgets
from neuronspan_operator.planning import planner, plans


class Scene:
    """A cluster in the making."""

    def __init__(self) -> None:
        self.pods: list[dict[str, Any]] = []
        self.entries: dict[str, list[grants.Grant]] = {}
        self.nodes: dict[str, dict[str, Any]] = {}

    def node(self, name: str = "w1", **fields: Any) -> Self:
        """Add a node."""
        self.nodes[name] = builders.make_node(name, cores=12, devices=6, **fields)
        self.entries[name] = []
        return self

    def holder(
        self,
        name: str,
        cores: str,
        node: str = "w1",
        *,
        state: grants.GrantState = grants.GrantState.CONFIRMED,
        since: str = domain.SINCE,
        **pod: Any,
    ) -> Self:
        """Add a pod that runs on these cores."""
        shape = {"containers": None, "cores": len(domain.span(cores))} | pod
        self.pods.append(builders.make_pod(name, node=node, phase="Running", **shape))
        self.entries[node].append(domain.grant(cores, name, state=state, since=since))
        return self

    def waiting(self, name: str = "big", cores: int = 8, priority: int = 100, **pod: Any) -> Self:
        """Add a pod without cores."""
        self.pods.append(builders.make_pod(name, cores=cores, priority=priority, **pod))
        return self

    def snapshot(self, known: Iterable[Mapping[str, Any]] = (), **fields: Any) -> plans.Snapshot:
        """Return what is planned on; ``known`` are the disruption budgets."""
        members = [
            builders.make_neuron_node(name, entries, instance_type=builders.SMALL)
            for name, entries in self.entries.items()
        ]
        of_name = {each.key: each for each in map(budgets.read, known)}
        return snapshots.snapshot(self.pods, list(self.nodes.values()), members, budgets=of_name, **fields)

    def plan(self, known: Iterable[Mapping[str, Any]] = (), **fields: Any) -> plans.Plan:
        """Plan on it."""
        return planner.plan(self.snapshot(known, **fields), snapshots.NOW)


def ended(plan: plans.Plan) -> list[str]:
    """Return the pods that are evicted."""
    return [each.pod.name for each in plan.evictions]
