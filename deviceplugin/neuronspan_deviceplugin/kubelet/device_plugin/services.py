"""What the answers to kubelet's calls need, of both resources alike.

Law: holds references, does nothing.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Protocol

from neuronspan_deviceplugin import metrics
from neuronspan_deviceplugin.allocation import resource_manager
from neuronspan_deviceplugin.kubelet import pod_resources


class FreshNode(Protocol):
    """Fresh knowledge of the node."""

    async def refresh_ledger(self) -> None:
        """Read the NeuronNode now, if the API server answers."""

    async def refresh_record(self) -> Mapping[str, bool | None]:
        """Read kubelet's checkpoint and the control groups now; pod UID -> whether a process is left."""


@dataclasses.dataclass(frozen=True, slots=True)
class Services:
    """One set per process and hardware profile."""

    manager: resource_manager.ResourceManager
    pods: pod_resources.PodResources
    node: FreshNode
    meters: metrics.Metrics
    clock: Callable[[], float]
    poll_seconds: float
    start_wait_seconds: float
