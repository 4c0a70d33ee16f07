"""NeuronCore Pipeline: a recorded model is cut into balanced stages when it is traced, and travels as their archives.

The recorded graph itself is cut, between two of its operations: nothing is decomposed or reordered, and the stages are
run against the whole before they are accepted.

Law: the places of the cuts come from `stage_balance`, the cuts and their check from the C++ library.
"""

import ctypes
from collections.abc import Sequence

import torch

from neuronspan_runtime import errors
from neuronspan_runtime.compiling import compiler_arguments, stage_balance


def cut(archive: bytes, example_inputs: Sequence[torch.Tensor], stages: int) -> list[bytes]:
    """Cut a TorchScript archive into archives of stages that take about equally long on the example inputs.

    Raises PipelineRefused for a model with fewer operations than stages, and for one that cannot be taken apart.
    """
    whole = torch.frombuffer(bytearray(archive), dtype=torch.uint8)
    inputs = list(example_inputs)
    try:
        with torch.no_grad(), torch.autocast("cpu", enabled=False):
            profile = stage_balance.OperationProfile(*map(tuple, torch.ops.neuron.measure(whole, inputs)))
            boundaries = stage_balance.boundaries(profile, stages)
            pieces = torch.ops.neuron.cut(whole, inputs, list(boundaries))
    except (RuntimeError, ValueError) as error:
        option = compiler_arguments.PIPELINE_OPTION
        raise errors.PipelineRefused(
            f"requested number of {option.removeprefix('--')} ({stages}) may not be suitable for this network: "
            f"{error}. Ask for fewer with {option}, or leave the option away"
        ) from error
    return [ctypes.string_at(piece.data_ptr(), piece.numel()) for piece in pieces]
