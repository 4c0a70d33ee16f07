"""What a pod asks for: annotations and resource limits become one ContainerRequest per future grant.

Law: both forms end in the same requests; whatever cannot be meant becomes a sentence that names the thing, the value
and the way out, and a pod with such a sentence is never granted.
"""

import dataclasses
import enum
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from neuronspan import annotations, errors, grants, instance_types, names, placement, visible_cores
from neuronspan_operator.objects import container_requests, init_chains, quantities

_MOST: Final = {names.CORE_RESOURCE: instance_types.MOST_CORES, names.DEVICE_RESOURCE: instance_types.MOST_DEVICES}
_RESOURCES: Final = frozenset(names.RESOURCES)
_MOST_NAMED: Final = 20
_MOST_PROBLEMS: Final = 20

_COUNT = re.compile(r"[1-9][0-9]{0,8}")
_COUNTS: Final = tuple(each for each in annotations.OF_USERS if each.per_container)
_POD_WIDE: Final = {each.name: each.asks for each in _COUNTS}
_PER_CONTAINER: Final = {each.per_container: each.asks for each in _COUNTS}


@dataclasses.dataclass(frozen=True, slots=True)
class Reading:
    """What ``read`` found; ``unlimited`` are containers whose annotation was never turned into a resource limit."""

    requests: tuple[container_requests.ContainerRequest, ...] = ()
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


def read(written: Mapping[str, str], spec: Mapping[str, Any]) -> Reading:
    """Read a pod's annotations and spec; a pod that asks for no Neuron resource gives an empty Reading."""
    if not asks(written, spec):
        return Reading()
    return _Reader(written, init_chains.containers(spec)).read()


def asks(written: Mapping[str, str], spec: Mapping[str, Any]) -> bool:
    """Whether a pod with these annotations and this spec asks for a Neuron resource, or tries to."""
    containers = [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]
    return bool(containers) and (any(map(annotations.is_ours, written)) or any(map(_is_limited, containers)))


def _is_limited(container: Mapping[str, Any]) -> bool:
    limits = (container.get("resources") or {}).get("limits")
    return not _RESOURCES.isdisjoint(limits or ())


def _some(containers: Sequence[str]) -> str:
    """Join names for a sentence, not all of very many: a pod may have thousands, and thousands of such sentences."""
    more = len(containers) - _MOST_NAMED
    return ", ".join(containers[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _first(problems: Sequence[str]) -> tuple[str, ...]:
    """Return as many problems as anybody reads: they are kept with the pod."""
    more = len(problems) - _MOST_PROBLEMS
    return (*problems[:_MOST_PROBLEMS], *([f"and {more} more of the kind"] if more > 0 else []))


class _Reader:
    """One pod's reading in progress: every step adds its problems and goes on, so that all are reported at once."""

    def __init__(self, written: Mapping[str, str], containers: Sequence[init_chains.Container]) -> None:
        self.annotations = written
        self.containers = containers
        self.problems: list[str] = []
        self.known = _some([each.name for each in containers])
        self.main = self._main()

    def read(self) -> Reading:
        first, visible = self._visible_cores()
        group_sizes, grouped = self._group_sizes()
        asks = [*self._counted(), *visible, *grouped]
        wished = {ask.container for ask in asks}
        # a limit of none asks for nothing, unless something else asks for that container: then the two disagree
        limits = [ask for each in self.containers for ask in self._limits(each) if ask.count or ask.container in wished]
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
            container_requests.ContainerRequest(
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
        return Reading(requests, _first(self.problems), unlimited, group, size)

    def _main(self) -> str:
        """Return the container that the annotations without a container's name mean."""
        lasting = [each.name for each in self.containers if each.kind is not init_chains.Kind.INIT]
        first = next((each.name for each in self.containers if each.kind is init_chains.Kind.APP), "")
        named = self.annotations.get(names.CONTAINER_ANNOTATION, first)
        if named not in lasting:
            self.problems.append(
                f'annotation {names.CONTAINER_ANNOTATION} is "{named}", which is no container or sidecar of the pod: '
                f"use one of {_some(lasting)}"
            )
        return named

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
                    f"use one of {self.known}"
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
            else:
                yield _Ask(f"limit {resource}", container.name, resource, count)

    def _visible_cores(self) -> tuple[int | None, tuple[_Ask, ...]]:
        text = self.annotations.get(names.VISIBLE_CORES_ANNOTATION)
        if text is None:
            return None, ()
        try:
            span = visible_cores.parse_visible_cores(text, instance_types.MOST_CORES)
        except errors.InvalidCoreSet:
            self.problems.append(
                f'annotation {names.VISIBLE_CORES_ANNOTATION} is "{text}": write one run of consecutive cores between '
                f'0 and {instance_types.MOST_CORES - 1}, like "4-7"'
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
        if not 0 < sum(sizes) <= instance_types.MOST_CORES or len(text) > grants.LONGEST_GROUP_SIZES:
            self.problems.append(
                f'annotation {names.GROUP_SIZES_ANNOTATION} is "{text}": write the NeuronCores of each group, together '
                f'at most {instance_types.MOST_CORES}, like "3,4,1"'
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
                amounts = [container_requests.amount(each.resource, each.count) for each in (other, ask)]
                self.problems.append(
                    f"container {ask.container}: {other.source} asks for {amounts[0]} and "
                    f"{ask.source} for {amounts[1]}: "
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
