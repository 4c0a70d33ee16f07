"""`torch_neuronx.testing`: close enough, wherever the tensors are."""

import pytest
import torch

from kits.device import neuron_processes
from neuronspan_runtime.models import comparison


def compare_with_the_host() -> None:
    given = torch.rand(3, 4)
    comparison.assert_close(given.to("neuron"), given)
    with pytest.raises(AssertionError, match="not close"):
        comparison.assert_close(given.to("neuron") + 1, given, rtol=1e-3, atol=1e-3)
    assert comparison.neuron_allclose(given.to("neuron"), given).allclose


def test_a_core_is_compared_with_the_host(processes: neuron_processes.Parent, machine: dict[str, str]) -> None:
    processes.run(machine, compare_with_the_host)


def test_the_error_counts_from_the_largest_expected_value() -> None:
    expected = torch.tensor([[100.0, 1.0], [0.0, 10.0]])
    actual = torch.tensor([[100.0, 1.5], [0.0, 11.0]])
    found = comparison.neuron_allclose(actual, expected, rtol=0.01, atol=0.0)
    assert (found.allclose, found.num_mismatches) == (True, 0)
    assert (found.max_abs_error, found.max_rel_error) == (1.0, 0.01)
    assert [int(index) for index in found.max_abs_error_index] == [1, 1]
    strict = comparison.neuron_allclose(actual, expected, rtol=0.004, atol=0.0)
    assert (strict.allclose, strict.num_mismatches) == (False, 2)
    assert comparison.neuron_allclose(actual, expected, rtol=0.004, atol=0.6).num_mismatches == 0


@pytest.mark.parametrize(
    ("actual", "expected", "mismatches"),
    [
        (torch.zeros(2), torch.zeros(2), 0),
        (torch.tensor([0.0, 1e-9]), torch.zeros(2), 0),
        (torch.tensor([0.0, 1e-4]), torch.zeros(2), 1),
        (torch.tensor([torch.inf, 1.0]), torch.tensor([torch.inf, 1.0]), 0),
        (torch.tensor([torch.inf, 5.0]), torch.tensor([torch.inf, 1.0]), 1),
        (torch.tensor([torch.inf, 1.0]), torch.tensor([-torch.inf, 1.0]), 1),
        (torch.tensor([3.0, 1.0]), torch.tensor([torch.inf, 1.0]), 1),
        (torch.tensor([]), torch.tensor([]), 0),
        (torch.tensor([1, 2]), torch.tensor([1, 3]), 1),
        (torch.tensor([1.0, torch.nan]), torch.tensor([1.0, 2.0]), 1),
    ],
    ids=[
        "equal",
        "near zero",
        "nothing else is near zero",
        "infinite",
        "infinity hides nothing",
        "signs of infinity",
        "infinite on one side",
        "empty",
        "integers have to be equal",
        "not a number",
    ],
)
def test_default_tolerances(actual: torch.Tensor, expected: torch.Tensor, mismatches: int) -> None:
    assert comparison.neuron_allclose(actual, expected).num_mismatches == mismatches


def test_shapes_have_to_be_the_same() -> None:
    with pytest.raises(ValueError, match=r"shapes differ: \(2,\) and \(3,\)"):
        comparison.neuron_allclose(torch.ones(2), torch.ones(3))


def test_error_within_the_absolute_tolerance_counts_as_none() -> None:
    found = comparison.neuron_allclose(torch.tensor([1.0, 2.25]), torch.tensor([1.0, 2.0]), rtol=0.0, atol=0.5)
    assert (found.allclose, found.max_rel_error, found.max_abs_error) == (True, 0.0, 0.25)
