"""The list of operators for which the device differs from the CPU, and whether a sweep agrees with it."""

import dataclasses
import pathlib
import tomllib
from collections.abc import Mapping

import torch
from packaging import specifiers, version

from kits.opinfo import operator_sweep


@dataclasses.dataclass(frozen=True)
class Exceptions:
    """The part of the list that holds for the installed torch."""

    undefined_values: frozenset[str]
    """Operators whose results have no values to compare."""
    reasons: Mapping[tuple[str, str], str]
    """(check, operator) -> why it differs."""


def read(path: pathlib.Path) -> Exceptions:
    """Read the list. Raises KeyError for an entry without a check, an operator or a reason."""
    content = tomllib.loads(path.read_text(encoding="utf-8"))
    installed = version.Version(torch.__version__).release
    plain = version.Version(".".join(map(str, installed)))
    reasons = {
        (check, operator): entry["reason"]
        for entry in content.get("exception", [])
        if plain in specifiers.SpecifierSet(entry.get("torch", ""))
        for check in entry["checks"]
        for operator in entry["operators"]
    }
    return Exceptions(frozenset(content["undefined_values"]), reasons)


def surprises(check: str, found: Mapping[str, operator_sweep.Outcome], exceptions: Exceptions) -> list[str]:
    """Return a line for each operator that fails without being listed, is listed without failing, or crashed."""
    lines = []
    for operator, outcome in found.items():
        listed = (check, operator) in exceptions.reasons
        if outcome.crashed or (outcome.problem and not listed):
            lines.append(f"{operator}: {outcome.problem}")
        elif listed and not outcome.problem:
            lines.append(f"{operator} works: take it off the list")
    unknown = {operator for listed_check, operator in exceptions.reasons if listed_check == check} - set(found)
    return sorted(
        [*lines, *(f"{operator} is listed, but torch {torch.__version__} has no such" for operator in unknown)]
    )
