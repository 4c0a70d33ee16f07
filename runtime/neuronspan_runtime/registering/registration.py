"""Everything that an import of `torch_neuron` or `torch_neuronx` changes in torch.

Law: the only caller of the registrations; in any order and number they end in the same state.
"""

from typing import Any

import torch
from torch import distributed

from neuronspan_runtime.device import backend
from neuronspan_runtime.registering import aws_names


def register(**own: object) -> None:
    """Make the device, the names of `torch.neuron` and the process group known; `own` names go before AWS's others.

    Raises LibraryUnavailable or NeuronRuntimeError as backend.register does, and then changes nothing.
    """
    backend.register()
    _let_models_be_timed()
    aws_names.add(**own)
    if distributed.is_available() and distributed.is_gloo_available():
        from neuronspan_runtime.registering import process_group  # noqa: PLC0415 - some builds of torch have no groups

        process_group.register()


_kept: list[torch.library.Library] = []  # what it registers goes with it


def _let_models_be_timed() -> None:
    """Let C++ ask how long a model is to last; it does so with NEURONSPAN_TIME=device only."""
    if not _kept:
        library = torch.library.Library("neuron", "FRAGMENT")  # type: ignore[no-untyped-call]
        library.impl("durations", _durations, "CompositeExplicitAutograd")  # type: ignore[no-untyped-call]
        _kept.append(library)


def _durations(held: Any) -> list[int]:
    from neuronspan_runtime.timing import pricing  # noqa: PLC0415 - imported by those whose models last

    return pricing.durations(held)
