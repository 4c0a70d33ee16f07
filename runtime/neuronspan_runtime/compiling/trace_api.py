"""AWS's two signatures of `trace`: what they accept, what they warn of, what they refuse.

Most of their options steer a compiler that does not exist here; they are accepted and change nothing. What they say
of casts counts when the environment asks for the numbers of the device.

Law: reads arguments and warns; what is compiled, and how, is decided below.
"""

import contextlib
import enum
import os
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import torch

from neuronspan_runtime import environment, errors
from neuronspan_runtime.compiling import compiler_arguments, tracing
from neuronspan_runtime.compiling.numerics import casts
from neuronspan_runtime.compiling.partitions import configuration as partitioner_configs
from neuronspan_runtime.compiling.partitions import inferentia, partitioning
from neuronspan_runtime.compiling.telling import artifacts, coverage
from neuronspan_runtime.models import dynamic_batching

_ONCE_POSITIONAL = ("states", "input_output_aliases", "compiler_workdir", "compiler_args", "options")
"""What torch_neuronx.trace once took by position after the example inputs, in this order."""

_DEPRECATED = frozenset({"states", "options"})
"""Arguments of torch_neuronx.trace that do nothing any more, and say so."""

_TORCH_NEURON_OPTIONS = frozenset({
    "compiler_timeout", "optimizations", "skip_compiler", "verbose",
    # of torch.jit.trace
    "optimize", "check_trace", "check_inputs", "check_tolerance", "strict",
})  # fmt: skip


class Optimization(enum.Enum):
    """`torch_neuron.Optimization`: passes that torch_neuron.trace is asked for. They change nothing here."""

    FLOAT32_TO_FLOAT16 = "float32-to-float16"


def trace_for_inferentia(
    model: Callable[..., Any],
    example_inputs: Any,
    *,
    compiler_args: str | Sequence[str] | None = None,
    compiler_workdir: str | os.PathLike[str] | None = None,
    fallback: bool = True,
    subgraph_builder_function: Callable[[inferentia.GraphNode], bool] | None = None,
    minimum_segment_size: int | None = None,
    single_fusion_ratio_threshold: float | None = None,
    op_whitelist: Collection[str] | None = None,
    dynamic_batch_size: bool = False,
    separate_weights: bool = False,
    **options: Any,
) -> torch.jit.ScriptModule:
    """Compile a model for Inf1: `torch_neuron.trace`.

    `--neuroncore-pipeline-cores N` in `compiler_args` makes it a pipelined model, which needs N consecutive cores. One
    that cannot be cut is a warning and runs on the CPU, or raises PipelineRefused without `fallback`.
    Operators that are not supported stay on the CPU, and so do those that `subgraph_builder_function` or
    `op_whitelist` leave out, parts below `minimum_segment_size` operations (2), and all parts but one that has more
    than `single_fusion_ratio_threshold` (0.6) of them; without `fallback` the first kind raises AttributeError.
    A tuple or a list of example inputs is as many arguments.
    What stays on the CPU is told on the terminal, by the logger `Neuron`. `compiler_workdir` is made, and the compiled
    parts are left there. `dynamic_batch_size` lets it take any number of rows; `separate_weights` keeps weights
    outside, for replace_weights.
    Further options are accepted for compatibility; unknown ones warn. Raises TraceRefused, as tracing.trace does.
    """
    _warn_of_unknown("torch_neuron.trace", options, _TORCH_NEURON_OPTIONS)
    arguments = compiler_arguments.words(compiler_args)
    chosen_casts = _casts(arguments, casts.of_neuron_cc)
    problems: list[errors.PipelineRefused] = []

    def compiled(function: Callable[..., Any], inputs: Any) -> torch.jit.ScriptModule:
        try:
            return tracing.trace(
                function,
                inputs,
                cores_per_model=compiler_arguments.pipeline_cores(arguments),
                separate_weights=separate_weights,
                metadata={"framework": "torch_neuron", "compilerArguments": list(arguments)},
                chosen_casts=chosen_casts,
            )
        except errors.PipelineRefused as problem:
            if not fallback:
                raise
            problems.append(problem)
            return tracing.trace_for_host(function, inputs)

    chosen = inferentia.Options(
        fallback=fallback,
        builder=subgraph_builder_function,
        minimum_segment_size=minimum_segment_size,
        single_fusion_ratio_threshold=single_fusion_ratio_threshold,
        whitelist=op_whitelist,
    )
    # torch.jit.trace, which AWS's package calls, takes a list for as many arguments; torch_neuronx does not
    inputs = tuple(example_inputs) if isinstance(example_inputs, list) else example_inputs
    choose = coverage.told(lambda whole: chosen.choose(model, whole))
    with _explained("torch_neuron.trace", example_inputs, spread=True):
        parted = partitioning.partitioned(model, inputs, choose, compiled)
    traced = artifacts.left_for_inferentia(parted, compiler_workdir)
    for problem in problems:
        warnings.warn(f"{problem}. That part of the model runs on the CPU", UserWarning, stacklevel=2)
    return dynamic_batching.dynamic_batch(traced) if dynamic_batch_size else traced


def trace_for_trainium(  # the signature is that of the package it stands in for
    func: Callable[..., Any],
    example_inputs: Any,
    *positional: Any,
    input_output_aliases: Mapping[torch.Tensor, int] | None = None,
    compiler_workdir: str | os.PathLike[str] | None = None,
    compiler_args: str | Sequence[str] | None = None,
    partitioner_config: partitioner_configs.PartitionerConfig | None = None,
    inline_weights_to_neff: bool = True,
    cpu_backend: bool = False,  # noqa: ARG001 - compiling never needs a device here
    **options: Any,
) -> torch.jit.ScriptModule:
    """Compile a model for Inf2 and Trn: `torch_neuronx.trace`. One replica needs one core.

    A tuple of example inputs is as many arguments, anything else, also a list, the only one.
    `input_output_aliases` maps parameters or buffers of the model to the position of the output that is their next
    value: they become the trace's `states`, stay where they are between calls, and such outputs are not returned. A
    container that is left with one tensor is that tensor. `inline_weights_to_neff=False` keeps the weights outside the
    compiled code, as the trace's `weights`, for replace_weights. `partitioner_config` leaves operators on the CPU.
    `compiler_workdir` is made, and the compiled parts are left there. Options without an effect are accepted, unknown
    ones warn. Further positional arguments warn too, and are taken for what older versions took in their place. Raises
    TraceRefused for more of them than there ever were, for a state that is not the model's or changes its shape or
    type, for states of a partitioned model, for options of the Inf1 compiler, and as tracing.trace does.
    """
    once = _taken_by_position(positional)
    input_output_aliases = once.get("input_output_aliases") or input_output_aliases
    compiler_args = once.get("compiler_args") or compiler_args
    compiler_workdir = once.get("compiler_workdir") or compiler_workdir
    _warn_of_unknown("torch_neuronx.trace", options, _DEPRECATED)
    for name in sorted(_DEPRECATED):
        if options.get(name, once.get(name)) is not None:
            warnings.warn(f"Argument `{name}` is deprecated", DeprecationWarning, stacklevel=2)
    if partitioner_config is not None:
        if input_output_aliases:
            raise errors.TraceRefused("input_output_aliases cannot be combined with partitioner_config")
        inherited: dict[str, Any] = {
            "compiler_args": compiler_args,
            "inline_weights_to_neff": inline_weights_to_neff,
        }
        for_parts = inherited | dict(partitioner_config.trace_kwargs or {})
        parted = partitioning.partitioned(
            func, example_inputs, partitioner_config.choose, lambda part, x: trace_for_trainium(part, x, **for_parts)
        )
        return artifacts.left_for_trainium(parted, compiler_workdir)
    arguments = compiler_arguments.words(compiler_args)
    if compiler_arguments.pipeline_cores(arguments) > 1:
        raise errors.TraceRefused(
            f"neuronx-cc failed with 2: {compiler_arguments.PIPELINE_OPTION} belongs to Inf1, use torch_neuron.trace"
        )
    with _explained("torch_neuronx.trace", example_inputs, spread=False):
        traced = tracing.trace(
            func,
            example_inputs,
            separate_weights=not inline_weights_to_neff,
            aliases=input_output_aliases,
            metadata={
                "framework": "torch_neuronx",
                "compilerArguments": list(arguments),
                "inlineWeights": inline_weights_to_neff,
            },
            chosen_casts=_casts(arguments, casts.of_neuronx_cc),
        )
    return artifacts.left_for_trainium(traced, compiler_workdir)


def _casts(arguments: Sequence[str], reader: casts.Reader) -> casts.Casts | None:
    """Return the casts that the compiler's arguments ask for, none for the numbers of the CPU."""
    return reader(arguments) if environment.numerics() == environment.DEVICE_NUMERICS else None


@contextlib.contextmanager
def _explained(function: str, example_inputs: Any, *, spread: bool) -> Iterator[None]:
    """Add to an error what a list of example inputs was taken for: the two packages differ in it."""
    try:
        yield
    except Exception as error:
        if isinstance(example_inputs, list):
            count = len(example_inputs)
            error.add_note(
                f"{function} took the list for {count} arguments: a tuple with the list in it is one argument"
                if spread
                else f"{function} took the list of {count} for one argument: a tuple of its items is as many arguments"
            )
        raise


def _taken_by_position(positional: Sequence[Any]) -> dict[str, Any]:
    """Name what was given by position; AWS's text for too many. Called by the function that the user called."""
    if not positional:
        return {}
    received = f"Received {2 + len(positional)} positional arguments but expected 2"
    if len(positional) > len(_ONCE_POSITIONAL):
        raise errors.TraceRefused(received)
    warnings.warn(f"{received}: name those after example_inputs", DeprecationWarning, stacklevel=3)
    return dict(zip(_ONCE_POSITIONAL, positional, strict=False))


def _warn_of_unknown(function: str, options: Mapping[str, Any], known: frozenset[str]) -> None:
    unknown = sorted(options.keys() - known)
    if unknown:
        warnings.warn(f"Unexpected keyword arguments: {unknown}. {function} ignores them", UserWarning, stacklevel=3)
