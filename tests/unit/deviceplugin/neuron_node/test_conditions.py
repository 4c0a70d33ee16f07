"""What the NeuronNode's conditions say of each state of the node."""

from typing import Any

import pytest

from kits.manifests import builders
from neuronspan import instance_types, names
from neuronspan_deviceplugin.neuron_node import conditions, reading

LARGE = reading.HardwareProfile(instance_types.hardware_of(builders.LARGE), names.NODE_NUMBERING)
SMALL = reading.HardwareProfile(instance_types.hardware_of(builders.SMALL), names.NODE_NUMBERING)


def _served(**changes: Any) -> conditions.Served:
    good: dict[str, Any] = {"profile": LARGE, "unregistered": (), "processes_visible": True, "record_problem": ""}
    return conditions.Served(**(good | changes))


def _said(found: tuple[conditions.Condition, ...]) -> dict[str, tuple[bool, str]]:
    return {each.type.value: (each.holds, each.reason.value) for each in found}


GOOD = {
    "HardwareAccepted": (True, "Accepted"),
    "LedgerReadable": (True, "Readable"),
    "Registered": (True, "Registered"),
    "ProcessesVisible": (True, "Visible"),
    "RecordIntact": (True, "Intact"),
}


def test_conditions_all_hold_when_everything_works() -> None:
    assert _said(conditions.of_node((), LARGE, _served())) == GOOD


STATES = {
    "other hardware is asked for": (
        ((), SMALL, _served()), "HardwareAccepted", "ChangeRefused", "drain the node",
    ),
    "no hardware is asked for any more": (
        ((), None, _served()), "HardwareAccepted", "Missing", "make a NeuronPool select this node",
    ),
    "a resource is not registered": (
        ((), LARGE, _served(unregistered=("a: gone", "b: away"))), "Registered", "NotRegistered", "a: gone; b: away",
    ),
    "the control groups are not found": (
        ((), LARGE, _served(processes_visible=False)), "ProcessesVisible", "NoControlGroups", "read-only",
    ),
    "the record was set aside": (
        ((), LARGE, _served(record_problem="set aside as x")), "RecordIntact", "SetAside", "set aside as x",
    ),
}  # fmt: skip


def test_hardware_that_is_looked_for_is_said_to_be_missing_with_what_is_wrong() -> None:
    found = conditions.of_node((), None, None, ["NoDevices: no Neuron device", "more"])[0]
    assert (found.holds, found.reason, found.message) == (False, "NotDetected", "NoDevices: no Neuron device; more")
    waiting = conditions.of_node((), None, None, [])[0]
    assert (waiting.holds, waiting.reason) == (False, "NotDetected")
    assert "waiting for the operator" in waiting.message


def test_hardware_that_is_served_says_what_is_not_right_with_it() -> None:
    found = conditions.of_node((), LARGE, _served(hardware_problems=("LinksDiffer: x", "y")), [])[0]
    assert (found.holds, found.reason, found.message) == (True, "Accepted", "LinksDiffer: x; y")


@pytest.mark.parametrize(("state", "kind", "reason", "words"), STATES.values(), ids=STATES.keys())
def test_condition_alone_does_not_hold_when(state: Any, kind: str, reason: str, words: str) -> None:
    found = conditions.of_node(*state)
    assert _said(found) == GOOD | {kind: (False, reason)}
    assert words in next(each.message for each in found if each.type == kind)


def test_problem_of_the_spec_is_said_beside_missing_hardware() -> None:
    found = conditions.of_node(("spec.hardware cannot be read: x",), None, None)
    assert _said(found) == {
        "HardwareAccepted": (False, "Missing"),
        "LedgerReadable": (False, "Unreadable"),
        "Registered": (False, "NoHardware"),
    }
    assert all("spec.hardware cannot be read: x" in each.message for each in found[:2])


def test_agent_that_stops_changes_nothing_but_registered() -> None:
    before = conditions.of_node((), LARGE, _served())
    assert _said(conditions.stopped(before)) == GOOD | {"Registered": (False, "Stopped")}
