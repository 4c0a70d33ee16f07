# ruff: noqa: N818 - the name says what is wrong, the base class says that it is an error
"""Kubernetes quantities ("500m", "2Gi", "1e3") as whole numbers, rounded up as the scheduler rounds them. Pure.

Source: k8s.io/apimachinery/pkg/api/resource.Quantity; its Value() rounds away from zero.
"""

import fractions
import functools
import math
import re
import types
from collections.abc import Mapping
from typing import Final

_QUANTITY = re.compile(
    r"(?P<sign>[+-]?)(?P<number>[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?P<suffix>[numkMGTPE]|[KMGTPE]i|[eE][+-]?[0-9]{1,3})?"
)
_LONGEST: Final = 100
"""Characters: the API server never stores more, and Python refuses to read numbers of some thousand digits."""
_FACTORS: Mapping[str, fractions.Fraction] = types.MappingProxyType(
    {"n": fractions.Fraction(1, 10**9), "u": fractions.Fraction(1, 10**6), "m": fractions.Fraction(1, 10**3)}
    | {suffix: fractions.Fraction(10 ** (3 * power)) for power, suffix in enumerate(("", "k", "M", "G", "T", "P", "E"))}
    | {f"{suffix}i": fractions.Fraction(2 ** (10 * power)) for power, suffix in enumerate("KMGTPE", start=1)}
)


class InvalidQuantity(ValueError):
    """Not a Kubernetes quantity; the API server never stores one, a manifest on disk may have one."""


def whole(quantity: str | float) -> int:
    """Return a quantity in its own unit (bytes, pods, devices); raises InvalidQuantity."""
    return _scaled(str(quantity), 1)


def billionths(quantity: str | float) -> int:
    """Return a quantity in billionths, the finest that the API server stores; raises InvalidQuantity."""
    return _scaled(str(quantity), 10**9)


@functools.lru_cache(maxsize=4096)
def _scaled(text: str, scale: int) -> int:
    found = _QUANTITY.fullmatch(text)
    if found is None or len(text) > _LONGEST:
        raise InvalidQuantity(
            f"{text[:_LONGEST]!r} is not a quantity: write a number with or without a unit, like 2, 500m or 4Gi"
        )
    suffix = found["suffix"] or ""
    is_exponent = suffix[:1] in {"e", "E"} and len(suffix) > 1
    factor = fractions.Fraction(10) ** int(suffix[1:]) if is_exponent else _FACTORS[suffix]
    value = fractions.Fraction(found["number"]) * factor * scale
    return math.ceil(value) if found["sign"] != "-" else -math.ceil(value)
