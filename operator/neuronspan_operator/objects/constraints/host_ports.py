"""Ports of the node that a pod's containers take for themselves.

Source: GetHostPorts in k8s.io/kubernetes/pkg/scheduler/util, and HostPortInfo in framework/types.go of
k8s.io/kube-scheduler.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, Final

_EVERY_ADDRESS: Final = "0.0.0.0"  # all of them: nothing is bound here


@dataclasses.dataclass(frozen=True, slots=True)
class HostPort:
    """One port of one address, or of all."""

    address: str
    protocol: str
    port: int

    def clashes(self, other: "HostPort") -> bool:
        """Whether two pods cannot have these ports on one node."""
        if (self.protocol, self.port) != (other.protocol, other.port):
            return False
        return self.address == other.address or _EVERY_ADDRESS in {self.address, other.address}


def read(spec: Mapping[str, Any]) -> tuple[HostPort, ...]:
    """Read the host ports of a pod's containers and sidecars.

    The API server writes those of a pod on the node's own network (SetDefaults_Pod); a file has them as written.
    """
    sidecars = (raw for raw in spec.get("initContainers") or () if raw.get("restartPolicy") == "Always")
    containers = (*(spec.get("containers") or ()), *sidecars)
    return tuple(_of(containers, on_host=bool(spec.get("hostNetwork"))))


def _of(containers: Iterable[Mapping[str, Any]], *, on_host: bool) -> Iterable[HostPort]:
    for container in containers:
        for raw in container.get("ports") or ():
            port = raw.get("hostPort") or (raw.get("containerPort") if on_host else 0)
            if port:
                yield HostPort(raw.get("hostIP") or _EVERY_ADDRESS, raw.get("protocol") or "TCP", port)
