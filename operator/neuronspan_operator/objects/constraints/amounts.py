"""What a pod requests in all, of every resource, as the scheduler adds it up.

Source: PodRequests in k8s.io/component-helpers/resource: the sum over containers and sidecars, or the peak while the
init containers run, whichever is more; pod-level requests replace it; the overhead comes on top.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from neuronspan_operator.objects import quantities

CPU: Final = "cpu"
PODS: Final = "pods"

Amounts = Mapping[str, int]
"""Amounts by resource, in the resource's own unit; CPU in thousandths."""


def of(spec: Mapping[str, Any]) -> tuple[dict[str, int], tuple[str, ...]]:
    """Return the pod's totals by resource, and in words what cannot be read."""
    totals: dict[str, int] = {}
    problems: list[str] = []
    for resource in sorted(_resources(spec)):
        try:
            totals[resource] = _total(spec, resource)
        except quantities.InvalidQuantity as error:
            problems.append(f"the pod's {resource}: {error}")
            totals[resource] = 0
    return {resource: amount for resource, amount in totals.items() if amount}, tuple(problems)


def of_node(raw: Mapping[str, Any] | None) -> dict[str, int]:
    """Return a Node's ``status.allocatable``; raises InvalidQuantity, which the API server never stores."""
    return {resource: amount(quantity, resource) for resource, quantity in (raw or {}).items()}


def _resources(spec: Mapping[str, Any]) -> set[str]:
    holders: Iterable[Mapping[str, Any]] = (*(spec.get("containers") or ()), *(spec.get("initContainers") or ()), spec)
    found = set(spec.get("overhead") or {})
    for holder in holders:
        resources = holder.get("resources") or {}
        found |= {*(resources.get("requests") or {}), *(resources.get("limits") or {})}
    return found


def _total(spec: Mapping[str, Any], resource: str) -> int:
    apps = sum(_requested(raw.get("resources"), resource) or 0 for raw in spec.get("containers") or ())
    sidecars = peak = 0
    for raw in spec.get("initContainers") or ():
        requested = _requested(raw.get("resources"), resource) or 0
        if raw.get("restartPolicy") == "Always":
            sidecars += requested
            requested = 0
        peak = max(peak, sidecars + requested)
    of_pod = _requested(spec.get("resources"), resource)
    total = max(apps + sidecars, peak) if of_pod is None else of_pod
    return total + amount((spec.get("overhead") or {}).get(resource, 0), resource)


def _requested(resources: Mapping[str, Any] | None, resource: str) -> int | None:
    for kind in ("requests", "limits"):  # the API server copies limits into absent requests; a file has them as written
        quantity = ((resources or {}).get(kind) or {}).get(resource)
        if quantity is not None:
            return amount(quantity, resource)
    return None


def amount(quantity: str | float, resource: str) -> int:
    """Return a quantity as a whole number in the unit that is counted; raises InvalidQuantity."""
    return quantities.milli(quantity) if resource == CPU else quantities.whole(quantity)
