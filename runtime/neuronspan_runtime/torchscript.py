"""The only module that touches torch.jit, which torch deprecates: its warnings are ours to hear, not the user's.

Tracing is not safe in two threads at once: every use here holds one lock.
"""

import contextlib
import io
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence

import torch

_trace: Callable[..., torch.jit.ScriptModule] = torch.jit.trace
_tracing = threading.RLock()


def compiled(module: torch.nn.Module, example_inputs: Sequence[torch.Tensor]) -> bytes:
    """Record what the module computes for these inputs and return it as a TorchScript archive, without the inputs.

    Weights stay parameters, so that they can be counted, and replaced later.
    """
    archive = io.BytesIO()
    with _quietly():
        traced = _trace(module, tuple(example_inputs), check_trace=False, strict=False, _store_inputs=False)
        torch.jit.save(traced.eval(), archive)
    return archive.getvalue()


def module_of(attributes: Mapping[str, object], source: str) -> torch.jit.ScriptModule:
    """Make a module that holds these attributes and whose methods have this TorchScript source."""
    # a class of its own: modules of one Python class and equal attributes share their methods
    holder = type("NeuronModule", (torch.nn.Module,), {})()
    for name, value in attributes.items():
        setattr(holder, name, value)
    with _quietly():
        module: torch.jit.ScriptModule = torch.jit.script(holder)
        # what module.define(source) does, without keeping the caller's local variables, and so the module, in a cycle
        module._c._define(module._concrete_type, source, {"torch": torch}.get)  # noqa: SLF001
        return module.eval()


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    with _tracing, warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield
