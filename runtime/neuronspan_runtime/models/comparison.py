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
    """Return whether the error, less `atol`, is nowhere more than `rtol` of the largest expected value.

    Raises ValueError for tensors of different shapes.
    """
    if actual.shape != expected.shape:
        raise ValueError(f"shapes differ: {tuple(actual.shape)} and {tuple(expected.shape)}")
    found, wanted = actual.detach().cpu().double(), expected.detach().cpu().double()
    usual = _TOLERANCES.get(expected.dtype, (0.0, 0.0))
    relative, absolute = (own if given is None else given for given, own in zip((rtol, atol), usual, strict=True))
    apart = (found - wanted).abs()
    if found.equal(wanted):
        shares = apart
    elif not (largest := wanted.abs().max()):
        shares = torch.full_like(apart, torch.inf)
    else:
        shares = (apart - absolute) / largest
    mismatches = int((~(shares <= relative)).sum())
    at = [torch.unravel_index(errors.argmax(), errors.shape) for errors in (shares, apart)]
    most = [errors[index].item() for errors, index in zip((shares, apart), at, strict=True)]
    return AllCloseSummary(not mismatches, mismatches, *most, *at)
