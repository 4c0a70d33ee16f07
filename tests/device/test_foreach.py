"""torch's operators over lists of tensors, which optimizers use on accelerators: the CPU's bits, also in place."""

import itertools
from collections.abc import Iterator
from typing import Any

import torch
from torch.utils import _pytree

from kits.device import neuron_processes
from kits.opinfo import operator_database

MOST_SAMPLES = 8
DATABASES = ("binary", "other", "pointwise", "reduce", "unary")
NAMED = ("alpha", "value")
"""What of a sample's named arguments is the operator's own; the others are for torch's tests."""


def on_device(value: Any) -> Any:
    return _pytree.tree_map_only(torch.Tensor, lambda tensor: tensor.to(operator_database.DEVICE), value)


def outcome(operator: Any, given: Any, named: dict[str, Any]) -> list[Any]:
    """Call it; return its results and what its arguments are then, or nothing when it refuses them."""
    try:
        results = operator(*given, **named)
    except RuntimeError:
        return []
    return [one.cpu() for one in _pytree.tree_leaves((results, given)) if isinstance(one, torch.Tensor)]


def samples(entry: Any) -> Iterator[tuple[tuple[Any, ...], dict[str, Any]]]:
    found = entry.sample_inputs("cpu", torch.float32, noncontiguous=False, allow_higher_dtype_scalars=False)
    for sample in itertools.islice(found, MOST_SAMPLES):
        named = {name: value for name, value in sample.kwargs.items() if name in NAMED}
        yield (sample.input, *sample.args), named


def differences() -> tuple[int, list[str]]:
    operator_database.operators()  # with what the import needs
    from torch.testing._internal import common_methods_invocations as known  # noqa: PLC0415 - only after the above

    compared, found = 0, []
    for entry in itertools.chain.from_iterable(getattr(known, f"foreach_{kind}_op_db") for kind in DATABASES):
        for operator in filter(None, (entry.method_variant, entry.inplace_variant)):
            for given, named in samples(entry):
                there = outcome(operator, on_device(given), named)
                here = outcome(operator, given, named)
                compared += bool(here)
                if [one.dtype for one in there] != [one.dtype for one in here] or not all(
                    torch.equal(one.nan_to_num(), other.nan_to_num()) for one, other in zip(there, here, strict=True)
                ):
                    found.append(operator.__name__)
    return compared, found


def test_operators_over_lists_compute_the_cpus_bits(processes: neuron_processes.Parent, tmp_path_factory: Any) -> None:
    machine = {
        "NEURONSPAN_STATE_DIR": str(tmp_path_factory.mktemp("state")),
        "NEURONSPAN_INSTANCE_TYPE": "trn1.32xlarge",
        "NEURON_RT_NUM_CORES": "1",
    }
    compared, found = processes.run(machine, differences)
    assert found == []
    assert compared > 300
