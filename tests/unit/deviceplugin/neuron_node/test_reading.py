"""Reading the NeuronNode, hand-edited ones too."""

from typing import Any

import pytest

from kits.manifests import builders, domain
from neuronspan import instance_types, names
from neuronspan_deviceplugin.neuron_node import reading
from neuronspan_deviceplugin.tree import faults, generating


def _manifest(**spec: Any) -> dict[str, Any]:
    manifest = builders.make_neuron_node(entries=[domain.grant()])
    manifest["spec"] |= spec
    return manifest


def test_whole_object_is_read() -> None:
    node = reading.read(_manifest(faults=[{"first": 3, "count": 2, "kind": "link_host"}, {"first": 9, "count": 1}]))
    assert node.hardware == instance_types.hardware_of(builders.LARGE)
    assert node.numbering == names.NODE_NUMBERING
    assert node.book == domain.book(32, [domain.grant()])
    assert node.faults == (
        generating.Fault(domain.span("3-4"), faults.FaultKind.LINK_HOST),
        generating.Fault(domain.span("9"), faults.FaultKind.CORE_UNCORRECTABLE),
    )
    assert node.status["epoch"] == "e1"
    assert node.problems == ()


def test_object_of_an_operator_that_only_began_is_read() -> None:
    node = reading.read({"metadata": {"uid": "uid-nn-w1", "resourceVersion": "7"}})
    assert (node.hardware, node.numbering, node.book, node.faults, node.problems) == (None, None, None, (), ())


def test_ledger_without_grants_is_an_empty_ledger() -> None:
    manifest = _manifest()
    del manifest["spec"]["grants"]
    assert reading.read(manifest).book == domain.book(32)


def test_node_that_is_asked_what_it_has_is_read_with_its_label() -> None:
    node = reading.read(_manifest(detect={"instanceType": "trn1.32xlarge"}))
    assert (node.detected, node.label) == (True, "trn1.32xlarge")
    assert reading.wanted(node, names.NODE_NUMBERING) == reading.HardwareProfile(
        instance_types.hardware_of(builders.LARGE), names.NODE_NUMBERING, detected=True
    )


def test_faults_of_real_devices_are_refused() -> None:
    node = reading.read(_manifest(detect={}, faults=[{"first": 3, "count": 2}]))
    assert node.faults == ()
    assert node.problems == (
        "spec.faults cannot be read: real devices have their own: only simulated hardware has faults on request",
    )
    assert reading.read(_manifest(detect={}, faults=[])).problems == ()


BAD = {
    "hardware": {"hardware": {"instanceType": "x"}},
    "coreNumbering": {"coreNumbering": "galaxy"},
    "grants": {"grants": [domain.grant("0-3").to_dict(), domain.grant("3-4", "other").to_dict()]},
    "faults": {"faults": [{"first": 3}]},
}


@pytest.mark.parametrize(("part", "spec"), BAD.items(), ids=BAD.keys())
def test_bad_part_is_named_and_the_others_are_read(part: str, spec: dict[str, Any]) -> None:
    node = reading.read(_manifest(**spec))
    assert len(node.problems) == 1
    assert node.problems[0].startswith(f"spec.{part} cannot be read: ")
    unread = {"hardware": node.hardware, "coreNumbering": node.numbering, "grants": node.book}
    assert {name for name, value in unread.items() if value is None} == {part} - {"faults"}
