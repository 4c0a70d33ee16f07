"""Reads the node's NeuronNode object, and says what of it could not be read.

Law: pure; a part that cannot be read is a sentence in ``problems`` and keeps its last good value elsewhere, because
a hand-edited object must not stop the node.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from neuronspan import errors as domain_errors
from neuronspan import instance_types, ledger, names, spans
from neuronspan_deviceplugin.tree import faults, generating

_Read = TypeVar("_Read")


@dataclasses.dataclass(frozen=True, slots=True)
class NeuronNode:
    """What the plugin needs of the object; None is what is missing or cannot be read."""

    uid: str  # another one under the same name is another object, without a status of ours
    resource_version: str
    hardware: instance_types.Hardware | None
    numbering: str | None
    book: ledger.Ledger | None
    faults: tuple[generating.Fault, ...]
    status: Mapping[str, Any]
    problems: tuple[str, ...]
    detected: bool = False  # the hardware is what the node really has, and not simulated
    label: str = ""  # the instance type that the Node's label names, when it is detected


@dataclasses.dataclass(frozen=True, slots=True)
class HardwareProfile:
    """What is served, or asked to be: the hardware, and the numbering that containers see."""

    hardware: instance_types.Hardware
    numbering: str
    detected: bool = False


def wanted(node: NeuronNode | None, numbering: str) -> HardwareProfile | None:
    """Return what the object asks to be served, None when it does not say; ``numbering`` is the default."""
    if node is None or node.hardware is None:
        return None
    return HardwareProfile(node.hardware, node.numbering or numbering, node.detected)


def served(node: NeuronNode) -> instance_types.Hardware | None:
    """Return the hardware that a plugin said last that it serves; None when none did, or in words nobody can read."""
    try:
        return instance_types.Hardware.from_dict(node.status["hardware"])
    except (domain_errors.NeuronspanError, KeyError, TypeError, ValueError):
        return None


def read(manifest: Mapping[str, Any]) -> NeuronNode:
    """Read the object as the API server gives it."""
    spec = manifest.get("spec") or {}
    problems: list[str] = []

    def attempt(part: str, reader: Callable[[Any], _Read]) -> _Read | None:
        raw = spec.get(part)
        if raw is None:
            return None
        try:
            return reader(raw)
        except (domain_errors.NeuronspanError, KeyError, TypeError, ValueError) as error:
            problems.append(f"spec.{part} cannot be read: {error}")
            return None

    hardware = attempt("hardware", instance_types.Hardware.from_dict)
    cores = hardware.cores if hardware else spec.get("cores") or 0
    book = attempt("grants", lambda raw: ledger.Ledger.from_list(cores, raw)) if cores else None
    if cores and not spec.get("grants"):
        book = ledger.Ledger(cores)
    return NeuronNode(
        uid=manifest["metadata"]["uid"],
        resource_version=manifest["metadata"]["resourceVersion"],
        hardware=hardware,
        numbering=attempt("coreNumbering", _numbering),
        book=book,
        faults=attempt("faults", lambda raw: _faults(raw, real="detect" in spec)) or (),
        status=manifest.get("status") or {},
        problems=tuple(problems),
        detected="detect" in spec,
        label=(spec.get("detect") or {}).get("instanceType") or "",
    )


def _numbering(raw: str) -> str:
    if raw not in names.CORE_NUMBERINGS:
        raise ValueError(f"{raw!r} is not one of {', '.join(names.CORE_NUMBERINGS)}")
    return raw


def _faults(raw: Sequence[Mapping[str, Any]], *, real: bool) -> tuple[generating.Fault, ...]:
    if real and raw:
        raise ValueError("real devices have their own: only simulated hardware has faults on request")
    return tuple(map(_fault, raw))


def _fault(raw: Mapping[str, Any]) -> generating.Fault:
    kind = raw.get("kind") or faults.FaultKind.CORE_UNCORRECTABLE
    return generating.Fault(spans.CoreSpan(raw["first"], raw["count"]), faults.FaultKind(kind))
