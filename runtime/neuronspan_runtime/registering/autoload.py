"""The entry point that torch calls at the end of its own import (group `torch.backends`).

So `import torch` is enough for `torch.neuron` and for the device's name. Whoever does not want that sets torch's own
TORCH_DEVICE_BACKEND_AUTOLOAD=0, and imports `torch_neuron` or `torch_neuronx`.

Law: an import of torch never fails for our sake, and never enters a module of ours that is in the middle of its import.
"""

import logging
import sys
from collections.abc import Mapping
from types import ModuleType

PACKAGES = ("neuronspan_runtime", "torch_neuron", "torch_neuronx")

_log = logging.getLogger(__name__)


def load() -> None:
    """Register the device, unless it is a module of ours that imports torch: that one comes to it by itself.

    Without a library of the device, and without a way to build one, torch stays as it is and a warning says why.
    """
    if being_imported(sys.modules):
        return
    try:
        from neuronspan_runtime.registering import registration  # noqa: PLC0415 - it imports much, and torch

        registration.register()
    except Exception as error:  # noqa: BLE001 - torch would not be imported, in programs that never asked for a core
        _log.warning("torch has no device neuron: %s. TORCH_DEVICE_BACKEND_AUTOLOAD=0 ends this attempt", error)


def being_imported(modules: Mapping[str, ModuleType]) -> bool:
    """Return whether a module of ours is there in part only: Python binds it in its package once it is complete."""
    ours = (name.rpartition(".") for name in [*modules] if name.partition(".")[0] in PACKAGES)
    return any(not hasattr(modules.get(folder), own_name) for folder, _, own_name in ours if folder)
