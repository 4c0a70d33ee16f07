"""kubelet's device manager: who gets which devices. A port of pkg/kubelet/cm/devicemanager/manager.go, v1.36.

Same order of steps, same places where the lock is released (here: an await), same random choices (Go walks sets in
random order; here a seeded generator does). Not modelled: NUMA topology, DRA.
"""

import dataclasses
import random
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from neuronspan_embedded.kubelet import pods


class AdmissionFailed(Exception):  # noqa: N818 - kubelet's word
    """The pod is rejected with this message, for good."""


class Plugin(Protocol):
    """The calls kubelet makes on a registered plugin; those of admission raise AdmissionFailed with its words."""

    preferred_available: bool
    stopped: bool

    async def preferred(self, available: list[str], must_include: list[str], size: int) -> list[str]:
        """Call GetPreferredAllocation."""

    async def allocate(self, ids: list[str]) -> bytes:
        """Call Allocate; gives the serialised container response."""

    async def pre_start(self, ids: list[str]) -> None:
        """Call PreStartContainer."""


@dataclasses.dataclass(frozen=True)
class Given:
    """What one container has of one resource."""

    ids: frozenset[str]
    response: bytes


PodDevices = dict[str, dict[str, dict[str, Given]]]
"""Pod UID -> container -> resource."""


class DeviceManager:
    """The device manager of one kubelet process; ``given`` survives a restart through the checkpoint file."""

    def __init__(
        self,
        active_pods: Callable[[], Iterable[pods.Pod]],
        save: Callable[[], None],
        chance: random.Random,
    ) -> None:
        self.plugins: dict[str, Plugin] = {}
        self.healthy: dict[str, set[str]] = {}
        self.unhealthy: dict[str, set[str]] = {}
        self.allocated: dict[str, set[str]] = {}
        self.given: PodDevices = {}
        self._reusable: dict[str, dict[str, set[str]]] = {}
        self._active_pods = active_pods
        self._save = save
        self._chance = chance

    def restore(self, given: PodDevices, registered: Iterable[str]) -> None:
        """Begin as after a restart: devices are remembered, every resource is there but has none healthy."""
        self.given = given
        self.allocated = self._all_given()
        for resource in registered:
            self.healthy[resource], self.unhealthy[resource] = set(), set()

    def listed(self, resource: str, devices: Mapping[str, bool]) -> None:
        """Take over a ListAndWatch message."""
        self.healthy[resource] = {each for each, healthy in devices.items() if healthy}
        self.unhealthy[resource] = {each for each, healthy in devices.items() if not healthy}
        self._save()

    def disconnected(self, resource: str) -> None:
        """Take note that a plugin's stream ended: nothing of it is healthy."""
        self.unhealthy.setdefault(resource, set()).update(self.healthy.get(resource, ()))
        self.healthy[resource] = set()

    def update_allocated(self) -> None:
        """Forget the devices of pods that are not active, and so also reservations under way (kubernetes#137534)."""
        gone = self.given.keys() - {each.uid for each in self._active_pods()}
        if not gone:
            return
        for uid in gone:
            del self.given[uid]
        self.allocated = self._all_given()

    async def allocate(self, pod: pods.Pod, container: pods.Container) -> None:
        """Give one container its devices; raises AdmissionFailed."""
        self._reusable = {pod.uid: self._reusable.get(pod.uid, {})}
        reusable = self._reusable[pod.uid]
        await self._allocate_resources(pod, container, reusable)
        for resource, given in self.given.get(pod.uid, {}).get(container.name, {}).items():
            if container.plain_init:
                reusable.setdefault(resource, set()).update(given.ids)
            else:
                reusable.get(resource, set()).difference_update(given.ids)

    def devices(self, uid: str, container: str, resource: str) -> frozenset[str] | None:
        """Return what the container has; None when nothing is recorded."""
        given = self.given.get(uid, {}).get(container, {}).get(resource)
        return given.ids if given else None

    async def _allocate_resources(
        self, pod: pods.Pod, container: pods.Container, reusable: Mapping[str, set[str]]
    ) -> None:
        cleaned, changed = False, False
        for resource, needed in container.limits.items():
            if resource not in self.healthy and resource not in self.allocated:
                continue  # not a device plugin's resource as far as this kubelet knows
            if not cleaned:
                self.update_allocated()
                cleaned = True
            ids = await self._to_allocate(pod, container, resource, needed, reusable.get(resource, set()))
            if not ids:
                continue
            changed = True
            response = await self._call_allocate(resource, ids)
            by_container = self.given.setdefault(pod.uid, {}).setdefault(container.name, {})
            by_container[resource] = Given(frozenset(ids), response)
        if changed:
            self._save()

    async def _call_allocate(self, resource: str, ids: set[str]) -> bytes:
        try:
            return await self._plugin(resource).allocate(self._shuffled(ids))
        except AdmissionFailed:
            self.allocated = self._all_given()
            raise

    async def _to_allocate(
        self, pod: pods.Pod, container: pods.Container, resource: str, needed: int, reusable: set[str]
    ) -> set[str]:
        before = self.devices(pod.uid, container.name, resource)
        missing = needed - len(before or ())
        if before is not None and missing:
            raise AdmissionFailed(f"container {container.name} changed request from {len(before)} to {needed}")
        healthy = self._healthy(resource, before or frozenset())
        if not missing:
            return set()
        chosen: set[str] = set()
        if self._take(resource, reusable, chosen, needed):
            return chosen
        available = healthy - self.allocated.get(resource, set())
        if len(available) < needed - len(chosen):
            raise AdmissionFailed(f"requested number of devices unavailable for {resource}: {needed}")
        preferred = await self._preferred(resource, available | chosen, chosen, needed)
        if self._take(resource, preferred & available, chosen, needed):
            return chosen
        self._take(resource, available, chosen, needed)
        return chosen

    def _healthy(self, resource: str, before: frozenset[str]) -> set[str]:
        if resource not in self.healthy:
            raise AdmissionFailed(f"cannot allocate unregistered device {resource}")
        healthy = self.healthy[resource]
        if not healthy:
            raise AdmissionFailed(f"no healthy devices present; cannot allocate unhealthy devices {resource}")
        if not healthy >= before:
            raise AdmissionFailed(f"previously allocated devices are no longer healthy: {resource}")
        return healthy

    def _take(self, resource: str, devices: set[str], chosen: set[str], needed: int) -> bool:
        """Reserve devices in random order until there are enough."""
        for each in self._shuffled(devices - chosen):
            if len(chosen) == needed:
                break
            self.allocated.setdefault(resource, set()).add(each)
            chosen.add(each)
        return len(chosen) == needed

    async def _preferred(self, resource: str, available: set[str], must_include: set[str], size: int) -> set[str]:
        plugin = self._plugin(resource)
        if not plugin.preferred_available:
            return set()
        return set(await plugin.preferred(self._shuffled(available), self._shuffled(must_include), size))

    def _plugin(self, resource: str) -> Plugin:
        plugin = self.plugins.get(resource)
        if plugin is None or plugin.stopped:
            raise AdmissionFailed(f"endpoint for {resource} is stopped")
        return plugin

    def _all_given(self) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for containers in self.given.values():
            for resources in containers.values():
                for resource, given in resources.items():
                    found.setdefault(resource, set()).update(given.ids)
        return found

    def _shuffled(self, ids: Iterable[str]) -> list[str]:
        return self._chance.sample(sorted(ids), len(list(ids)))
