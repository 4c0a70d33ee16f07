"""Which nodes are meant: node selectors of pods and volumes, required and preferred node affinity.

Source: k8s.io/component-helpers/scheduling/corev1/nodeaffinity.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, Final

from neuronspan_operator.objects.constraints import selectors

_NAME: Final = "metadata.name"


@dataclasses.dataclass(frozen=True, slots=True)
class NodeTerm:
    """One alternative: all of it must hold. An empty term means no node."""

    labels: tuple[selectors.Requirement, ...] = ()
    fields: tuple[selectors.Requirement, ...] = ()
    readable: bool = True

    @property
    def names(self) -> frozenset[str] | None:
        """The only nodes that can be meant, by name; None when no name is given."""
        named = [each for each in self.fields if (each.key, each.operator) == (_NAME, selectors.Operator.IN)]
        return frozenset.intersection(*(frozenset(each.values) for each in named)) if named else None

    def selects(self, name: str, labels: Mapping[str, str]) -> bool:
        """Whether a node of this name with these labels is meant."""
        if not self.readable or not (self.labels or self.fields):
            return False
        return all(each.admits(labels) for each in self.labels) and all(
            each.admits({_NAME: name}) for each in self.fields
        )


@dataclasses.dataclass(frozen=True, slots=True)
class NodeSelector:
    """Alternatives of which one must hold."""

    terms: tuple[NodeTerm, ...] = ()

    @property
    def names(self) -> frozenset[str] | None:
        """The only nodes that can be meant, by name; None when one of the alternatives gives no name."""
        named = [term.names for term in self.terms]
        found = [names for names in named if names is not None]
        return frozenset().union(*found) if named and len(found) == len(named) else None

    def selects(self, name: str, labels: Mapping[str, str]) -> bool:
        """Whether a node of this name with these labels is meant."""
        return any(term.selects(name, labels) for term in self.terms)


@dataclasses.dataclass(frozen=True, slots=True)
class PreferredNodes:
    """Nodes that a pod would rather be on, and how much: 1 to 100."""

    weight: int
    term: NodeTerm


@dataclasses.dataclass(frozen=True, slots=True)
class NodeAffinity:
    """A pod's ``spec.affinity.nodeAffinity``; ``required`` is None when every node will do."""

    required: NodeSelector | None = None
    preferred: tuple[PreferredNodes, ...] = ()


ANYWHERE: Final = NodeAffinity()


def read(raw: Mapping[str, Any] | None) -> NodeAffinity:
    """Read a pod's node affinity."""
    raw = raw or {}
    required = raw.get("requiredDuringSchedulingIgnoredDuringExecution")
    preferred = raw.get("preferredDuringSchedulingIgnoredDuringExecution") or ()
    return NodeAffinity(
        None if required is None else read_selector(required),
        tuple(PreferredNodes(each.get("weight", 0), read_term(each.get("preference") or {})) for each in preferred),
    )


def read_selector(raw: Mapping[str, Any]) -> NodeSelector:
    """Read a NodeSelector."""
    return NodeSelector(_terms(raw.get("nodeSelectorTerms") or ()))


def _terms(raw: Iterable[Mapping[str, Any]]) -> tuple[NodeTerm, ...]:
    return tuple(read_term(each) for each in raw)


def read_term(raw: Mapping[str, Any]) -> NodeTerm:
    """Read a NodeSelectorTerm."""
    labels = selectors.read_requirements(raw.get("matchExpressions") or ())
    fields = selectors.read_requirements(raw.get("matchFields") or ())
    if labels is None or fields is None or not all(map(_suits_fields, fields)):
        return NodeTerm(readable=False)
    return NodeTerm(labels, fields)


def _suits_fields(requirement: selectors.Requirement) -> bool:
    one_of = requirement.operator in {selectors.Operator.IN, selectors.Operator.NOT_IN}
    return one_of and len(requirement.values) == 1
