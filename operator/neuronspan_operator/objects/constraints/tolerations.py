"""Taints of nodes, and what tolerates them.

Source: Toleration.ToleratesTaint in k8s.io/api/core/v1/toleration.go. The operators Lt and Gt tolerate nothing: they
are behind TaintTolerationComparisonOperators, which is off in 1.36.
"""

import dataclasses
import functools
from collections.abc import Iterable, Mapping
from typing import Any


@dataclasses.dataclass(frozen=True, slots=True)
class Taint:
    """Keeps pods away that do not tolerate it."""

    key: str
    value: str
    effect: str

    def __str__(self) -> str:
        return f"{self.key}={self.value}:{self.effect}" if self.value else f"{self.key}:{self.effect}"


@dataclasses.dataclass(frozen=True, slots=True)
class Toleration:
    """Lets a pod onto nodes with certain taints."""

    key: str = ""
    operator: str = "Equal"
    value: str = ""
    effect: str = ""

    def tolerates(self, taint: Taint) -> bool:
        """Whether the taint is no obstacle."""
        if self.effect not in {"", taint.effect}:
            return False
        if self.key not in {"", taint.key}:
            return False
        if self.operator == "Exists":
            return True
        return self.operator == "Equal" and self.value == taint.value


def read_taint(raw: Mapping[str, Any]) -> Taint:
    """Read an entry of a Node's ``spec.taints``."""
    return Taint(raw.get("key", ""), raw.get("value") or "", raw.get("effect", ""))


def read(raw: Iterable[Mapping[str, Any]] | None) -> tuple[Toleration, ...]:
    """Read a pod's ``spec.tolerations``."""
    return tuple(
        _shared(
            each.get("key") or "", each.get("operator") or "Equal", each.get("value") or "", each.get("effect") or ""
        )
        for each in raw or ()
    )


@functools.lru_cache(maxsize=1024)
def _shared(key: str, operator: str, value: str, effect: str) -> Toleration:
    """Return one toleration for all that are equal: nearly every pod has the same two."""
    return Toleration(key, operator, value, effect)
