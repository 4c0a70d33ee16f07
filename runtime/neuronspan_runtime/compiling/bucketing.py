"""Autobucketing: one model for several input shapes. Each shape is compiled for itself; a kernel chooses at each call.

Names, arguments and meaning are documented by AWS in the API reference of torch_neuronx.trace and the autobucketing
developer guide. The kernel and the preprocessor are TorchScript functions, so the saved file needs no Python.

Law: chooses nothing itself; the kernel of the user does, in the saved file as well.
"""

import dataclasses
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from neuronspan_runtime import errors
from neuronspan_runtime.compiling import separation, torchscript, trace_api

Kernel = Callable[[list[torch.Tensor]], tuple[list[torch.Tensor], torch.Tensor]]
"""From the caller's tensors to the tensors of a bucket and its index."""

Preprocessor = Callable[[list[list[list[int]]], list[torch.Tensor], torch.Tensor], list[torch.Tensor]]
"""From the states' shapes in each bucket, the whole states and the bucket's index to the states of that bucket."""


class BucketModelConfig:
    """How a bucket is chosen: `torch_neuronx.BucketModelConfig`.

    Further positional arguments are ignored, as documented, and so is a preprocessor without a buffer.
    """

    def __init__(
        self,
        bucket_kernel: Callable[..., Kernel],
        *_: Any,
        shared_state_buffer: Sequence[torch.Tensor] | None = None,
        shared_state_buffer_preprocessor: Callable[..., Preprocessor] | None = None,
        func_kwargs: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
    ) -> None:
        self.bucket_kernel = bucket_kernel
        """Returns the kernel; called once, without arguments."""
        self.shared_state_buffer = None if shared_state_buffer is None else tuple(shared_state_buffer)
        """First values of the states that all buckets share, in the shapes of the largest bucket."""
        self.shared_state_buffer_preprocessor = shared_state_buffer_preprocessor
        """Returns the preprocessor; without one every bucket gets the whole states."""
        self.func_kwargs = func_kwargs
        """Arguments of the function that makes the models: the same for all buckets, or one mapping for each."""

    def arguments_of(self, buckets: int) -> list[dict[str, Any]]:
        """Return the function's arguments for each bucket. Raises ValueError for another number of them."""
        if self.func_kwargs is None or isinstance(self.func_kwargs, Mapping):
            return [dict(self.func_kwargs or {}) for _ in range(buckets)]
        if len(self.func_kwargs) != buckets:
            raise ValueError(f"func_kwargs has {len(self.func_kwargs)} entries for {buckets} buckets")
        return [dict(arguments) for arguments in self.func_kwargs]


@dataclasses.dataclass(frozen=True)
class _Bucket:
    """One compiled shape."""

    module: torch.jit.ScriptModule
    state_shapes: tuple[tuple[int, ...], ...]
    """Shapes of the shared states that it takes after its inputs, and returns after its outputs."""


def bucket_model_trace(
    func: Callable[..., tuple[Callable[..., Any], Mapping[torch.Tensor, int]]],
    example_inputs: Sequence[Any],
    bucket_config: BucketModelConfig,
    compiler_workdir: str | None = None,
    compiler_args: str | Sequence[str] | None = None,
) -> torch.jit.ScriptModule:
    """Compile a model for each of the example inputs and return one module that chooses among them.

    `func` returns the model and its input_output_aliases; it is called for each bucket. The result takes as many
    tensors as an example has. Each bucket has its own copy of the weights and is a Neuron model of its own:
    set_neuron_cores puts all of them on the same cores. States are shared between buckets when the config has a buffer
    for them, and are kept on the host.
    Raises TraceRefused for buckets that differ in more than shapes, and as torch_neuronx.trace does.
    """
    examples = [_tensors(example, index) for index, example in enumerate(example_inputs)]
    if len({len(tensors) for tensors in examples}) != 1:
        raise errors.TraceRefused(
            f"buckets need the same number of inputs, got {[len(tensors) for tensors in examples]}: "
            "example_inputs is a list with the inputs of each bucket"
        )
    buckets = [
        _traced(*func(**arguments), tensors, bucket_config.shared_state_buffer, options)
        for tensors, arguments, options in zip(
            examples,
            bucket_config.arguments_of(len(examples)),
            _options(compiler_workdir, compiler_args, len(examples)),
            strict=True,
        )
    ]
    return _joined(buckets, len(examples[0]), bucket_config)


def _options(directory: str | None, arguments: str | Sequence[str] | None, buckets: int) -> list[Mapping[str, Any]]:
    """Return the options of each bucket's trace: a working directory has a folder for each."""
    folders = [None if directory is None else str(pathlib.Path(directory, f"bk{index}")) for index in range(buckets)]
    return [{"compiler_workdir": folder, "compiler_args": arguments} for folder in folders]


def _tensors(example: Any, index: int) -> tuple[torch.Tensor, ...]:
    tensors = tuple(example) if isinstance(example, (tuple, list)) else (example,)
    if not tensors or not all(isinstance(tensor, torch.Tensor) for tensor in tensors):
        raise errors.TraceRefused(f"the inputs of bucket {index} are not tensors: a bucket kernel takes a list of them")
    return tensors


def _traced(
    model: Callable[..., Any],
    aliases: Mapping[torch.Tensor, int],
    inputs: tuple[torch.Tensor, ...],
    buffer: Sequence[torch.Tensor] | None,
    options: Mapping[str, Any],
) -> _Bucket:
    if not aliases or buffer is None:
        traced = trace_api.trace_for_trainium(model, inputs, input_output_aliases=dict(aliases), **options)
        return _Bucket(traced, ())
    given = separation.with_states_outside(model, aliases, len(inputs))
    states = tuple(state.detach().cpu() for state in aliases)
    if len(states) != len(buffer):
        raise errors.TraceRefused(f"a bucket has {len(states)} states, shared_state_buffer has {len(buffer)}")
    traced = trace_api.trace_for_trainium(given, (*inputs, *states), **options)
    return _Bucket(traced, tuple(tuple(state.shape) for state in states))


def _joined(buckets: Sequence[_Bucket], inputs: int, config: BucketModelConfig) -> torch.jit.ScriptModule:
    functions = {"kernel": _script_function(config.bucket_kernel, "bucket_kernel"), "ValueError": ValueError}
    attributes: dict[str, object] = {f"bucket_{index}": bucket.module for index, bucket in enumerate(buckets)}
    if config.shared_state_buffer is not None:
        attributes |= {
            f"state_{index}": torch.nn.Parameter(state.detach().cpu().clone(), requires_grad=False)
            for index, state in enumerate(config.shared_state_buffer)
        }
        if (make := config.shared_state_buffer_preprocessor) is not None:
            functions["preprocessor"] = _script_function(make, "shared_state_buffer_preprocessor")
    source = _source(buckets, inputs, preprocessed="preprocessor" in functions)
    try:
        return torchscript.module_of(attributes, source, functions)
    except RuntimeError as error:
        raise errors.TraceRefused(f"the buckets do not go together: {error}") from error


def _script_function(make: Callable[..., Any], name: str) -> object:
    made = make()
    if not torchscript.is_function(made):
        raise errors.TraceRefused(
            f"{name} returned {type(made).__name__}: it must return what torch.jit.script makes of a function"
        )
    return made


def _source(buckets: Sequence[_Bucket], inputs: int, *, preprocessed: bool) -> str:
    """Write the TorchScript that asks the kernel and calls the bucket."""
    shapes = [[list(shape) for shape in bucket.state_shapes] for bucket in buckets]
    states = len(buckets[0].state_shapes)
    names = [f"input{index}" for index in range(inputs)]
    lines = [
        f"def forward(self{''.join(f', {name}: Tensor' for name in names)}):",
        f"    tensors, index = kernel([{', '.join(names)}])",
        "    bucket = int(index)",
    ]
    if states:
        whole = f"[{', '.join(f'self.state_{index}' for index in range(states))}]"
        lines.append(
            f"    states = preprocessor({shapes}, {whole}, index)" if preprocessed else f"    states = {whole}"
        )
    for number in range(len(buckets)):
        passed = [f"tensors[{index}]" for index in range(inputs)] + [f"states[{index}]" for index in range(states)]
        lines.append(f"    {'if' if number == 0 else 'elif'} bucket == {number}:")
        lines.append(f"        result = self.bucket_{number}({', '.join(passed)})")
    lines += ["    else:", f'        raise ValueError("the bucket kernel chose " + str(bucket) + " of {len(buckets)}")']
    if not states:
        return "\n".join([*lines, "    return result"]) + "\n"
    lines += [f"    states[{index}].copy_(result[1][{index}])" for index in range(states)]
    return "\n".join([*lines, "    return result[0]"]) + "\n"
