"""What a pod requests in all, of every resource, as the scheduler adds it up.

Source: PodRequests in k8s.io/component-helpers/resource: the sum over containers and sidecars, or the peak while the
init containers run, whichever is more; the pod's own requests replace it for CPU, memory and huge pages; the overhead
comes on top. While a container is resized, the most of what it should have, was promised and has counts. Claims of
node resources (DRANodeAllocatableResources, alpha in 1.36) are left out: pods with resource claims are not ours.
"""

import functools
import marshal
from collections.abc import Mapping
from typing import Any, Final

from neuronspan_operator.objects import quantities

CPU: Final = "cpu"
PODS: Final = "pods"

Amounts = Mapping[str, int]
"""Amounts by resource, in the resource's own unit; CPU in thousandths."""

_Raw = Mapping[str, Any]
_Exact = dict[str, int]
"""Billionths of a resource's unit: amounts are rounded once, after they have been added up."""

_FIRST: Final = (CPU, "memory", "ephemeral-storage")
_HUGE_PAGES: Final = "hugepages-"
_NONE: Final[_Raw] = {}
_REPORTED: Final = (("containers", "containerStatuses"), ("initContainers", "initContainerStatuses"))
_PLAIN: Final = 2
"""The version of ``marshal`` in which equal values are written alike, however they came about."""
_LONGEST: Final = 8192
"""Bytes of what is remembered; hardly a pod says more about what it requests."""


def of(spec: _Raw, status: _Raw = _NONE) -> tuple[Amounts, tuple[str, ...]]:
    """Return the pod's totals by resource, and in words what cannot be read; pods that ask for the same share one."""
    if not _is_as_asked(spec, status):
        return _added_up(spec, status)
    try:
        asked = marshal.dumps(_asked(spec), _PLAIN)
    except ValueError:  # a value that JSON does not have, from a file
        return _added_up(spec, _NONE)
    return _known(asked) if len(asked) <= _LONGEST else _added_up(spec, _NONE)


def _is_as_asked(spec: _Raw, status: _Raw) -> bool:
    """Whether every container has what it asks for, so that the status says nothing more about amounts."""
    if status.get("resources"):
        return False
    for containers, statuses in _REPORTED:
        reports = status.get(statuses)
        if not reports:
            continue
        wanted = {raw.get("name"): raw.get("resources") or _NONE for raw in spec.get(containers) or ()}
        for each in reports:
            current = each.get("resources")
            if current is not None:
                requests = wanted.get(each.get("name"), _NONE).get("requests")
                if current.get("requests") != requests or each.get("allocatedResources") != requests:
                    return False
    return True


def _asked(spec: _Raw) -> dict[str, Any]:
    """Return the part of a spec that says what the pod requests."""
    return {
        "containers": [{"resources": raw.get("resources")} for raw in spec.get("containers") or ()],
        "initContainers": [
            {"resources": raw.get("resources"), "restartPolicy": raw.get("restartPolicy")}
            for raw in spec.get("initContainers") or ()
        ],
        "resources": spec.get("resources"),
        "overhead": spec.get("overhead"),
    }


@functools.lru_cache(maxsize=2048)
def _known(asked: bytes) -> tuple[Amounts, tuple[str, ...]]:
    return _added_up(marshal.loads(asked), _NONE)  # noqa: S302 - written by ``of`` just now


def _added_up(spec: _Raw, status: _Raw) -> tuple[Amounts, tuple[str, ...]]:
    reading = _Reading(status)
    totals = reading.of_containers(spec)
    totals |= reading.of_pod(spec.get("resources") or {}, totals)
    _add(totals, reading.exact(spec.get("overhead")))
    rounded = {
        resource: -(-totals[resource] // _billionths(resource))
        for resource in sorted(totals, key=_order)
        if totals[resource]
    }
    return rounded, tuple(reading.problems[resource] for resource in sorted(reading.problems))


def of_node(raw: _Raw | None) -> dict[str, int]:
    """Return a Node's ``status.allocatable``; raises InvalidQuantity, which the API server never stores."""
    return {resource: _amount(quantity, resource) for resource, quantity in (raw or {}).items()}


class _Reading:
    """Reads the quantities of one pod; what cannot be read counts as nothing, and is a problem."""

    def __init__(self, status: _Raw) -> None:
        self.problems: dict[str, str] = {}
        self._status = status
        self._reported = {each.get("name", ""): each for _, kind in _REPORTED for each in status.get(kind) or ()}

    def exact(self, raw: _Raw | None) -> _Exact:
        """Read a ResourceList."""
        found: _Exact = {}
        for resource, quantity in (raw or {}).items():
            try:
                found[resource] = quantities.billionths(quantity)
            except quantities.InvalidQuantity as error:
                self.problems[resource] = f"the pod's {resource}: {error}"
        return found

    def of_containers(self, spec: _Raw) -> _Exact:
        """Return what the containers need together, while they run or while they are initialized."""
        totals: _Exact = {}
        for raw in spec.get("containers") or ():
            _add(totals, self._resized(raw))
        sidecars: _Exact = {}
        peak: _Exact = {}
        for raw in spec.get("initContainers") or ():
            if raw.get("restartPolicy") == "Always":
                requested = self._resized(raw)
                _add(totals, requested)
                _add(sidecars, requested)
                _raise(peak, sidecars)
            else:
                starting = self._declared(raw.get("resources") or {})
                _add(starting, sidecars)
                _raise(peak, starting)
        _raise(totals, peak)
        return totals

    def of_pod(self, resources: _Raw, of_containers: _Exact) -> _Exact:
        """Return what the pod requests as a whole, of the resources that it can request so.

        The API server copies limits into absent requests where no container requests the resource
        (defaultPodRequests in pkg/apis/core/v1/defaults.go); a file has them as written.
        """
        wanted, limits = self.exact(resources.get("requests")), self.exact(resources.get("limits"))
        for resource, limit in limits.items():
            if resource.startswith(_HUGE_PAGES) or resource not in of_containers:
                wanted.setdefault(resource, limit)
        found = {resource: amount for resource, amount in wanted.items() if _is_of_pods(resource)}
        current = self._status.get("resources")
        if current is None:
            return found
        most = self._most(found, current.get("requests"), self._status.get("allocatedResources"))
        return {resource: most.get(resource, 0) for resource in found}

    def _resized(self, raw: _Raw) -> _Exact:
        """Return what counts for a container that can be resized while it runs."""
        declared = self._declared(raw.get("resources") or {})
        reported = self._reported.get(raw.get("name", ""), _NONE)
        current = reported.get("resources")
        if current is None:
            return declared
        return self._most(declared, current.get("requests"), reported.get("allocatedResources"))

    def _declared(self, resources: _Raw) -> _Exact:
        # the API server copies limits into absent requests; a file has them as written
        return self.exact({**(resources.get("limits") or {}), **(resources.get("requests") or {})})

    def _most(self, wanted: _Exact, current: _Raw | None, promised: _Raw | None) -> _Exact:
        most: _Exact = {} if self._resize_is_infeasible else dict(wanted)
        _raise(most, self.exact(current))
        _raise(most, self.exact(promised))
        return most

    @property
    def _resize_is_infeasible(self) -> bool:
        """Whether the node will never give the pod what it asks for now, so that this does not count."""
        conditions = self._status.get("conditions") or ()
        pending = (each for each in conditions if each.get("type") == "PodResizePending")
        return next(pending, _NONE).get("reason") == "Infeasible"


def _order(resource: str) -> tuple[int, str]:
    """Sort by the order in which the scheduler looks at resources, and so names those that are missing."""
    return (_FIRST.index(resource) if resource in _FIRST else len(_FIRST)), resource


def _is_of_pods(resource: str) -> bool:
    return resource in {CPU, "memory"} or resource.startswith(_HUGE_PAGES)


def _add(totals: _Exact, more: Mapping[str, int]) -> None:
    for resource, amount in more.items():
        totals[resource] = totals.get(resource, 0) + amount


def _raise(totals: _Exact, least: Mapping[str, int]) -> None:
    for resource, amount in least.items():
        totals[resource] = max(totals.get(resource, 0), amount)


def _billionths(resource: str) -> int:
    return 10**6 if resource == CPU else 10**9


def _amount(quantity: str | float, resource: str) -> int:
    return -(-quantities.billionths(quantity) // _billionths(resource))
