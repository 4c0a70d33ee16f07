"""What a pod requests in all, as the scheduler adds it up.

Source: PodRequests in k8s.io/component-helpers/resource: the sum over containers and sidecars, or the peak while the
init containers run, whichever is more; pod-level requests replace it; the overhead comes on top.
"""

from collections.abc import Mapping
from typing import Any

from neuronspan import names
from neuronspan_operator.objects import quantities


def of(spec: Mapping[str, Any]) -> tuple[dict[str, int], tuple[str, ...]]:
    """Return the pod's totals of CPU (thousandths), memory (bytes), Neuron resources, and what cannot be read."""
    totals: dict[str, int] = {}
    problems: list[str] = []
    for resource in ("cpu", "memory", *names.RESOURCES):
        try:
            totals[resource] = _total(spec, resource)
        except quantities.InvalidQuantity as error:
            problems.append(f"the pod's {resource}: {error}")
            totals[resource] = 0
    return totals, tuple(problems)


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
    return total + _amount((spec.get("overhead") or {}).get(resource, 0), resource)


def _requested(resources: Mapping[str, Any] | None, resource: str) -> int | None:
    for kind in ("requests", "limits"):  # the API server copies limits into absent requests; a file has them as written
        quantity = ((resources or {}).get(kind) or {}).get(resource)
        if quantity is not None:
            return _amount(quantity, resource)
    return None


def _amount(quantity: str | float, resource: str) -> int:
    return quantities.milli(quantity) if resource == "cpu" else quantities.whole(quantity)
