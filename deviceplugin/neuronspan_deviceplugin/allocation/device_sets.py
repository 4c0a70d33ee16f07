"""What kubelet's sets of device IDs mean on the node's hardware, and whether they are under former IDs.

Law: pure; a set that means no run of cores is refused in the words of who was asked, or left out where it is only told.
"""

import dataclasses
import logging
from collections.abc import Iterable, Iterator

from neuronspan import device_ids, instance_types, spans
from neuronspan import errors as domain_errors
from neuronspan_deviceplugin import errors, reasons
from neuronspan_deviceplugin.allocation import holdings, pod_devices

Place = tuple[str, spans.CoreSpan]
"""Resource and cores."""

_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class DeviceSets:
    """The reader for one hardware."""

    hardware: instance_types.Hardware

    def ids(self, resource: str, span: spans.CoreSpan, kept: Iterable[str]) -> tuple[str, ...]:
        """Return the device IDs that are the span; those of ``kept`` stay as kubelet spells them."""
        return device_ids.ids_of(resource, span, self.hardware, kept)

    def cores(self, resource: str, ids: Iterable[str]) -> frozenset[int]:
        """Return the cores of these IDs, a run or not; raises InvalidDeviceId (domain) for IDs that are not ours."""
        return device_ids.cores_of(resource, ids, self.hardware)

    def under_present_ids(self, resource: str, ids: Iterable[str]) -> frozenset[int]:
        """Return the cores of those IDs that are listed today; raises InvalidDeviceId (domain)."""
        return self.cores(resource, (each for each in ids if not device_ids.is_former(each)))

    def to_give(self, resource: str, ids: Iterable[str]) -> spans.CoreSpan:
        """Return the cores that Allocate is asked for; raises AllocationRefused."""
        try:
            return device_ids.span_of(resource, ids, self.hardware)
        except domain_errors.NotContiguous as error:
            raise errors.AllocationRefused(
                f"kubelet chose devices that are not one run: {error}; delete the pod, its successor asks again",
                reason=reasons.AllocationRefusal.NOT_CONTIGUOUS,
            ) from error
        except domain_errors.InvalidDeviceId as error:
            raise errors.AllocationRefused(
                f"kubelet chose wrong devices: {error}; delete the pod, its successor asks again",
                reason=reasons.AllocationRefusal.UNKNOWN_DEVICE,
            ) from error

    def to_start(self, resource: str, ids: Iterable[str]) -> spans.CoreSpan:
        """Return the cores that a container is about to start on; raises NotYet."""
        try:
            return device_ids.span_of(resource, ids, self.hardware)
        except domain_errors.NeuronspanError as error:
            raise errors.NotYet(
                f"kubelet wants to start a container on devices that are no run of this node: {error}; delete the pod",
                reason=reasons.StartRefusal.UNKNOWN_DEVICES,
            ) from error

    def names_by_place(self, pods: Iterable[pod_devices.PodDevices]) -> dict[Place, tuple[str, str, str]]:
        """Return who has which cores by PodResources: place -> (namespace, pod, container)."""
        found = {}
        for pod in pods:
            for container in pod.containers:
                for resource, ids in container.devices.items():
                    span = self._told(resource, ids)
                    if span is not None:
                        found[resource, span] = (pod.namespace, pod.name, container.name)
        return found

    def placed(self, assignments: Iterable[pod_devices.Assignment]) -> Iterator[holdings.Placed]:
        """Return the entries of kubelet's record that are one run of cores."""
        for each in assignments:
            span = self._told(each.resource, each.ids)
            if span is not None:
                yield holdings.Placed(each.pod_uid, each.container, each.resource, span, any_former(each.ids))

    def _told(self, resource: str, ids: Iterable[str]) -> spans.CoreSpan | None:
        try:
            return device_ids.span_of(resource, ids, self.hardware)
        except domain_errors.NeuronspanError:  # given by an earlier hardware, or by another plugin of the same name
            _log.warning("kubelet lists devices that are no run of this node", extra={"ids": sorted(ids)})
            return None


def any_former(ids: Iterable[str]) -> bool:
    """Whether a container that has these has one under a former ID; then all of its cores count as such."""
    return any(map(device_ids.is_former, ids))
