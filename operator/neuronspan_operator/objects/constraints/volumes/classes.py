"""StorageClasses: when claims are bound, who makes volumes, and where.

Source: MatchTopologySelectorTerms in k8s.io/kubernetes/pkg/apis/core/v1/helper.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

from neuronspan_operator.objects.constraints import node_terms, selectors

_NO_PROVISIONER: Final = "kubernetes.io/no-provisioner"


@dataclasses.dataclass(frozen=True, slots=True)
class StorageClass:
    """One class; ``topologies`` is None where volumes can be made everywhere."""

    name: str
    provisioner: str = ""
    waits: bool = False  # claims are bound for their first pod, not at once
    topologies: node_terms.NodeSelector | None = None

    @property
    def provisions(self) -> bool:
        """Whether volumes are made for its claims."""
        return self.provisioner not in {"", _NO_PROVISIONER}

    def provisions_for(self, labels: Mapping[str, str]) -> bool:
        """Whether volumes can be made for a node with these labels."""
        return self.provisions and (self.topologies is None or self.topologies.selects("", labels))


def read(manifest: Mapping[str, Any]) -> StorageClass:
    """Read a StorageClass as the API server sends it."""
    terms = manifest.get("allowedTopologies") or ()
    return StorageClass(
        name=(manifest.get("metadata") or {}).get("name", ""),
        provisioner=manifest.get("provisioner", ""),
        waits=manifest.get("volumeBindingMode") == "WaitForFirstConsumer",
        topologies=node_terms.NodeSelector(tuple(map(_term, terms))) if terms else None,
    )


def _term(raw: Mapping[str, Any]) -> node_terms.NodeTerm:
    return node_terms.NodeTerm(
        tuple(
            selectors.Requirement(each.get("key", ""), selectors.Operator.IN, tuple(each.get("values") or ()))
            for each in raw.get("matchLabelExpressions") or ()
        )
    )
