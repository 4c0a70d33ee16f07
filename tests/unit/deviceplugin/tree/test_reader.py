"""Reading trees: whole ones, half ones, wrong ones, and what is unhealthy by them."""

import dataclasses
from collections.abc import Callable

import pytest

from kits.kubelet import node_parts
from kits.manifests import domain
from neuronspan import instance_types
from neuronspan_deviceplugin.tree import drivers, faults, generating, layout, reader, trees

TRN1 = instance_types.hardware_of("trn1.32xlarge")
TRN2 = instance_types.hardware_of("trn2.48xlarge")
SEEN = node_parts.MadeHardware(TRN1).look(())
PRODUCT = f"{layout.DMI}/{layout.PRODUCT_NAME}"
COUNT = f"{layout.device(3)}/core_count"

Seen = trees.Seen


def _with(seen: Seen, **texts: str | None) -> Seen:
    return dataclasses.replace(seen, files={**seen.files, **texts})


def _without(seen: Seen, *beginnings: str) -> Seen:
    files = {path: text for path, text in seen.files.items() if not path.startswith(beginnings)}
    return dataclasses.replace(seen, files=files, devices=trees.devices_in(files))


def test_whole_tree_is_the_hardware_of_its_type() -> None:
    found = reader.read(SEEN)
    assert (found.hardware, found.unhealthy, found.problems) == (TRN1, {}, ())
    assert found.nodes == node_parts.nodes()


def test_label_names_the_type_where_the_firmware_does_not() -> None:
    elsewhere = _with(SEEN, **{PRODUCT: "Standard PC (Q35 + ICH9, 2009)\n"})
    assert reader.read(elsewhere, "trn1.32xlarge").hardware == TRN1
    assert reader.read(_without(SEEN, PRODUCT), "trn1.32xlarge").hardware == TRN1


def test_firmware_beats_the_label() -> None:
    assert reader.read(SEEN, "trn1n.32xlarge").hardware == TRN1


SIZES = {
    "configured": ("NEURON_LOGICAL_NC_CONFIG=1\n", 1),
    "quoted": ('NEURON_LOGICAL_NC_CONFIG="1"\n', 1),
    "exported, behind a comment": ("# of this node\nexport NEURON_LOGICAL_NC_CONFIG=1\n", 1),
    "said twice": ("NEURON_LOGICAL_NC_CONFIG=2\nNEURON_LOGICAL_NC_CONFIG=1", 1),
    "not said": ("# nothing\n", 2),
}


@pytest.mark.parametrize(("text", "size"), SIZES.values(), ids=SIZES)
def test_logical_core_size_is_as_configured(text: str, size: int) -> None:
    seen = _with(node_parts.MadeHardware(TRN2).look(()), **{layout.LOGICAL_CORES: text})
    assert reader.read(seen).hardware == instance_types.hardware_of("trn2.48xlarge", size)


def test_logical_core_size_without_a_file_is_the_types_own() -> None:
    seen = _without(node_parts.MadeHardware(TRN2).look(()), layout.LOGICAL_CORES)
    assert reader.read(seen).hardware == TRN2


BLOCKING: dict[str, tuple[Callable[[Seen], Seen], str, str]] = {
    "no device": (lambda seen: _without(seen, layout.DEVICES), "NoDevices", "is the driver (aws-neuronx-dkms) loaded"),
    "unknown firmware, no label": (
        lambda seen: _with(seen, **{PRODUCT: "c5.large\n"}), "TypeUnknown", "calls this machine 'c5.large'",
    ),
    "devices of another generation": (
        lambda seen: _with(seen, **{f"{layout.device(0)}/{layout.INSTANCE_TYPE}": "Inf2\n"}),
        "TypeContradicted", "says 'Inf2', trn1.32xlarge has 'Trn1'",
    ),
    "other cores": (lambda seen: _with(seen, **{COUNT: "8"}), "CoresDiffer", "neuron3/core_count says '8'"),
    "size that the type has not": (
        lambda seen: _with(seen, **{layout.LOGICAL_CORES: "NEURON_LOGICAL_NC_CONFIG=2"}),
        "CoreSizeUnusable", "trn1.32xlarge has no logical core size 2: use 1",
    ),
    "size that is no number": (
        lambda seen: _with(seen, **{layout.LOGICAL_CORES: "NEURON_LOGICAL_NC_CONFIG=two"}),
        "CoreSizeUnusable", "is 'two', no number",
    ),
    "size that cannot be read": (
        lambda seen: _with(seen, **{layout.LOGICAL_CORES: None}), "CoreSizeUnusable", "cannot be read",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("change", "kind", "words"), BLOCKING.values(), ids=BLOCKING)
def test_nothing_is_served_of_a_tree_with(change: Callable[[Seen], Seen], kind: str, words: str) -> None:
    found = reader.read(change(SEEN))
    assert (found.hardware, found.nodes, found.unhealthy) == (None, {}, {})
    assert [each.kind for each in found.problems] == [kind]
    assert words in str(found.problems[0])


def _no_nodes(seen: Seen) -> Seen:
    return dataclasses.replace(seen, nodes={index: node for index, node in seen.nodes.items() if index not in {1, 2}})


LESS: dict[str, tuple[Callable[[Seen], Seen], str, str, dict[int, str]]] = {
    "core counts for their owner alone": (
        lambda seen: _with(seen, **dict.fromkeys(f"{layout.device(each)}/core_count" for each in range(16))),
        "CoresUnreadable", "(and 15 more) cannot be read: 2 cores are taken for granted", {},
    ),
    "a missing device": (
        lambda seen: _without(seen, f"{layout.device(3)}/"),
        "DevicesDiffer", "these are missing: 3", {6: "DeviceMissing", 7: "DeviceMissing"},
    ),
    "a device too many": (
        lambda seen: dataclasses.replace(seen, devices=seen.devices | {16}),
        "DevicesDiffer", "these are too many: 16", {},
    ),
    "other links": (
        lambda seen: _with(seen, **{f"{layout.device(0)}/connected_devices": "12, 4, 1\n"}),
        "LinksDiffer", "says 1, 4, 12, trn1.32xlarge has 12, 3, 4, 1", {},
    ),
    "missing device nodes": (
        _no_nodes, "NodesMissing", "/dev/neuron1 (and 1 more) is not there",
        dict.fromkeys((2, 3, 4, 5), "DeviceNodeMissing"),
    ),
    "counters that are elsewhere": (
        lambda seen: _without(seen, f"{layout.device(0)}/stats/hardware"),
        "HealthUnknown", "neuron0/stats/hardware/sram_ecc_uncorrected (and 1 more) holds no count", {},
    ),
    "a counter of no number": (
        lambda seen: _with(seen, **{layout.device_counter(0, faults.FaultKind.SRAM_ECC): "busy\n"}),
        "HealthUnknown", "neuron0/stats/hardware/sram_ecc_uncorrected holds no count", {},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("change", "kind", "words", "unhealthy"), LESS.values(), ids=LESS)
def test_the_rest_is_served_of_a_tree_with(
    change: Callable[[Seen], Seen], kind: str, words: str, unhealthy: dict[int, str]
) -> None:
    found = reader.read(change(SEEN))
    assert found.hardware == TRN1
    assert found.unhealthy == unhealthy
    assert [each.kind for each in found.problems] == [kind]
    assert words in str(found.problems[0])


def test_links_count_in_any_order_and_inf1_says_nothing_of_them() -> None:
    turned = _with(SEEN, **{f"{layout.device(0)}/connected_devices": "1, 3, 4, 12\n"})
    silent = _without(SEEN, f"{layout.device(0)}/connected_devices")
    assert not reader.read(turned).problems
    assert not reader.read(silent).problems


KINDS = {
    "a core's counter": (faults.FaultKind.CORE_UNCORRECTABLE, {5: "CoreUncorrectable"}),
    "a core's counter of memory errors": (faults.FaultKind.HBM_UNCORRECTABLE, {5: "HbmUncorrectable"}),
    "a core's counter of transfers": (faults.FaultKind.DMA_ABORTED, {5: "DmaAborted"}),
    "a device's counter": (faults.FaultKind.SRAM_ECC, dict.fromkeys(range(4, 8), "SramEcc")),
    "a device's counter of memory errors": (faults.FaultKind.MEMORY_ECC, dict.fromkeys(range(4, 8), "MemoryEcc")),
    "a device's component": (faults.FaultKind.AXI_FABRIC, dict.fromkeys(range(4, 8), "ComponentUnhealthy: axi_fabric")),
}  # fmt: skip


@pytest.mark.parametrize(("kind", "unhealthy"), KINDS.values(), ids=KINDS)
def test_fault_is_seen_by(kind: faults.FaultKind, unhealthy: dict[int, str]) -> None:
    seen = node_parts.MadeHardware(TRN2).look([generating.Fault(domain.span("5"), kind)])
    assert reader.read(seen).unhealthy == unhealthy


def test_every_component_and_the_worst_word_for_a_core_are_told() -> None:
    broken = [
        generating.Fault(domain.span("5"), faults.FaultKind.DMA_ABORTED),
        generating.Fault(domain.span("4"), faults.FaultKind.SRAM),
        generating.Fault(domain.span("7"), faults.FaultKind.HBM),
    ]
    found = reader.read(node_parts.MadeHardware(TRN2).look(broken))
    assert found.unhealthy == dict.fromkeys(range(4, 8), "ComponentUnhealthy: sram, hbm")


def test_fault_of_the_second_of_two_joined_cores_counts() -> None:
    path = layout.counter(0, 3, faults.FaultKind.HBM_UNCORRECTABLE)
    seen = _with(node_parts.MadeHardware(TRN2).look(()), **{path: "7\n"})
    assert reader.read(seen).unhealthy == {1: "HbmUncorrectable"}


def test_older_driver_tells_no_components() -> None:
    broken = [generating.Fault(domain.span("4"), faults.FaultKind.SRAM)]
    assert not reader.read(node_parts.MadeHardware(TRN2, drivers.READABLE).look(broken)).unhealthy
