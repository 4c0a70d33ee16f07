"""Cutting and joining batches: arithmetic and containers only, no device."""

import collections
from typing import Any

import pytest
import torch

from neuronspan_runtime.models import batches

Pair = collections.namedtuple("Pair", "left right")  # noqa: PYI024 - the kind that models return


def test_core_ids_are_numbers_or_nc_and_a_number() -> None:
    assert batches.core_ids([3, "nc:0", "nc:12"]) == (3, 0, 12)


@pytest.mark.parametrize("spec", ["nc0", "neuron:0", "nc:", "nc:-1", -1, "1", 1.5, None])
def test_core_ids_refuse_others_in_the_words_of_aws(spec: Any) -> None:
    with pytest.raises(ValueError, match=r"^Expected `nc:#` or an integer, but got: ") as raised:
        batches.core_ids([0, spec])
    assert f"but got: {spec}. NeuronCores are counted" in str(raised.value)


@pytest.mark.parametrize(
    ("indices", "expected"), [([0], True), ([2, 3, 4], True), ([0, 2], False), ([1, 1], False), ([1, 0], False)]
)
def test_are_consecutive_means_one_after_the_other(indices: list[int], expected: bool) -> None:
    assert batches.are_consecutive(indices) is expected


@pytest.mark.parametrize(
    ("batch", "cores", "expected"),
    [(8, 4, (2, 2, 2, 2)), (7, 3, (3, 2, 2)), (5, 2, (3, 2)), (2, 4, (1, 1)), (1, 1, (1,)), (0, 2, (0,))],
)
def test_even_sizes_spread_the_remainder_over_the_first_chunks(
    batch: int, cores: int, expected: tuple[int, ...]
) -> None:
    assert batches.even_sizes(batch, cores) == expected


@pytest.mark.parametrize(("batch", "size", "expected"), [(8, 4, (4, 4)), (5, 2, (2, 2, 1)), (1, 3, (1,)), (0, 2, (0,))])
def test_fixed_sizes_leave_the_rest_to_the_last_chunk(batch: int, size: int, expected: tuple[int, ...]) -> None:
    assert batches.fixed_sizes(batch, size) == expected


@pytest.mark.parametrize("dim", [0, 1])
def test_split_and_joined_keep_the_containers(dim: int) -> None:
    values = torch.arange(12).reshape(4, 3)
    nested = {"pair": Pair(values, values + 1), "items": [values, (values * 2,)]}
    sizes = (3, 1) if dim == 0 else (1, 2)
    parts = batches.split(nested, sizes, dim)
    assert [part["pair"].left.shape[dim] for part in parts] == list(sizes)
    whole = batches.joined(parts, dim)
    assert isinstance(whole["pair"], Pair)
    assert isinstance(whole["items"], list)
    assert all(map(torch.equal, batches.tensors_in(whole), batches.tensors_in(nested)))


def test_split_gives_what_is_no_tensor_to_every_chunk() -> None:
    assert batches.split((torch.ones(2), "mean", None), (1, 1), 0)[1][1:] == ("mean", None)


def test_joined_makes_a_vector_of_numbers_and_keeps_nothing_nothing() -> None:
    whole = batches.joined([(torch.tensor(1), None), (torch.tensor(2), None)], 0)
    assert whole[0].tolist() == [1, 2]
    assert whole[1] is None


def test_joined_refuses_what_is_no_tensor() -> None:
    with pytest.raises(TypeError, match="not float"):
        batches.joined([1.0, 2.0], 0)
