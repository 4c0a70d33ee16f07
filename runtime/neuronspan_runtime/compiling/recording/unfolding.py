"""A model as the plain operators that it runs, for what torch.jit cannot follow itself.

`torch.jit.trace` keeps an autograd function of Python as a call back into Python, which no file can hold; it loses its
way in torch.func and vmap, refuses what torch.compile made, and keeps names that its own files cannot. AWS's tracer
sees the operators only and takes all of these. `make_fx`, on which torch.export is built, sees them too.

Law: runs the model once on the values that it is given; what it returns computes the same on them.
"""

import contextlib
import getpass
import importlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch

from neuronspan_runtime.compiling.recording import effects, undeclared


def unfolded(module: torch.nn.Module, example_inputs: Sequence[torch.Tensor]) -> torch.nn.Module:
    """Return a module of plain operators that computes what the module does for inputs of these shapes."""
    with torch.no_grad(), _named_user():
        make_fx: Callable[..., Any] = importlib.import_module("torch.fx.experimental.proxy_tensor").make_fx
        found: torch.nn.Module = make_fx(module)(*(one.detach().clone() for one in example_inputs))
    return found


def runs(module: torch.nn.Module, example_inputs: Sequence[torch.Tensor]) -> bool:
    """Return whether the module takes these inputs when it is just called: then it is torch.jit that failed."""
    try:
        with torch.no_grad():
            module(*(one.detach().clone() for one in example_inputs))
    except Exception:  # noqa: BLE001 - the model's own, whatever it is
        return False
    return True


def hindrance(module: torch.jit.ScriptModule) -> str:
    """Say why the recorded module cannot be kept as it is; nothing when it can."""
    graph: Any = module.inlined_graph
    if graph.findAllNodes("prim::PythonOp", True):  # noqa: FBT003 - also in branches
        return "it calls back into Python"
    if operator := _unseen(graph):
        return f"it writes into memory that {operator} hands on without saying so"
    names = [name for name, _ in (*module.named_modules(), *module.named_parameters(), *module.named_buffers())]
    foreign = next((name for name in names if not name.isascii()), "")
    return f"its attribute {foreign} has letters beyond ASCII" if foreign else ""


def _unseen(graph: Any) -> str:
    """Return the operator that `effects.unseen` finds; a script with branches is not taken apart for its sake."""
    if any(node.kind() in {"prim::If", "prim::Loop"} for node in effects.nodes(graph)):
        return ""
    undeclared.declare(graph, effects.nodes(graph))
    return effects.unseen(graph)


@contextlib.contextmanager
def _named_user() -> Iterator[None]:
    """Give the user a name inside: torch 2.6 asks for it when it is first used so, and a container's may have none."""
    try:
        getpass.getuser()
    except (KeyError, OSError):  # the former before Python 3.13
        os.environ["USER"] = f"uid-{os.getuid()}"  # noqa: TID251 - for torch, which reads it
        try:
            yield
        finally:
            del os.environ["USER"]  # noqa: TID251 - as above
    else:
        yield


@contextlib.contextmanager
def without_compilers() -> Iterator[None]:
    """Let what torch.compile made run as it was written: neither recorder follows it otherwise."""
    if "torch._dynamo" not in sys.modules:  # then nothing was compiled, and asking would import it
        yield
        return
    dynamo: Any = importlib.import_module("torch._dynamo")
    with torch.compiler.set_stance("force_eager"), dynamo.config.patch(error_on_nested_fx_trace=False):
        yield
