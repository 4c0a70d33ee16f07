"""Label selectors and the requirements they are made of.

Source: k8s.io/apimachinery/pkg/labels.Requirement.Matches and metav1.LabelSelectorAsSelector.
"""

import dataclasses
import enum
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

_INTEGER = re.compile(r"([+-]?)0*([0-9]{1,19})")
_INTEGERS: Final = range(-(2**63), 2**63)  # to the scheduler nothing else is a number


class Operator(enum.StrEnum):
    """How a requirement compares a label's value; Gt and Lt exist for nodes only."""

    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"
    GREATER = "Gt"
    LESS = "Lt"


@dataclasses.dataclass(frozen=True, slots=True)
class Requirement:
    """One condition on one label."""

    key: str
    operator: Operator
    values: tuple[str, ...] = ()

    def admits(self, labels: Mapping[str, str]) -> bool:
        """Whether labels meet the condition."""
        value = labels.get(self.key)
        match self.operator:
            case Operator.IN:
                return value is not None and value in self.values
            case Operator.NOT_IN:
                return value is None or value not in self.values
            case Operator.EXISTS:
                return value is not None
            case Operator.DOES_NOT_EXIST:
                return value is None
        return value is not None and self._compares(value)

    def _compares(self, value: str) -> bool:
        left, right = _number(value), _number(self.values[0]) if len(self.values) == 1 else None
        if left is None or right is None:
            return False
        return left > right if self.operator is Operator.GREATER else left < right


def _number(text: str) -> int | None:
    """Read a number as strconv.ParseInt does; users may write thousands of digits, which Python refuses to read."""
    found = _INTEGER.fullmatch(text)
    number = None if found is None else int("".join(found.groups()))
    return number if number is not None and number in _INTEGERS else None


@dataclasses.dataclass(frozen=True, slots=True)
class LabelSelector:
    """Which labels are meant: all requirements hold. Without any requirement it means everything."""

    requirements: tuple[Requirement, ...] = ()
    nothing: bool = False  # an absent selector, or one that cannot be read: it means no object at all

    @property
    def everything(self) -> bool:
        """Whether every object is meant, whatever its labels."""
        return not (self.nothing or self.requirements)

    def selects(self, labels: Mapping[str, str]) -> bool:
        """Whether an object with these labels is meant."""
        return not self.nothing and all(each.admits(labels) for each in self.requirements)

    def narrowed(self, requirements: Iterable[Requirement]) -> "LabelSelector":
        """Return the selector with more requirements; one that means nothing stays so."""
        return LabelSelector((*self.requirements, *requirements), self.nothing)


NOTHING: Final = LabelSelector(nothing=True)
EVERYTHING: Final = LabelSelector()


def read(raw: Mapping[str, Any] | None) -> LabelSelector:
    """Read a LabelSelector: absent selects nothing, empty selects everything."""
    if raw is None:
        return NOTHING
    labels = raw.get("matchLabels") or {}
    equal = tuple(Requirement(key, Operator.IN, (value,)) for key, value in sorted(labels.items()))
    expressions = read_requirements(raw.get("matchExpressions") or ())
    return NOTHING if expressions is None else LabelSelector((*equal, *expressions))


def read_requirements(raw: Iterable[Mapping[str, Any]]) -> tuple[Requirement, ...] | None:
    """Read ``matchExpressions`` or ``matchFields``; None when one has an operator that does not exist."""
    found = []
    for each in raw:
        try:
            operator = Operator(each.get("operator", ""))
        except ValueError:
            return None
        found.append(Requirement(each.get("key", ""), operator, tuple(each.get("values") or ())))
    return tuple(found)
