"""Where we differ from kube-scheduler on purpose: each difference is checked to be just that.

Several reasons of VolumeBinding against one node: kube-scheduler counts the node for each of them, we for the first.

`namespaceSelector` of a pod that is to be placed: kube-scheduler 1.36 means to put the selected namespaces in its place
(mergeAffinityTermNamespacesIfNotEmpty in plugins/interpodaffinity/plugin.go), and loses that as it changes a copy.
The selector is then held against no labels at all, so one that only excludes labels, as `NotIn` and `DoesNotExist` do,
means every namespace. The terms of pods with a node are not concerned.
"""

import copy
from collections.abc import Iterator, Mapping
from typing import Any, Final

from neuronspan_operator.objects.constraints import selectors
from oracle.drawn import drawing

Manifest = drawing.Manifest

_OF_VOLUMES: Final = frozenset(
    {
        "node(s) didn't find available persistent volumes to bind",
        "node(s) did not have enough free storage",
        "node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)",
    }
)
"""What VolumeBinding may say of a node besides its first reason, that its volumes cannot be reached from there."""


def same_words(ours: Mapping[str, int], real: Mapping[str, int]) -> bool:
    """Whether both count the same reasons; further reasons of VolumeBinding may be missing in ours."""
    return all(
        ours.get(words, 0) <= real.get(words, 0) if words in _OF_VOLUMES else ours.get(words) == real.get(words)
        for words in {*ours, *real}
    )


def as_kube_scheduler_reads(manifest: Manifest) -> Manifest | None:
    """Return the pod that we have to judge in order to say what kube-scheduler says; None when it is the pod itself."""
    changed = copy.deepcopy(manifest)
    terms = [term for term in _terms(changed["spec"].get("affinity") or {}) if _excludes_only(term)]
    for term in terms:
        term["namespaceSelector"] = {}
    return changed if terms else None


def _terms(affinity: Manifest) -> Iterator[Manifest]:
    for kind in ("podAffinity", "podAntiAffinity"):
        rules: dict[str, Any] = affinity.get(kind) or {}
        yield from rules.get("requiredDuringSchedulingIgnoredDuringExecution") or ()
        for preferred in rules.get("preferredDuringSchedulingIgnoredDuringExecution") or ():
            yield preferred["podAffinityTerm"]


def _excludes_only(term: Manifest) -> bool:
    raw = term.get("namespaceSelector")
    return bool(raw) and selectors.read(raw).selects({})
