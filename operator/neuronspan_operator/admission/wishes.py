"""What a pod asks for, and all else of it that decides whether it can have that.

A value that cannot be read is one with a count of 0, and a part that has another type than Kubernetes' is taken for
missing: an API server sends neither, but who reads a request must not fail because of it.
"""

import dataclasses
import re
from collections.abc import Mapping
from typing import Any, Final

from neuronspan import annotations, names
from neuronspan_operator.admission import settings as settings_module
from neuronspan_operator.objects import init_chains, quantities

_LONGEST: Final = 256
"""Characters of a value that is still read."""
_BILLION: Final = 10**9
_PATTERNS: Final = {each.name: re.compile(each.pattern) for each in annotations.OF_USERS if each.pattern}
_CLUSTERS_OWN: Final = "default-scheduler"
"""What the API server writes where a pod names no scheduler (SetDefaults_PodSpec in kubernetes/pkg/apis/core/v1)."""


@dataclasses.dataclass(frozen=True, slots=True)
class Container:
    """One container; ``limits`` and ``requests`` are all that it has, as they are written."""

    name: str
    kind: init_chains.Kind
    limits: Mapping[str, str]
    requests: Mapping[str, str]

    @property
    def hands_on(self) -> bool:
        """Whether it ends before the pod runs, and its devices go to the next container."""
        return self.kind is init_chains.Kind.INIT

    @property
    def is_limited(self) -> bool:
        """Whether it has a limit or a request of a Neuron resource."""
        return any(each in self.limits or each in self.requests for each in names.RESOURCES)


@dataclasses.dataclass(frozen=True, slots=True)
class Wish:
    """One place of a pod that asks for something."""

    by: str  # the annotation's name, or "limit " and the resource
    value: str
    container: str
    resource: str
    count: int


@dataclasses.dataclass(frozen=True, slots=True)
class Pod:
    """A pod, or the template of one."""

    annotations: Mapping[str, str]
    labels: Mapping[str, str]
    ours: tuple[str, ...]  # the names of our annotations, in order, so that sentences come in the same order each time
    containers: tuple[Container, ...]  # in the order in which kubelet starts them
    main: str  # the container that pod-wide annotations mean
    wishes: tuple[Wish, ...]  # what the annotations ask for
    readable: tuple[Wish, ...]  # those of them that a node could hold
    scheduler: str  # the one that the pod names, "" when that is the cluster's own
    has_claims: bool
    gates: tuple[str, ...]
    node: str

    @property
    def is_guest(self) -> bool:
        """Whether somebody else binds it: resource claims are allocated by the cluster's scheduler, with the node."""
        return self.has_claims or self.scheduler not in {"", names.SCHEDULER}

    @property
    def asks(self) -> bool:
        """Whether it asks for cores or devices, by annotation or by limits; a limit of 0 asks for nothing."""
        return bool(self.wishes) or any(
            is_positive(each.limits.get(resource, "0")) for each in self.containers for resource in names.RESOURCES
        )


def read(metadata: Any, spec: Any, settings: settings_module.Settings, first: str | None = None) -> Pod:
    """Read a pod's metadata and spec; ``first`` is meant where the pod does not name a container."""
    written, spec = texts(mapping(metadata).get("annotations")), mapping(spec)
    apps = _containers(spec.get("containers"), of_apps=True)
    chosen = first if first is not None else next((each.name for each in apps), "")
    main = written.get(names.CONTAINER_ANNOTATION, chosen)
    ours = tuple(sorted(filter(annotations.is_ours, written)))
    wishes = tuple(wish for key in ours if (wish := _wish(key, written[key], main)) is not None)
    scheduler = text(spec.get("schedulerName"))
    return Pod(
        annotations=written,
        labels=texts(mapping(metadata).get("labels")),
        ours=ours,
        containers=(*_containers(spec.get("initContainers"), of_apps=False), *apps),
        main=main,
        wishes=wishes,
        readable=tuple(each for each in wishes if 1 <= each.count <= most(each.resource, settings)),
        scheduler="" if scheduler == _CLUSTERS_OWN else scheduler,
        has_claims=bool(items(spec.get("resourceClaims"))),
        gates=tuple(text(each.get("name")) for each in items(spec.get("schedulingGates"))),
        node=text(spec.get("nodeName")),
    )


def most(resource: str, settings: settings_module.Settings) -> int:
    """How many of a resource the largest node has."""
    return settings.most_devices if resource == names.DEVICE_RESOURCE else settings.most_cores


def is_positive(quantity: str) -> bool:
    """Whether a quantity is more than none; what is no quantity is not."""
    try:
        return quantities.billionths(quantity) > 0
    except quantities.InvalidQuantity:
        return False


def count_of(quantity: str) -> int:
    """Return the whole number that a quantity is, -1 when it is none; an API server lets none other through."""
    try:
        count, rest = divmod(quantities.billionths(quantity), _BILLION)
    except quantities.InvalidQuantity:
        return -1
    return -1 if rest else max(count, -1)


# --- annotations --------------------------------------------------------------------------------------------------


def _wish(key: str, value: str, main: str) -> Wish | None:
    asking = annotations.asking(key)
    if asking is None:
        return None
    container = main if key == asking.name else key.removeprefix(asking.per_container)
    return Wish(key, value, container, asking.asks, _count(asking.name, value))


def _count(annotation: str, value: str) -> int:
    if len(value) > _LONGEST or not matches(annotation, value):
        return 0
    if annotation == names.VISIBLE_CORES_ANNOTATION:
        first, _, last = value.partition("-")
        return int(last or first) - int(first) + 1
    if annotation == names.GROUP_SIZES_ANNOTATION:
        groups = (group.rpartition("x") for group in value.split(","))
        return sum(int(repeat or 1) * int(size) for repeat, _, size in groups)
    return int(value)


def matches(annotation: str, value: str) -> bool:
    """Whether a value has the declared form of this annotation."""
    return _PATTERNS[annotation].fullmatch(value) is not None


# --- parts of a manifest ------------------------------------------------------------------------------------------


def _containers(found: Any, *, of_apps: bool) -> tuple[Container, ...]:
    return tuple(_container(each, of_apps=of_apps) for each in items(found))


def _container(raw: Mapping[str, Any], *, of_apps: bool) -> Container:
    resources = mapping(raw.get("resources"))
    limits, requests = texts(resources.get("limits")), texts(resources.get("requests"))
    kind = init_chains.Kind.APP if of_apps else init_chains.init_kind(raw)
    return Container(text(raw.get("name")), kind, limits, requests)


def mapping(found: Any) -> Mapping[str, Any]:
    """Return an object, an empty one where there is none."""
    return found if isinstance(found, Mapping) else {}


def items(found: Any) -> tuple[Mapping[str, Any], ...]:
    """Return a list of objects, each at its place; an empty one where there is none."""
    return tuple(map(mapping, found)) if isinstance(found, list | tuple) else ()


def texts(found: Any) -> dict[str, str]:
    """Return an object whose values are texts."""
    return {str(key): text(value) for key, value in mapping(found).items()}


def text(found: Any) -> str:
    """Return a text; quantities may be numbers, and nothing is the empty one."""
    return "" if found is None else str(found)
