"""What a pod asks for: annotations and resource limits become one ContainerRequest per future grant.

Law: both forms end in the same requests; whatever cannot be meant becomes a sentence that names the thing, the value
and the way out, and a pod with such a sentence is never granted.
"""

import dataclasses
import enum
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Protocol

from neuronspan import errors, grants, instance_types, names, placement, spans, visible_cores
from neuronspan_operator import init_chains, quantities

_TYPES = instance_types.INSTANCE_TYPES.values()
MOST_CORES_OF_A_NODE: Final = max(each.devices * each.cores_per_device for each in _TYPES)
MOST_DEVICES_OF_A_NODE: Final = max(each.devices for each in _TYPES)
_MOST: Final = {names.CORE_RESOURCE: MOST_CORES_OF_A_NODE, names.DEVICE_RESOURCE: MOST_DEVICES_OF_A_NODE}

_COUNT = re.compile(r"[1-9][0-9]{0,8}")
_POD_WIDE: Final = {names.CORES_ANNOTATION: names.CORE_RESOURCE, names.DEVICES_ANNOTATION: names.DEVICE_RESOURCE}
_PER_CONTAINER: Final = {
    names.CONTAINER_CORES_PREFIX: names.CORE_RESOURCE,
    names.CONTAINER_DEVICES_PREFIX: names.DEVICE_RESOURCE,
}


PlacementKey = tuple[int, str, placement.Alignment | None, int | None]


class Asker(Protocol):
    """Whose containers ask: ``pods.PodView`` is one."""

    @property
    def uid(self) -> str:
        """The pod's UID."""

    @property
    def namespace(self) -> str:
        """The pod's namespace."""

    @property
    def name(self) -> str:
        """The pod's name."""


@dataclasses.dataclass(frozen=True, slots=True)
class ContainerRequest:
    """What one grant has to provide.

    A new field belongs into ``placement_key`` when it decides where cores are, else into ``granted`` and
    ``is_served_by``.
    """

    container: str
    count: int  # in units of ``resource``: cores, or devices whose number of cores depends on the node
    resource: str = names.CORE_RESOURCE
    align: placement.Alignment | None = None  # None: as the node's pool says
    first: int | None = None  # these very cores
    env: grants.EnvMode = grants.EnvMode.VISIBLE
    group_sizes: str = ""
    init_containers: tuple[str, ...] = ()  # their devices are handed on to ``container``, which asks for no fewer

    @property
    def devices(self) -> int:
        """Whole Neuron devices asked for, 0 when the request counts cores."""
        return self.count if self.resource == names.DEVICE_RESOURCE else 0

    def cores_on(self, hardware: instance_types.Hardware) -> int:
        """NeuronCores that this request means on a node with that hardware."""
        return self.devices * hardware.cores_per_device or self.count

    def on(self, hardware: instance_types.Hardware, default: placement.Alignment) -> placement.Request:
        """Placement request for a node with that hardware, whose pool has that default alignment."""
        align = placement.Alignment.DEVICE if self.devices else self.align or default
        return placement.Request(self.cores_on(hardware), align, self.first)

    @property
    def placement_key(self) -> PlacementKey:
        """Everything that decides where the cores may be: equal keys fit in the same places."""
        return self.count, self.resource, self.align, self.first

    def granted(
        self,
        pod: Asker,
        span: spans.CoreSpan,
        since: str,
        state: grants.GrantState = grants.GrantState.GRANTED,
    ) -> grants.Grant:
        """Return the grant of these cores to the pod's container; raises InvalidGrant when they cannot serve it."""
        return grants.Grant(
            pod_uid=pod.uid,
            namespace=pod.namespace,
            pod=pod.name,
            container=self.container,
            span=span,
            resource=self.resource,
            env=self.env,
            state=state,
            since=since,
            group_sizes=self.group_sizes,
            init_containers=self.init_containers,
        )

    def is_served_by(self, grant: grants.Grant, hardware: instance_types.Hardware) -> bool:
        """Whether the grant, on a node with that hardware, is what is asked for; alignment is only for new grants."""
        return (
            self.first in {None, grant.span.first}
            and grant.span.count == self.cores_on(hardware)
            and (grant.container, grant.resource) == (self.container, self.resource)
            and (grant.env, grant.group_sizes) == (self.env, self.group_sizes)
            and grant.init_containers == self.init_containers
        )

    def __str__(self) -> str:
        if self.first is not None:
            return f"cores {spans.CoreSpan(self.first, self.count)} for container {self.container}"
        return f"{amount(self.resource, self.count)} for container {self.container}"


@dataclasses.dataclass(frozen=True, slots=True)
class Reading:
    """What ``read`` found; ``unlimited`` are containers whose annotation was never turned into a resource limit."""

    requests: tuple[ContainerRequest, ...] = ()
    problems: tuple[str, ...] = ()
    unlimited: tuple[str, ...] = ()
    pod_group: str = ""
    pod_group_size: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class _Ask:
    source: str
    container: str
    resource: str
    count: int


def amount(resource: str, count: int) -> str:
    """Say how many of which resource, like ``4 NeuronCores``."""
    unit = "Neuron device" if resource == names.DEVICE_RESOURCE else "NeuronCore"
    return f"{count} {unit}{'' if count == 1 else 's'}"


def read(annotations: Mapping[str, str], spec: Mapping[str, Any]) -> Reading:
    """Read a pod's annotations and spec; a pod that asks for no Neuron resource gives an empty Reading."""
    containers = init_chains.containers(spec)
    if not containers or not (any(map(_is_ours, annotations)) or any(each.limits for each in containers)):
        return Reading()
    return _Reader(annotations, containers).read()


def _is_ours(annotation: str) -> bool:
    prefix, _, _ = annotation.partition("/")
    return prefix == names.GROUP or prefix.endswith(f".{names.GROUP}")


class _Reader:
    """One pod's reading in progress: every step adds its problems and goes on, so that all are reported at once."""

    def __init__(self, annotations: Mapping[str, str], containers: Sequence[init_chains.Container]) -> None:
        self.annotations = annotations
        self.containers = containers
        self.main = next((each.name for each in containers if each.kind is init_chains.Kind.APP), "")
        self.problems: list[str] = []

    def read(self) -> Reading:
        first, visible = self._visible_cores()
        group_sizes, grouped = self._group_sizes()
        asks = [*self._counted(), *visible, *grouped]
        limits = [ask for container in self.containers for ask in self._limits(container)]
        unlimited = tuple(sorted({ask.container for ask in asks} - {ask.container for ask in limits}))
        merged = self._merged([*asks, *limits])
        chains, refused = init_chains.chains(
            self.containers, {name: (a.resource, a.count) for name, a in merged.items()}
        )
        self.problems += refused
        env = self._choice(names.ENV_ANNOTATION, grants.EnvMode, grants.EnvMode.VISIBLE)
        align = self._choice(names.ALIGN_ANNOTATION, placement.Alignment, None)
        group, size = self._pod_group()
        requests = tuple(
            ContainerRequest(
                chain.container,
                chain.count,
                chain.resource,
                align,
                first if chain.container == self.main else None,
                env,
                group_sizes if chain.container == self.main else "",
                chain.init_containers,
            )
            for chain in chains
        )
        return Reading(requests, tuple(self.problems), unlimited, group, size)

    # --- the places that ask for something -----------------------------------------------------------------------

    def _counted(self) -> Iterable[_Ask]:
        known = {container.name for container in self.containers}
        for annotation, text in sorted(self.annotations.items()):
            prefix, slash, container = annotation.partition("/")
            resource = _PER_CONTAINER.get(prefix + slash)
            if annotation in _POD_WIDE:
                container, resource = self.main, _POD_WIDE[annotation]
            elif resource is None:
                continue
            elif container not in known:
                self.problems.append(
                    f"annotation {annotation} names container {container!r}, which the pod does not have: "
                    f"use one of {', '.join(each.name for each in self.containers)}"
                )
                continue
            count = self._count(annotation, text, resource)
            if count:
                yield _Ask(f"annotation {annotation}", container, resource, count)

    def _count(self, annotation: str, text: str, resource: str) -> int:
        if _COUNT.fullmatch(text) and int(text) <= _MOST[resource]:
            return int(text)
        unit = "Neuron devices" if resource == names.DEVICE_RESOURCE else "NeuronCores"
        self.problems.append(
            f'annotation {annotation} is "{text}": write the number of {unit}, from "1" to "{_MOST[resource]}", '
            "which is what the largest instance type has"
        )
        return 0

    def _limits(self, container: init_chains.Container) -> Iterable[_Ask]:
        for resource, text in container.limits.items():
            try:
                count = quantities.whole(text)
            except quantities.InvalidQuantity as error:
                self.problems.append(f"limit {resource} of container {container.name}: {error}")
                continue
            if not 0 <= count <= _MOST[resource]:
                self.problems.append(
                    f"limit {resource} of container {container.name} is {text}: ask for at most {_MOST[resource]}, "
                    "which is what the largest instance type has"
                )
            elif count:
                yield _Ask(f"limit {resource}", container.name, resource, count)

    def _visible_cores(self) -> tuple[int | None, tuple[_Ask, ...]]:
        text = self.annotations.get(names.VISIBLE_CORES_ANNOTATION)
        if text is None:
            return None, ()
        try:
            span = visible_cores.parse_visible_cores(text, MOST_CORES_OF_A_NODE)
        except errors.InvalidCoreSet:
            self.problems.append(
                f'annotation {names.VISIBLE_CORES_ANNOTATION} is "{text}": write one run of consecutive cores between '
                f'0 and {MOST_CORES_OF_A_NODE - 1}, like "4-7"'
            )
            return None, ()
        source = f"annotation {names.VISIBLE_CORES_ANNOTATION}"
        return span.first, (_Ask(source, self.main, names.CORE_RESOURCE, span.count),)

    def _group_sizes(self) -> tuple[str, tuple[_Ask, ...]]:
        text = self.annotations.get(names.GROUP_SIZES_ANNOTATION)
        if text is None:
            return "", ()
        try:
            sizes = visible_cores.parse_group_sizes(text)
        except errors.InvalidCoreSet:
            sizes = ()
        if not 0 < sum(sizes) <= MOST_CORES_OF_A_NODE:
            self.problems.append(
                f'annotation {names.GROUP_SIZES_ANNOTATION} is "{text}": write the NeuronCores of each group, together '
                f'at most {MOST_CORES_OF_A_NODE}, like "3,4,1"'
            )
            return "", ()
        source = f"annotation {names.GROUP_SIZES_ANNOTATION}"
        return text, (_Ask(source, self.main, names.CORE_RESOURCE, sum(sizes)),)

    # --- what they say together ----------------------------------------------------------------------------------

    def _merged(self, asks: Iterable[_Ask]) -> dict[str, _Ask]:
        merged: dict[str, _Ask] = {}
        for ask in asks:
            other = merged.setdefault(ask.container, ask)
            if (ask.resource, ask.count) != (other.resource, other.count):
                equal = "keep one of them, or make them equal"
                either = "one container has cores or whole devices, not both, so keep one of them"
                self.problems.append(
                    f"container {ask.container}: {other.source} asks for {amount(other.resource, other.count)} and "
                    f"{ask.source} for {amount(ask.resource, ask.count)}: "
                    f"{equal if ask.resource == other.resource else either}"
                )
        return merged

    def _choice(self, annotation: str, kind: type[enum.StrEnum], default: Any) -> Any:
        text = self.annotations.get(annotation)
        if text is None:
            return default
        try:
            return kind(text)
        except ValueError:
            self.problems.append(f'annotation {annotation} is "{text}": write {" or ".join(kind)}')
            return default

    def _pod_group(self) -> tuple[str, int]:
        group = self.annotations.get(names.POD_GROUP_ANNOTATION)
        size = self.annotations.get(names.POD_GROUP_SIZE_ANNOTATION)
        if group is None and size is None:
            return "", 0
        if not group:
            self.problems.append(
                f"annotation {names.POD_GROUP_SIZE_ANNOTATION} comes without a group: "
                f"name the group in {names.POD_GROUP_ANNOTATION}"
            )
        if size is None or not _COUNT.fullmatch(size):
            self.problems.append(
                f'annotation {names.POD_GROUP_SIZE_ANNOTATION} is "{size or ""}": write the number of pods in the '
                f'group, at least "1"'
            )
            return group or "", 0
        return group or "", int(size)
