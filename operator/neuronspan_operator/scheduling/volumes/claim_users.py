"""Which pods use claims that a single pod may use. Pure."""

import dataclasses
from collections.abc import Iterable

from neuronspan_operator.objects import nodes, pods
from neuronspan_operator.objects.constraints import selectors
from neuronspan_operator.scheduling.counting import domains, meanings


@dataclasses.dataclass(frozen=True, slots=True)
class Users:
    """How many pods of a namespace use any of these claims, by name of node; nodes without any have no entry."""

    namespace: str
    claims: frozenset[str]
    by_node: domains.Counts = dataclasses.field(default_factory=dict, compare=False)

    @property
    def meaning(self) -> meanings.Meaning:
        """Every pod of the namespace."""
        return meanings.Meaning(selectors.EVERYTHING, frozenset({self.namespace}))

    def place(self, host: nodes.NodeView) -> object:
        """Return the node's name."""
        return host.name

    def settle(self, hosts: Iterable[nodes.NodeView], by: int) -> None:
        """Do nothing: nodes without such pods have no entry."""

    def count(self, pod: pods.PodView, host: nodes.NodeView, by: int) -> bool:
        """Count a pod that came or left."""
        counted = any(not ref.ephemeral and ref.name in self.claims for ref in pod.constraints.claims)
        if counted:
            domains.add(self.by_node, host.name, by)
        return counted
