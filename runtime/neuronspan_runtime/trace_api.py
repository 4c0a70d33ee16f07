"""AWS's two signatures of `trace`: what they accept, what they warn of, what they refuse.

Most of their options steer a compiler that does not exist here; they are accepted and change nothing.
"""

import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import torch

from neuronspan_runtime import (
    compiler_arguments,
    dynamic_batching,
    errors,
    inferentia_partitioning,
    partitioning,
    tracing,
)
from neuronspan_runtime import (
    partitioner_config as partitioner_configs,
)

MOST_IGNORED_POSITIONAL = 5
"""torch_neuronx.trace once took that many more positional arguments."""

_TORCH_NEURON_OPTIONS = frozenset({
    "compiler_timeout", "compiler_workdir", "optimizations", "skip_compiler", "verbose",
    # of torch.jit.trace
    "optimize", "check_trace", "check_inputs", "check_tolerance", "strict",
})  # fmt: skip


def trace_for_inferentia(
    model: Callable[..., Any],
    example_inputs: Any,
    *,
    compiler_args: str | Sequence[str] | None = None,
    fallback: bool = True,
    subgraph_builder_function: Callable[[inferentia_partitioning.GraphNode], bool] | None = None,
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
    `dynamic_batch_size` lets it take any number of rows; `separate_weights` keeps weights outside, for replace_weights.
    Further options are accepted for compatibility; unknown ones warn. Raises TraceRefused, as tracing.trace does.
    """
    _warn_of_unknown("torch_neuron.trace", options, _TORCH_NEURON_OPTIONS)
    arguments = compiler_arguments.words(compiler_args)
    problems: list[errors.PipelineRefused] = []

    def compiled(function: Callable[..., Any], inputs: Any) -> torch.jit.ScriptModule:
        try:
            return tracing.trace(
                function,
                inputs,
                cores_per_model=compiler_arguments.pipeline_cores(arguments),
                separate_weights=separate_weights,
                metadata={"framework": "torch_neuron", "compilerArguments": list(arguments)},
            )
        except errors.PipelineRefused as problem:
            if not fallback:
                raise
            problems.append(problem)
            return tracing.trace_for_host(function, inputs)

    chosen = inferentia_partitioning.Options(
        fallback=fallback,
        builder=subgraph_builder_function,
        minimum_segment_size=minimum_segment_size,
        single_fusion_ratio_threshold=single_fusion_ratio_threshold,
        whitelist=op_whitelist,
    )
    traced = partitioning.partitioned(model, example_inputs, lambda whole: chosen.choose(model, whole), compiled)
    for problem in problems:
        warnings.warn(f"{problem}. That part of the model runs on the CPU", UserWarning, stacklevel=2)
    return dynamic_batching.dynamic_batch(traced) if dynamic_batch_size else traced


def trace_for_trainium(  # the signature is that of the package it stands in for
    func: Callable[..., Any],
    example_inputs: Any,
    *ignored: Any,
    input_output_aliases: Mapping[torch.Tensor, int] | None = None,
    compiler_workdir: str | None = None,  # noqa: ARG001 - there is no compiler that could leave files
    compiler_args: str | Sequence[str] | None = None,
    partitioner_config: partitioner_configs.PartitionerConfig | None = None,
    inline_weights_to_neff: bool = True,
    cpu_backend: bool = False,  # noqa: ARG001 - compiling never needs a device here
    **options: Any,
) -> torch.jit.ScriptModule:
    """Compile a model for Inf2 and Trn: `torch_neuronx.trace`. One replica needs one core.

    `input_output_aliases` maps parameters or buffers of the model to the position of the output that is their next
    value: they become the trace's `states`, stay where they are between calls, and such outputs are not returned. A
    container that is left with one tensor is that tensor. `inline_weights_to_neff=False` keeps the weights outside the
    compiled code, as the trace's `weights`, for replace_weights. `partitioner_config` leaves operators on the CPU.
    Options without an effect are accepted, unknown ones warn. Raises TraceRefused for a state that is not the model's
    or changes its shape or type, for states of a partitioned model, for options of the Inf1 compiler, and as
    tracing.trace does.
    """
    _warn_of_unknown("torch_neuronx.trace", options, frozenset())
    if len(ignored) > MOST_IGNORED_POSITIONAL:
        raise errors.TraceRefused(
            f"torch_neuronx.trace takes 2 positional arguments, got {2 + len(ignored)}: name the others"
        )
    if ignored:
        warnings.warn(
            f"torch_neuronx.trace ignores {len(ignored)} positional arguments: name them",
            DeprecationWarning,
            stacklevel=2,
        )
    if partitioner_config is not None:
        if input_output_aliases:
            raise errors.TraceRefused("input_output_aliases cannot be combined with partitioner_config")
        inherited = {"compiler_args": compiler_args, "inline_weights_to_neff": inline_weights_to_neff}
        for_parts = inherited | dict(partitioner_config.trace_kwargs or {})
        return partitioning.partitioned(
            func, example_inputs, partitioner_config.choose, lambda part, x: trace_for_trainium(part, x, **for_parts)
        )
    arguments = compiler_arguments.words(compiler_args)
    if compiler_arguments.pipeline_cores(arguments) > 1:
        raise errors.TraceRefused(
            f"neuronx-cc failed with 2: {compiler_arguments.PIPELINE_OPTION} belongs to Inf1, use torch_neuron.trace"
        )
    return tracing.trace(
        func,
        example_inputs,
        separate_weights=not inline_weights_to_neff,
        aliases=input_output_aliases,
        metadata={
            "framework": "torch_neuronx",
            "compilerArguments": list(arguments),
            "inlineWeights": inline_weights_to_neff,
        },
    )


def _warn_of_unknown(function: str, options: Mapping[str, Any], known: frozenset[str]) -> None:
    unknown = sorted(options.keys() - known)
    if unknown:
        warnings.warn(f"{function} does not know {', '.join(unknown)}: ignored", UserWarning, stacklevel=3)
