"""What of a model can be compiled: `torch_neuronx.analyze`, `torch.neuron.analyze_model`, the list of operators.

Law: nothing is compiled and no NeuronCore is claimed.
"""

import collections
from collections.abc import Callable, Collection
from typing import Any

import torch

from neuronspan_runtime.compiling import tracing
from neuronspan_runtime.compiling.partitions import operator_support, program
from neuronspan_runtime.compiling.recording import recorder
from neuronspan_runtime.compiling.telling import coverage

PACKAGE_VERSION = f"{torch.__version__.partition('+')[0]}+simulated"
"""`__version__` of torch_neuron and torch_neuronx: AWS's packages begin theirs with torch's, too."""
COMPILER_VERSION = "0.0.0.0+simulated"
"""There is no compiler; the key is part of AWS's answer."""

get_supported_operations = operator_support.supported_operations


def analyze(
    func: Callable[..., Any],
    example_inputs: Any,
    compiler_workdir: str | None = None,  # noqa: ARG001 - there is no compiler that could leave files
    *,
    additional_ignored_ops: Collection[str] = frozenset(),
    max_workers: int = 4,  # noqa: ARG001 - nothing is compiled that workers could share
    is_hf_transformers: bool = False,  # noqa: ARG001 - as above
    cleanup: bool = False,  # noqa: ARG001 - as above
) -> dict[str, Any]:
    """Return which operators of a function are supported: `torch_neuronx.analyze`.

    The keys are AWS's: versions, the percentage, a count for each supported operator, and for each unsupported
    operation its kind, where it fails (`neuronx-cc` or `Lowering to HLO`), where it is called and its graph. Operators
    in `additional_ignored_ops` are left out. Raises TraceRefused as torch_neuronx.trace does.
    """
    whole = _program(func, example_inputs)
    looked_at = [
        (index, operation, operator_support.support_of(operation.kind))
        for index, operation in enumerate(whole.operations)
        if operation.kind not in additional_ignored_ops
    ]
    counts = collections.Counter(operation.kind for _, operation, support in looked_at if support.supported)
    share = counts.total() / len(looked_at) if looked_at else 1.0
    return {
        "torch_neuronx_version": PACKAGE_VERSION,
        "neuronx_cc_version": COMPILER_VERSION,
        "support_percentage": f"{share:.2%}",
        "supported_operators": dict(counts),
        "unsupported_operators": [
            {
                "kind": operation.kind,
                "failureAt": support.fails_at,
                "call": operation.place,
                "opGraph": str(whole.piece((index,), sorted(whole.results((index,)))).module.graph),
            }
            for index, operation, support in looked_at
            if not support.supported
        ],
    }


def analyze_model(model: Callable[..., Any], example_inputs: Any, **options: Any) -> dict[str, Any]:  # noqa: ARG001
    """Show on the terminal which operators of a model are supported, and return it: `torch.neuron.analyze_model`.

    Keys and words are AWS's: see `telling.coverage`. Options of torch.neuron.trace are accepted and change nothing.
    Raises TraceRefused as torch.neuron.trace does.
    """
    inputs = tuple(example_inputs) if isinstance(example_inputs, list) else example_inputs  # as torch.neuron.trace does
    found = coverage.analysis(_program(model, inputs).kinds)
    coverage.tell_analysis(found)
    return found


def _program(function: Callable[..., Any], example_inputs: Any) -> program.Program:
    flat, leaves = tracing.flattened(function, example_inputs)
    return program.Program(recorder.recorded(flat, leaves), tracing.WRAPPED)
