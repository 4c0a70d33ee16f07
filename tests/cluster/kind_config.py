"""The cluster's shape as kind's configuration: one control plane, one worker per pool. Pure."""

import dataclasses
import json
from typing import Any

POOL_LABEL = "neuronspan.dev/pool"
POOLS = ("trn1", "inf2")
"""One worker each, in this order: `<cluster>-worker` is trn1, `<cluster>-worker2` is inf2."""
SKIPPED_PHASES = ("preflight", "addon/coredns")


@dataclasses.dataclass(frozen=True)
class Shape:
    """What a cluster is made of."""

    name: str
    pools: tuple[str, ...] = POOLS
    own_image: bool = True
    """Our node image: no network plugin of its own, pods resolve names through the node, cgroups named by cgroupfs."""

    @property
    def workers(self) -> tuple[str, ...]:
        """The workers' node names, as kind gives them."""
        return tuple(f"{self.name}-worker{number if number > 1 else ''}" for number in range(1, len(self.pools) + 1))

    @property
    def nodes(self) -> tuple[str, ...]:
        """All node names."""
        return (f"{self.name}-control-plane", *self.workers)


def render(shape: Shape) -> str:
    """The configuration as JSON, which is YAML too."""
    document: dict[str, Any] = {
        "kind": "Cluster",
        "apiVersion": "kind.x-k8s.io/v1alpha4",
        "name": shape.name,
        "nodes": [
            {"role": "control-plane"},
            *({"role": "worker", "labels": {POOL_LABEL: pool}} for pool in shape.pools),
        ],
        "networking": {"apiServerAddress": "127.0.0.1", "disableDefaultCNI": shape.own_image},
        "kubeadmConfigPatches": [json.dumps(patch) for patch in patches(shape)],
    }
    return json.dumps(document, indent=2)


def patches(shape: Shape) -> list[dict[str, Any]]:
    """What kubeadm is told beyond kind's defaults."""
    # kubelet 1.35 and newer refuse hosts with cgroup v1 unless told not to
    kubelet: dict[str, Any] = {"kind": "KubeletConfiguration", "failCgroupV1": False}
    if not shape.own_image:
        return [kubelet]
    kubelet |= {"cgroupDriver": "cgroupfs", "resolvConf": "/kind/pod-resolv.conf"}
    return [kubelet, {"kind": "InitConfiguration", "skipPhases": list(SKIPPED_PHASES)}]
