"""Which containers of a pod share devices: kubelet's reuse of the devices of finished init containers. Pure.

Law: kubelet keeps the devices of plain init containers and serves the next container from them; one that needs fewer
would get a random subset of them, so it is refused, and all others of the chain share one grant.
Source: ManagerImpl.Allocate and devicesToAllocate in pkg/kubelet/cm/devicemanager/manager.go.
"""

import dataclasses
import enum
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from neuronspan import grants, names


class Kind(enum.Enum):
    """How kubelet treats the devices of a container."""

    INIT = "init container"  # it ends before the next one starts and hands its devices on
    SIDECAR = "sidecar"  # a restartable init container keeps its own
    APP = "container"


@dataclasses.dataclass(frozen=True, slots=True)
class Container:
    """One container in the order in which kubelet starts them; ``limits`` are those of Neuron resources only."""

    name: str
    kind: Kind
    limits: Mapping[str, str]


@dataclasses.dataclass(frozen=True, slots=True)
class Chain:
    """Containers that one grant serves: ``init_containers`` hand their devices on to ``container``.

    ``count`` is what the last, and so the largest, of them asks for.
    """

    container: str
    resource: str
    count: int
    init_containers: tuple[str, ...] = ()


def containers(spec: Mapping[str, Any]) -> tuple[Container, ...]:
    """Return a pod's containers, init containers first, as kubelet walks them."""
    inits = ((raw, init_kind(raw)) for raw in spec.get("initContainers") or ())
    apps = ((raw, Kind.APP) for raw in spec.get("containers") or ())
    return tuple(Container(raw.get("name", ""), kind, _limits(raw)) for raw, kind in (*inits, *apps))


def init_kind(raw: Mapping[str, Any]) -> Kind:
    """Return which kind an init container is of."""
    return Kind.SIDECAR if raw.get("restartPolicy") == "Always" else Kind.INIT


def _limits(raw: Mapping[str, Any]) -> dict[str, str]:
    limits = (raw.get("resources") or {}).get("limits") or {}
    return {resource: str(limits[resource]) for resource in names.RESOURCES if resource in limits}


def chains(
    pod_containers: Sequence[Container], asks: Mapping[str, tuple[str, int]]
) -> tuple[tuple[Chain, ...], tuple[str, ...]]:
    """Return the chains and the refusals; ``asks`` maps container names to resource and count."""
    found: list[Chain] = []
    refusals: list[str] = []
    for resource in names.RESOURCES:  # kubelet keeps one reuse set per resource
        asking = ((each, asks[each.name][1]) for each in pod_containers if asks.get(each.name, ("", 0))[0] == resource)
        refusals += _too_many(resource, pod_containers, asks)
        _walk(resource, asking, found, refusals)
    order = {each.name: index for index, each in enumerate(pod_containers)}
    return tuple(sorted(found, key=lambda chain: order[chain.container])), tuple(refusals)


def _too_many(resource: str, pod_containers: Sequence[Container], asks: Mapping[str, tuple[str, int]]) -> Iterator[str]:
    inits = (each for each in pod_containers if each.kind is Kind.INIT)
    count = sum(asks.get(each.name, ("", 0))[0] == resource for each in inits)
    if count > grants.MOST_INIT_CONTAINERS:
        yield (
            f"{count} init containers ask for {resource}, and a grant names at most {grants.MOST_INIT_CONTAINERS}: do "
            "several steps in one container"
        )


def _walk(resource: str, asking: Iterable[tuple[Container, int]], found: list[Chain], refusals: list[str]) -> None:
    reused: list[str] = []
    size = 0
    for container, count in asking:
        if count < size:
            refusals.append(
                f"{container.kind.value} {container.name} asks for {count} of {resource}, fewer than the {size} of "
                f"init container {reused[-1]} before it: kubelet would hand it a random {count} of those {size}, not a "
                f"contiguous run; ask for at least {size} in {container.name}, or at most {count} in {reused[-1]}"
            )
        size = max(size, count)
        if container.kind is Kind.INIT:
            reused.append(container.name)
        else:
            found.append(Chain(container.name, resource, size, tuple(reused)))
            reused, size = [], 0
    if reused:  # no container takes them over: they stay with the last init container until the pod ends
        found.append(Chain(reused[-1], resource, size, tuple(reused[:-1])))
