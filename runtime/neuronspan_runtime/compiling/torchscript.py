"""Recording, scripting and archiving with torch.jit, which torch deprecates: the user is spared its warnings.

Tracing is not safe in two threads at once: every use here holds one lock.

Law: no other module calls torch.jit.
"""

import contextlib
import io
import threading
import types
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, cast

import torch

_trace: Callable[..., torch.jit.ScriptModule] = torch.jit.trace
_tracing = threading.RLock()


def recorded(module: torch.nn.Module, example_inputs: Sequence[torch.Tensor]) -> torch.jit.ScriptModule:
    """Record what the module computes for these inputs, without keeping or changing them.

    Weights stay parameters, so that they can be counted, and replaced later.
    """
    examples = tuple(one.detach().clone().requires_grad_(one.requires_grad) for one in example_inputs)
    with _quietly():
        _type_frozen(module)
        traced = _trace(module, examples, check_trace=False, strict=False, _store_inputs=False)
        _name_in_ascii(traced)
        return traced.eval()


def _type_frozen(module: torch.nn.Module) -> None:
    """Note the type of frozen modules, without which torch 2.6 takes them for another class inside of a module."""
    for part in module.modules():
        if isinstance(part, torch.jit.ScriptModule) and not hasattr(part, "_concrete_type"):
            held: Any = part
            held.__dict__["_concrete_type"] = torch._C.ConcreteModuleType.from_jit_type(held._c._type())  # noqa: SLF001


def _name_in_ascii(module: torch.jit.ScriptModule) -> None:
    """Rename values that have the name of a Python variable with letters that TorchScript files cannot have."""
    for part in module.modules():
        held: Any = part._c  # noqa: SLF001 - torch has no public way to change a graph
        for graph in (held._get_method(name).graph for name in held._method_names()):  # noqa: SLF001 - as above
            for value in (*graph.inputs(), *(one for node in graph.nodes() for one in node.outputs())):
                if not value.debugName().isascii():
                    value.setDebugName("value")


def archived(module: torch.jit.ScriptModule) -> bytes:
    """Return a module as the bytes of its TorchScript file."""
    archive = io.BytesIO()
    with _quietly():
        torch.jit.save(module, archive)
    return archive.getvalue()


def lowered(module: torch.jit.ScriptModule) -> tuple[Any, list[torch.Tensor]]:
    """Return a copy of a recorded module's graph and its weights, which are the graph's last inputs.

    Calls are inlined, tuples taken apart, and changes in place replaced where that is safe. Raises RuntimeError for a
    module that holds more than tensors, numbers and texts.
    """
    with _tracing:
        graph: Any = module.inlined_graph.copy()
        _fold_attributes(graph, module)
        torch._C._jit_pass_remove_mutation(graph)  # noqa: SLF001 - torch has no public passes
        graph, weights = torch._C._jit_pass_lower_graph(graph, module._c)  # noqa: SLF001
        tensors: list[torch.Tensor] = list(cast("Iterable[torch.Tensor]", weights))
        torch._C._jit_pass_lower_all_tuples(graph)  # noqa: SLF001
        torch._C._jit_pass_dce(graph)  # noqa: SLF001
    return graph, tensors


def _fold_attributes(graph: Any, module: torch.jit.ScriptModule) -> None:
    """Make constants of attributes that are no tensors (scripted modules read `training`): torch lowers no others."""

    def held(value: Any) -> object:
        node = value.node()
        return module if node.kind() == "prim::Param" else getattr(held(node.input()), node.s("name"))

    for node in graph.findAllNodes("prim::GetAttr", True):  # noqa: FBT003 - also in branches
        content = held(node.output())
        if content is None or isinstance(content, (bool, int, float, str)):
            with graph.insert_point_guard(node):
                node.output().replaceAllUsesWith(graph.insertConstant(content))
            node.destroy()


def graph_of(source: str, name: str) -> Any:
    """Return the graph of one of the functions of a TorchScript source, with its calls inlined."""
    with _quietly():
        unit: Any = torch.jit.CompilationUnit(source)  # its functions do not keep it alive
        graph: Any = unit.find_function(name).graph.copy()
        torch._C._jit_pass_inline(graph)  # noqa: SLF001 - torch has no public passes
    return graph


def is_function(value: object) -> bool:
    """Return whether a value is what torch.jit.script makes of a function."""
    return isinstance(value, torch.jit.ScriptFunction)


def module_of_graph(
    graph: Any, outputs: Sequence[Any], weights: Sequence[torch.Tensor | None]
) -> torch.jit.ScriptModule:
    """Make a module that runs a graph and returns these of its values as one tuple.

    `weights` has an entry for each input of the graph: what the module holds, or None for an argument of `forward`.
    """
    packed = graph.create("prim::TupleConstruct", list(outputs), 1)
    packed.output().setType(torch._C.TupleType([torch._C.TensorType.get()] * len(outputs)))  # noqa: SLF001
    graph.appendNode(packed)
    graph.registerOutput(packed.output())
    held = {f"weight_{index}": weight for index, weight in enumerate(weights) if weight is not None}
    arguments = [f"x{index}" for index, weight in enumerate(weights) if weight is None]
    passed = [f"x{index}" if weight is None else f"self.weight_{index}" for index, weight in enumerate(weights)]
    source = (
        f"def forward(self{''.join(f', {name}: Tensor' for name in arguments)}):\n    return run({', '.join(passed)})\n"
    )
    parameters = {name: torch.nn.Parameter(held[name].detach(), requires_grad=False) for name in held}
    with _tracing:
        torch._C._jit_pass_erase_shape_information(graph)  # noqa: SLF001
        function = torch._C._create_function_from_graph("run", graph)  # noqa: SLF001
        module = module_of(parameters, source, {"run": function})
        torch._C._jit_pass_inline(module._c._get_method("forward").graph)  # noqa: SLF001
    return module


def module_of(
    attributes: Mapping[str, object], source: str, functions: Mapping[str, object] = types.MappingProxyType({})
) -> torch.jit.ScriptModule:
    """Make a module that holds these attributes and whose methods have this TorchScript source.

    `functions` are compiled functions that the source may call.
    """
    # a class of its own: modules of one Python class and equal attributes share their methods
    holder = type("NeuronModule", (torch.nn.Module,), {})()
    for name, value in attributes.items():
        setattr(holder, name, value)
    with _quietly():
        module: torch.jit.ScriptModule = torch.jit.script(holder)
        # what module.define(source) does, without keeping the caller's local variables, and so the module, in a cycle
        module._c._define(module._concrete_type, source, {"torch": torch, **functions}.get)  # noqa: SLF001
        return module.eval()


def without_inputs(module: torch.jit.ScriptModule, inputs: int, dropped: Collection[int]) -> torch.jit.ScriptModule:
    """Return a recorded module without the dropped ones of its inputs, none of which it uses."""
    arguments = "".join(f", x{index}: Tensor" for index in range(inputs) if index not in dropped)
    passed = ", ".join("torch.zeros([0])" if index in dropped else f"x{index}" for index in range(inputs))
    joined = module_of({"whole": module}, f"def forward(self{arguments}):\n    return self.whole({passed})\n")
    with _tracing:
        graph: Any = joined._c._get_method("forward").graph  # noqa: SLF001 - torch has no public passes
        torch._C._jit_pass_inline(graph)  # noqa: SLF001
        torch._C._jit_pass_dce(graph)  # noqa: SLF001
    return joined


def restored(archive: io.BytesIO | str) -> torch.jit.ScriptModule:
    """Read a module from its TorchScript file, or from the bytes of one, onto the CPU."""
    load: Callable[..., torch.jit.ScriptModule] = torch.jit.load
    with _quietly():
        read = load(archive, map_location="cpu")
    return read.eval()


def tensors_of(module: torch.jit.ScriptModule) -> list[torch.Tensor]:
    """Return what a module without calls of compiled models holds: parameters, buffers and constants of its graph."""
    graph: Any = module.inlined_graph
    constants = graph.findAllNodes("prim::Constant", True)  # noqa: FBT003 - also in branches
    tensors = [node.t("value") for node in constants if node.hasAttribute("value") and node.kindOf("value") == "t"]
    return [*module.parameters(), *module.buffers(), *tensors]


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Let no other thread trace meanwhile."""
    with _tracing:
        yield


@contextlib.contextmanager
def unoptimized() -> Iterator[None]:
    """Let recorded modules run operator by operator, as they were recorded."""
    untyped: Any = torch.jit
    with untyped.optimized_execution(should_optimize=False):
        yield


@contextlib.contextmanager
def unrecorded() -> Iterator[None]:
    """Leave what is done inside out of the trace, where sizes are plain numbers."""
    state = torch._C._get_tracing_state()  # noqa: SLF001 - torch's own tracing wrappers use it
    torch._C._set_tracing_state(None)  # type: ignore[attr-defined]  # noqa: SLF001 - as above
    try:
        yield
    finally:
        torch._C._set_tracing_state(state)  # type: ignore[attr-defined]  # noqa: SLF001 - as above


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    with _tracing, warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield
