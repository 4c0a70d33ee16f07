"""Which pods a pod wants to be near, or far from: required and preferred pod affinity and anti-affinity.

Source: NewPodInfo and newAffinityTerm in k8s.io/kubernetes/pkg/scheduler/framework/types.go.
"""

import dataclasses
import functools
import marshal
from collections.abc import Iterable, Mapping
from typing import Any, Final

from neuronspan_operator.objects.constraints import selectors

_PLAIN: Final = 2
"""The version of ``marshal`` in which equal values are written alike, however they came about."""
_LONGEST: Final = 8192
"""Bytes of what is remembered; hardly a pod says more about others."""

_Raw = Mapping[str, Any]


@dataclasses.dataclass(frozen=True, slots=True)
class AffinityTerm:
    """Pods of certain namespaces and labels, in the topology domain that ``topology_key`` names."""

    topology_key: str
    selector: selectors.LabelSelector
    namespaces: frozenset[str] = frozenset()
    namespace_selector: selectors.LabelSelector = selectors.NOTHING  # of the labels of namespaces

    def selects(
        self, namespace: str, labels: Mapping[str, str], namespace_labels: Mapping[str, Mapping[str, str]]
    ) -> bool:
        """Whether a pod of this namespace with these labels is meant."""
        if namespace not in self.namespaces and not self.namespace_selector.selects(
            namespace_labels.get(namespace, {})
        ):
            return False
        return self.selector.selects(labels)

    def resolved(self, namespace_labels: Mapping[str, Mapping[str, str]]) -> "AffinityTerm":
        """Return the term with the names of the namespaces that its namespace selector means now.

        A selector of everything stays, as it also means namespaces that are not known yet. Source:
        mergeAffinityTermNamespacesIfNotEmpty in k8s.io/kubernetes/pkg/scheduler/framework/plugins/interpodaffinity.
        """
        if self.namespace_selector.nothing or self.namespace_selector.everything:
            return self
        meant = {name for name, labels in namespace_labels.items() if self.namespace_selector.selects(labels)}
        return dataclasses.replace(self, namespaces=self.namespaces | meant, namespace_selector=selectors.NOTHING)


@dataclasses.dataclass(frozen=True, slots=True)
class PreferredTerm:
    """Pods that a pod would rather be near or far from, and how much: 1 to 100."""

    weight: int
    term: AffinityTerm


@dataclasses.dataclass(frozen=True, slots=True)
class PodAffinity:
    """A pod's ``podAffinity`` and ``podAntiAffinity``."""

    required: tuple[AffinityTerm, ...] = ()
    preferred: tuple[PreferredTerm, ...] = ()
    anti_required: tuple[AffinityTerm, ...] = ()
    anti_preferred: tuple[PreferredTerm, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.required or self.preferred or self.anti_required or self.anti_preferred)


NONE: Final = PodAffinity()


def namespace_labels(manifest: Mapping[str, Any]) -> Mapping[str, str]:
    """Return the labels of a Namespace, by which terms can select it."""
    labels: Mapping[str, str] = (manifest.get("metadata") or {}).get("labels") or {}
    return labels


def read(affinity: Mapping[str, Any] | None, namespace: str, labels: Mapping[str, str]) -> PodAffinity:
    """Read a pod's ``spec.affinity``; ``namespace`` is the pod's own. Pods that say the same share one value.

    ``labels`` are those that ``matchLabelKeys`` and ``mismatchLabelKeys`` are about: the pod's own while it is in a
    file, none once it is stored. The API server then has merged them into the selector (mutatePodAffinity in
    pkg/registry/core/pod/strategy.go), the scheduler never looks at the two fields, and the labels may have changed.
    """
    near, far = ((affinity or {}).get(kind) or {} for kind in ("podAffinity", "podAntiAffinity"))
    if not near and not far:
        return NONE
    try:
        written = marshal.dumps((near, far, namespace, dict(labels)), _PLAIN)
    except ValueError:  # a value that JSON does not have, from a file
        return _read(near, far, namespace, labels)
    return _known(written) if len(written) <= _LONGEST else _read(near, far, namespace, labels)


@functools.lru_cache(maxsize=2048)
def _known(written: bytes) -> PodAffinity:
    return _read(*marshal.loads(written))  # noqa: S302 - written by ``read`` just now


def _read(near: _Raw, far: _Raw, namespace: str, labels: Mapping[str, str]) -> PodAffinity:
    required, preferred = (f"{each}DuringSchedulingIgnoredDuringExecution" for each in ("required", "preferred"))
    return PodAffinity(
        _required(near.get(required) or (), namespace, labels),
        _preferred(near.get(preferred) or (), namespace, labels),
        _required(far.get(required) or (), namespace, labels),
        _preferred(far.get(preferred) or (), namespace, labels),
    )


def _required(raw: Iterable[Mapping[str, Any]], namespace: str, labels: Mapping[str, str]) -> tuple[AffinityTerm, ...]:
    return tuple(_term(each, namespace, labels) for each in raw)


def _preferred(
    raw: Iterable[Mapping[str, Any]], namespace: str, labels: Mapping[str, str]
) -> tuple[PreferredTerm, ...]:
    return tuple(
        PreferredTerm(each.get("weight", 0), _term(each.get("podAffinityTerm") or {}, namespace, labels))
        for each in raw
    )


def _term(raw: Mapping[str, Any], namespace: str, labels: Mapping[str, str]) -> AffinityTerm:
    """Read a PodAffinityTerm; without namespaces and without a namespace selector it means the pod's own namespace."""
    named, namespace_selector = raw.get("namespaces") or (), raw.get("namespaceSelector")
    own = () if named or namespace_selector is not None else (namespace,)
    return AffinityTerm(
        topology_key=raw.get("topologyKey", ""),
        selector=selectors.read(raw.get("labelSelector")).narrowed(_matching(raw, labels)),
        namespaces=frozenset((*named, *own)),
        namespace_selector=selectors.read(namespace_selector),
    )


def _matching(raw: Mapping[str, Any], labels: Mapping[str, str]) -> Iterable[selectors.Requirement]:
    for field, operator in (
        ("matchLabelKeys", selectors.Operator.IN),
        ("mismatchLabelKeys", selectors.Operator.NOT_IN),
    ):
        for key in raw.get(field) or ():
            if key in labels:
                yield selectors.Requirement(key, operator, (labels[key],))
