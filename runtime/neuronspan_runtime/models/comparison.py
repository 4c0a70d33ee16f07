"""`torch_neuronx.testing`: are two tensors close enough, wherever they are.

Names and fields as published programs use them; the relative error counts from the largest expected value, as the
compiler's own checks do.

Law: compares values on the host; shapes and types that differ are never close.
"""

import collections
from typing import Any

import torch

AllCloseSummary = collections.namedtuple(  # noqa: PYI024 - programs read it by position too, and fields are of any type
    "AllCloseSummary",
    ["allclose", "num_mismatches", "max_rel_error", "max_abs_error", "max_rel_error_index", "max_abs_error_index"],
)
"""What neuron_allclose found."""

_TOLERANCES = {torch.float16: (1e-3, 1e-5), torch.bfloat16: (1.6e-2, 1e-5), torch.float32: (1.3e-6, 1e-5)}
"""torch.testing's own (relative, absolute); other types have to be equal."""


def assert_close(actual: Any, expected: Any, **options: Any) -> None:
    """Do what torch.testing.assert_close does, but let one of them be on a core and the other one on the CPU."""
    torch.testing.assert_close(actual, expected, **{"check_device": False, **options})


def neuron_allclose(
    actual: torch.Tensor, expected: torch.Tensor, rtol: float | None = None, atol: float | None = None
) -> AllCloseSummary:
    """Return whether the error beyond `atol` is nowhere more than `rtol` of the largest expected value.

    What is equal has no error, infinities included; what is not a number, or infinite on one side only, is a mismatch.
    Raises ValueError for tensors of different shapes.
    """
    if actual.shape != expected.shape:
        raise ValueError(f"shapes differ: {tuple(actual.shape)} and {tuple(expected.shape)}")
    found, wanted = actual.detach().cpu().double(), expected.detach().cpu().double()
    usual = _TOLERANCES.get(expected.dtype, (0.0, 0.0))
    relative, absolute = (own if given is None else given for given, own in zip((rtol, atol), usual, strict=True))
    apart = torch.where(found == wanted, 0.0, (found - wanted).abs())
    beyond = (apart - absolute).clamp(min=0)
    shares = torch.where(beyond == 0, 0.0, beyond / _largest(wanted))
    mismatches = int((~(shares <= relative)).sum())
    at = [_place_of_largest(errors) for errors in (shares, apart)]
    most = [errors[index].item() if errors.numel() else 0.0 for errors, index in zip((shares, apart), at, strict=True)]
    return AllCloseSummary(not mismatches, mismatches, *most, *at)


def _largest(wanted: torch.Tensor) -> torch.Tensor:
    """Return the largest size of a number; an infinity is none, everything would be close to it."""
    sizes = wanted[wanted.isfinite()].abs()
    return sizes.max() if sizes.numel() else torch.zeros((), dtype=wanted.dtype)


def _place_of_largest(errors: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Return the index of the largest error, none where nothing was compared."""
    return torch.unravel_index(errors.argmax(), errors.shape) if errors.numel() else ()
