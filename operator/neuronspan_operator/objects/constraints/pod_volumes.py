"""The volumes of a pod that have a say in where it may be.

Source: k8s.io/kubernetes/pkg/scheduler/framework/plugins/{volumebinding,volumerestrictions,nodevolumelimits}.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any


@dataclasses.dataclass(frozen=True, slots=True)
class ClaimRef:
    """A claim that a pod uses; ``ephemeral`` ones are made for the pod, which must own them."""

    name: str
    ephemeral: bool = False


def read(spec: Mapping[str, Any], pod_name: str) -> tuple[ClaimRef, ...]:
    """Read the claims of a pod's volumes."""
    found = []
    for raw in spec.get("volumes") or ():
        if raw.get("persistentVolumeClaim"):
            found.append(ClaimRef(raw["persistentVolumeClaim"].get("claimName", "")))
        elif "ephemeral" in raw:
            found.append(ClaimRef(f"{pod_name}-{raw.get('name', '')}", ephemeral=True))
    return tuple(found)
