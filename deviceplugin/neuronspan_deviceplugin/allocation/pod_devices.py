"""What kubelet says each container holds, in our own words.

Law: plain values; PodResources (by pod name) and kubelet's checkpoint file (by pod UID) are both read into these.
"""

import dataclasses
from collections.abc import Mapping


@dataclasses.dataclass(frozen=True, slots=True)
class ContainerDevices:
    """One container as PodResources lists it; ``devices`` maps a resource name to device IDs, ours only."""

    name: str
    devices: Mapping[str, frozenset[str]]


@dataclasses.dataclass(frozen=True, slots=True)
class PodDevices:
    """One pod as PodResources lists it: app containers and sidecars in kubelet's order, never plain init containers."""

    namespace: str
    name: str
    containers: tuple[ContainerDevices, ...]

    def container(self, name: str) -> ContainerDevices | None:
        """Return the container of that name; None when it is not listed."""
        return next((each for each in self.containers if each.name == name), None)


@dataclasses.dataclass(frozen=True, slots=True)
class Assignment:
    """One entry of kubelet's checkpoint: this container of this pod has these devices of this resource."""

    pod_uid: str
    container: str
    resource: str
    ids: frozenset[str]
