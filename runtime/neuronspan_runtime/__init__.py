"""The in-pod runtime: which NeuronCores this process owns, and where its models are.

The torch device and the placement API are used through `torch_neuronx` or `torch_neuron`, as on real hardware; what is
added here is observation and a way to start anew.

Law: imports nothing by itself: the tools work without torch.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from neuronspan_runtime.device.session import close
    from neuronspan_runtime.models.replicas import ReplicaSpan, owned_cores, placement

__all__ = ["ReplicaSpan", "close", "owned_cores", "placement"]

_HOMES = {
    "ReplicaSpan": "neuronspan_runtime.models.replicas",
    "close": "neuronspan_runtime.device.session",
    "owned_cores": "neuronspan_runtime.models.replicas",
    "placement": "neuronspan_runtime.models.replicas",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: torch takes seconds, and the tools of this package do not need it."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
