"""Where we follow the API's documentation and kube-scheduler does not, on purpose: each is checked to be just that.

`namespaceSelector` of a pod that is to be placed: kube-scheduler 1.36 means to put the selected namespaces in its place
(mergeAffinityTermNamespacesIfNotEmpty in plugins/interpodaffinity/plugin.go), and loses that as it changes a copy. The selector
is then held against no labels at all, so one that only excludes labels, as `NotIn` and `DoesNotExist` do, means every
namespace. The terms of pods with a node are not concerned.
"""

import copy
from collections.abc import Iterator
from typing import Any

from neuronspan_operator.objects.constraints import selectors
from oracle import drawing

Manifest = drawing.Manifest


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
