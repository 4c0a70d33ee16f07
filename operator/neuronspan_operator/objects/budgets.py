"""Reads PodDisruptionBudgets: how many of their pods may be ended now.

Law: as the Eviction API reads them: an absent selector means no pod, an empty one every pod of the namespace. Source:
getPodDisruptionBudgets and checkAndDecrement in kubernetes/pkg/registry/core/pod/storage/eviction.go.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

from neuronspan_operator.objects import pods
from neuronspan_operator.objects.constraints import selectors


@dataclasses.dataclass(frozen=True, slots=True)
class Budget:
    """One PodDisruptionBudget."""

    namespace: str
    name: str
    selector: selectors.LabelSelector
    allowed: int  # further pods that may be ended now
    disrupted: frozenset[str] = frozenset()  # names of pods whose end is counted in ``allowed`` already

    @property
    def key(self) -> str:
        """Namespace and name, as kubectl users write them."""
        return f"{self.namespace}/{self.name}"

    def covers(self, pod: pods.PodView) -> bool:
        """Whether the budget is about this pod."""
        return pod.namespace == self.namespace and self.selector.selects(pod.labels)


def read(manifest: Mapping[str, Any]) -> Budget:
    """Read a PodDisruptionBudget as the API server sends it; one that changed since it was counted allows nothing."""
    metadata, spec, status = manifest.get("metadata") or {}, manifest.get("spec") or {}, manifest.get("status") or {}
    is_counted = (status.get("observedGeneration") or 0) >= (metadata.get("generation") or 0)
    return Budget(
        metadata.get("namespace", "default"),
        metadata.get("name", ""),
        selectors.read(spec.get("selector")),
        (status.get("disruptionsAllowed") or 0) if is_counted else 0,
        frozenset(status.get("disruptedPods") or ()),
    )
