"""Features of a node's kubelet without which a pod does not work.

Source: InferForScheduling in k8s.io/component-helpers/nodedeclaredfeatures/features: two of them matter to new pods.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

_RESTART_ALL: Final = "RestartAllContainersOnContainerExits"
_NONE: Final[frozenset[str]] = frozenset()
_USERS_ON_HOST_NETWORK: Final = "UserNamespacesHostNetworkSupport"


def needed(spec: Mapping[str, Any]) -> frozenset[str]:
    """Return the features that a pod's spec asks for."""
    return frozenset(_needed(spec)) or _NONE


def _needed(spec: Mapping[str, Any]) -> Iterator[str]:
    if spec.get("hostNetwork") and spec.get("hostUsers") is False:
        yield _USERS_ON_HOST_NETWORK
    for container in (*(spec.get("containers") or ()), *(spec.get("initContainers") or ())):
        for rule in container.get("restartPolicyRules") or ():
            if rule.get("action") == "RestartAllContainers":
                yield _RESTART_ALL
