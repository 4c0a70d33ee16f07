"""The five conditions of a NeuronNode, from what is asked of the node and what of it works.

Law: pure; a condition that does not hold says what to do. While nothing is served, only what can be known is said.
"""

import dataclasses
from collections.abc import Iterable, Sequence

from neuronspan_deviceplugin import reasons
from neuronspan_deviceplugin.neuron_node import reading


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One condition; ``holds`` is the good state."""

    type: reasons.ConditionType
    holds: bool
    reason: reasons.ConditionReason
    message: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """What of a hardware profile works; ``unregistered`` has a sentence per resource that kubelet does not know."""

    profile: reading.HardwareProfile
    unregistered: Sequence[str]
    processes_visible: bool
    record_problem: str
    hardware_problems: Sequence[str] = ()


def of_node(
    problems: Sequence[str],
    wanted: reading.HardwareProfile | None,
    served: Served | None,
    detection: Sequence[str] | None = None,
) -> tuple[Condition, ...]:
    """Return all conditions; ``problems`` are those of the NeuronNode's spec, ``wanted`` is what it asks for.

    ``detection`` is what is wrong with the hardware that is there, while it is looked for; None when it is not.
    """
    asked = (_hardware_accepted(problems, wanted, served, detection), _ledger_readable(problems))
    if served is None:
        return (*asked, _NOTHING_TO_REGISTER)
    return (
        *asked,
        _registered(served.unregistered),
        _processes_visible(visible=served.processes_visible),
        _record_intact(served.record_problem),
    )


def stopped(current: Iterable[Condition]) -> tuple[Condition, ...]:
    """Return the conditions that the agent leaves behind when it stops."""
    return (_STOPPED, *(each for each in current if each.type is not reasons.ConditionType.REGISTERED))


_NOTHING_TO_REGISTER = Condition(
    type=reasons.ConditionType.REGISTERED,
    holds=False,
    reason=reasons.ConditionReason.NO_HARDWARE,
    message="there is nothing to register yet",
)
_STOPPED = Condition(
    type=reasons.ConditionType.REGISTERED,
    holds=False,
    reason=reasons.ConditionReason.STOPPED,
    message="the device plugin was stopped",
)


def _hardware_accepted(
    problems: Sequence[str],
    wanted: reading.HardwareProfile | None,
    served: Served | None,
    detection: Sequence[str] | None,
) -> Condition:
    if served is not None and wanted not in {None, served.profile}:
        holds, reason = False, reasons.ConditionReason.CHANGE_REFUSED
        message = f"serving {served.profile} until no pod has cores of it, asked for {wanted}: drain the node"
    elif wanted is None and detection is not None:
        holds, reason = False, reasons.ConditionReason.NOT_DETECTED
        message = "; ".join(detection) or "the hardware was found, waiting for the operator to take it over"
    elif wanted is None:
        holds, reason = False, reasons.ConditionReason.MISSING
        message = "spec.hardware is missing or wrong: make a NeuronPool select this node; " + "; ".join(problems)
        message = message.rstrip("; ")
    else:
        holds, reason = True, reasons.ConditionReason.ACCEPTED
        message = "; ".join(served.hardware_problems if served else ())
    return Condition(type=reasons.ConditionType.HARDWARE_ACCEPTED, holds=holds, reason=reason, message=message)


def _ledger_readable(problems: Sequence[str]) -> Condition:
    return Condition(
        type=reasons.ConditionType.LEDGER_READABLE,
        holds=not problems,
        reason=reasons.ConditionReason.UNREADABLE if problems else reasons.ConditionReason.READABLE,
        message="; ".join(problems),
    )


def _registered(unregistered: Sequence[str]) -> Condition:
    return Condition(
        type=reasons.ConditionType.REGISTERED,
        holds=not unregistered,
        reason=reasons.ConditionReason.NOT_REGISTERED if unregistered else reasons.ConditionReason.REGISTERED,
        message="; ".join(unregistered) or "kubelet knows both resources",
    )


def _processes_visible(*, visible: bool) -> Condition:
    hidden = (
        "the pods' control groups were not found: mount the host's cgroup file system read-only; until then no core "
        "is released"
    )
    return Condition(
        type=reasons.ConditionType.PROCESSES_VISIBLE,
        holds=visible,
        reason=reasons.ConditionReason.VISIBLE if visible else reasons.ConditionReason.NO_CONTROL_GROUPS,
        message="" if visible else hidden,
    )


def _record_intact(problem: str) -> Condition:
    return Condition(
        type=reasons.ConditionType.RECORD_INTACT,
        holds=not problem,
        reason=reasons.ConditionReason.SET_ASIDE if problem else reasons.ConditionReason.INTACT,
        message=problem,
    )
