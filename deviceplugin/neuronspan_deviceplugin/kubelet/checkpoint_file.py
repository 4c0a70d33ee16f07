"""Reads the file in which kubelet remembers which container has which devices.

Law: read only. The file is right about pods that hold devices, and late about pods that are over: kubelet rewrites it
at the next allocation (k8s.io/kubernetes pkg/kubelet/cm/devicemanager, checkpoint.Data).
"""

import json
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

from neuronspan import names
from neuronspan_deviceplugin import errors
from neuronspan_deviceplugin.allocation import pod_devices

FILE = "kubelet_internal_checkpoint"


class KubeletCheckpoint:
    """The file in kubelet's device plugin directory."""

    def __init__(self, directory: pathlib.Path) -> None:
        self._path = directory / FILE

    def read(self) -> tuple[pod_devices.Assignment, ...]:
        """Return the entries of our two resources; none when kubelet has not written the file yet.

        Raises KubeletRecordUnreadable.
        """
        try:
            raw = json.loads(self._path.read_bytes())
            return tuple(_assignments(raw["Data"]))
        except FileNotFoundError:
            return ()
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise errors.KubeletRecordUnreadable(
                f"kubelet's device checkpoint {self._path} cannot be read: {error!r}; "
                "until it can, PodResources alone says who holds which devices"
            ) from error


def _assignments(data: Mapping[str, Any]) -> Iterator[pod_devices.Assignment]:
    for entry in data["PodDeviceEntries"] or ():
        if entry["ResourceName"] not in names.RESOURCES:
            continue
        by_numa_node: Mapping[str, list[str]] = entry["DeviceIDs"]  # "-1" when devices have no NUMA node, like ours
        ids = frozenset(each for ids in by_numa_node.values() for each in ids)
        if ids:
            yield pod_devices.Assignment(entry["PodUID"], entry["ContainerName"], entry["ResourceName"], ids)
