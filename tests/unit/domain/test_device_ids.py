import pytest

from kits.manifests import domain
from neuronspan import device_ids, errors, instance_types, names

HARDWARE = instance_types.hardware_of("inf2.24xlarge")  # 6 devices, 2 cores each


def test_ids_of_cores_and_devices_never_meet() -> None:
    cores = device_ids.all_ids(names.CORE_RESOURCE, HARDWARE)
    devices = device_ids.all_ids(names.DEVICE_RESOURCE, HARDWARE)
    assert (len(cores), cores[0], cores[-1]) == (12, "nc-0", "nc-11")
    assert (len(devices), devices[0], devices[-1]) == (6, "nd-0", "nd-5")
    assert not set(cores) & set(devices)


@pytest.mark.parametrize(
    ("resource", "cores", "ids"),
    [
        (names.CORE_RESOURCE, "3-5", ("nc-3", "nc-4", "nc-5")),
        (names.CORE_RESOURCE, "11", ("nc-11",)),
        (names.DEVICE_RESOURCE, "2-5", ("nd-1", "nd-2")),
        (names.DEVICE_RESOURCE, "0-11", ("nd-0", "nd-1", "nd-2", "nd-3", "nd-4", "nd-5")),
    ],
)
def test_ids_of_a_span_and_back(resource: str, cores: str, ids: tuple[str, ...]) -> None:
    assert device_ids.ids_of(resource, domain.span(cores), HARDWARE) == ids
    assert device_ids.span_of(ids, HARDWARE) == domain.span(cores)
    assert device_ids.span_of((*reversed(ids), ids[0]), HARDWARE) == domain.span(cores)


@pytest.mark.parametrize(
    ("resource", "cores", "text"),
    [
        (names.CORE_RESOURCE, "11-12", "no IDs for cores 11-12: the node has cores 0-11"),
        (names.DEVICE_RESOURCE, "12-13", "no IDs for cores 12-13: the node has cores 0-11"),
        (
            names.DEVICE_RESOURCE,
            "1-2",
            "no device IDs for cores 1-2: they are not whole devices of 2 cores each",
        ),
        (
            "nvidia.com/gpu",
            "0",
            "no IDs for resource 'nvidia.com/gpu': use one of aws.amazon.com/neuroncore, aws.amazon.com/neuron",
        ),
    ],
)
def test_ids_of_refuses_what_has_no_ids(resource: str, cores: str, text: str) -> None:
    with pytest.raises(errors.InvalidDeviceId) as caught:
        device_ids.ids_of(resource, domain.span(cores), HARDWARE)
    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("ids", "text"),
    [
        (["nc-12"], "ID 'nc-12' does not exist on this node: the last one is nc-11"),
        (["nd-6"], "ID 'nd-6' does not exist on this node: the last one is nd-5"),
        (["nc-04"], "ID 'nc-04' is neither a NeuronCore nor a Neuron device: it looks like nc-4 or nd-1"),
        (["4"], "ID '4' is neither"),
        (["nc-4 "], "ID 'nc-4 ' is neither"),
        (["nc--1"], "ID 'nc--1' is neither"),
        (["nx-4"], "ID 'nx-4' is neither"),
        (["nc-0", "nd-0"], "IDs nc-0, nd-0 are not of one kind: give cores or devices"),
        ([], r"IDs \(none\) are not of one kind"),
    ],
)
def test_span_of_refuses_ids_that_are_not_the_nodes(ids: list[str], text: str) -> None:
    with pytest.raises(errors.InvalidDeviceId, match=text):
        device_ids.span_of(ids, HARDWARE)


@pytest.mark.parametrize(("ids", "missing"), [(["nc-1", "nc-3"], "2"), (["nd-0", "nd-3"], "2-5")])
def test_span_of_refuses_a_gap(ids: list[str], missing: str) -> None:
    with pytest.raises(errors.NotContiguous) as caught:
        device_ids.span_of(ids, HARDWARE)
    assert caught.value.missing == missing
