"""The tree of a simulated node, file by file as a driver shows it."""

import pytest

from kits.manifests import domain
from neuronspan import instance_types
from neuronspan_deviceplugin.tree import drivers, faults, generating, layout, trees

TRN1 = instance_types.hardware_of("trn1.32xlarge")
TRN2 = instance_types.hardware_of("trn2.48xlarge")
FIRST = "sys/devices/virtual/neuron_device/neuron0"

FILES = {
    "driver": ("sys/module/neuron/version", "2.30.2.0\n", 0o444),
    "firmware": ("sys/devices/virtual/dmi/id/product_name", "trn1.32xlarge\n", 0o444),
    "core count without a line's end": (f"{FIRST}/core_count", "2", 0o444),
    "links up, left, down, right": (f"{FIRST}/connected_devices", "12, 3, 4, 1\n", 0o444),
    "reset": (f"{FIRST}/reset", "1\n", 0o600),
    "architecture": (f"{FIRST}/info/architecture/arch_type", "NDv2\n", 0o644),
    "family": (f"{FIRST}/info/architecture/instance_type", "Trn1\n", 0o644),
    "name": (f"{FIRST}/info/architecture/device_name", "Trainium1\n", 0o644),
    "core": (f"{FIRST}/neuron_core1/info/architecture/arch_type", "NCv2\n", 0o644),
    "counter": (f"{FIRST}/neuron_core1/stats/status/hw_nc_ue_error/total", "0\n", 0o644),
    "peak": (f"{FIRST}/neuron_core0/stats/memory_usage/device_mem/tensors/peak", "0\n", 0o644),
    "ECC": (f"{FIRST}/stats/hardware/mem_ecc_uncorrected", "0\n", 0o644),
    "corrected": (f"{FIRST}/stats/hardware/mem_ecc_corrected", "0\n", 0o644),
    "power": (f"{FIRST}/stats/power/utilization", "POWER_STATUS_VALID,0,0.00,0.00,0.00\n", 0o644),
}


@pytest.mark.parametrize(("path", "text", "mode"), FILES.values(), ids=FILES)
def test_tree_has_file(path: str, text: str, mode: int) -> None:
    file = generating.generate(TRN1, drivers.NEWEST).files[path]
    assert (file.text, file.mode) == (text, mode)


def test_device_nodes_and_classes_are_links() -> None:
    tree = generating.generate(TRN1, drivers.NEWEST)
    assert tree.links["dev/neuron15"] == "/dev/null"
    assert tree.links["sys/class/neuron_device/neuron15"] == "../../devices/virtual/neuron_device/neuron15"
    assert len(tree.links) == 32


def test_serial_numbers_are_sixteen_digits_and_differ() -> None:
    files = generating.generate(TRN1, drivers.NEWEST).files
    numbers = [files[f"{layout.device(each)}/info/serial_number"].text for each in range(16)]
    assert len(set(numbers)) == 16
    assert all(len(each) == 17 and int(each, 16) for each in numbers)


def test_older_driver_keeps_the_core_count_to_its_owner_and_counts_less() -> None:
    files = generating.generate(TRN2, drivers.OLDER).files
    assert files[f"{FIRST}/core_count"] == trees.File("8", 0o400)
    assert f"{FIRST}/stats/hardware/sram_ecc_corrected" not in files
    assert f"{FIRST}/stats/hardware/health_status/unhealthy_components" not in files


def test_components_are_listed_by_new_drivers_of_trn2_and_later() -> None:
    path = f"{FIRST}/stats/hardware/health_status/unhealthy_components"
    assert path in generating.generate(TRN2, drivers.NEWEST).files
    assert path not in generating.generate(TRN2, drivers.READABLE).files
    assert path not in generating.generate(TRN1, drivers.NEWEST).files


def test_simulated_inf1_has_the_last_driver_that_knows_it() -> None:
    assert drivers.newest_for("inf1.xlarge") == drivers.LAST_FOR_INF1
    assert drivers.newest_for("trn2.48xlarge") == drivers.NEWEST
    assert drivers.newest_for("unheard.of") == drivers.NEWEST


def test_only_what_tells_of_health_changes() -> None:
    sound = generating.generate(TRN2, drivers.NEWEST)
    broken = generating.generate(
        TRN2,
        drivers.NEWEST,
        [
            generating.Fault(domain.span("1"), faults.FaultKind.HBM_UNCORRECTABLE),
            generating.Fault(domain.span("4-7"), faults.FaultKind.SRAM_ECC),
            generating.Fault(domain.span("8"), faults.FaultKind.LINK_HOST),
            generating.Fault(domain.span("9"), faults.FaultKind.HBM),
            generating.Fault(domain.span("63-99"), faults.FaultKind.DMA_ABORTED),
        ],
    )
    changed = {
        path.removeprefix(f"{layout.DEVICES}/"): each.text
        for path, each in broken.files.items()
        if each != sound.files[path]
    }
    assert changed == {
        "neuron0/neuron_core2/stats/status/hw_hbm_ue_error/total": "1\n",  # two physical cores are joined
        "neuron0/neuron_core3/stats/status/hw_hbm_ue_error/total": "1\n",
        "neuron1/stats/hardware/sram_ecc_uncorrected": "1\n",
        "neuron2/stats/hardware/health_status/unhealthy_components": "link_host,hbm\n",
        "neuron15/neuron_core6/stats/status/hw_dma_abort_error/total": "1\n",
        "neuron15/neuron_core7/stats/status/hw_dma_abort_error/total": "1\n",
    }
    assert all(broken.files[f"{layout.DEVICES}/{path}"].changes for path in changed)


def test_hardware_of_no_known_generation_has_a_tree_too() -> None:
    odd = instance_types.Hardware.from_dict(TRN1.to_dict() | {"instanceType": "odd.1xlarge"})
    files = generating.generate(odd, drivers.NEWEST).files
    assert files[f"{FIRST}/core_count"].text == "2"
    assert f"{FIRST}/info/architecture/device_name" not in files
