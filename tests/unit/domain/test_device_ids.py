import pytest

from kits.manifests import domain
from neuronspan import device_ids, errors, instance_types, names

HARDWARE = instance_types.hardware_of("inf2.24xlarge")  # 6 devices, 2 cores each
CORES, DEVICES = names.RESOURCES


def test_ids_are_plain_numbers_as_aws_spells_them() -> None:
    assert device_ids.all_ids(CORES, HARDWARE) == tuple(map(str, range(12)))
    assert device_ids.all_ids(DEVICES, HARDWARE) == tuple(map(str, range(6)))


@pytest.mark.parametrize(
    ("resource", "cores", "ids", "former"),
    [
        (CORES, "3-5", ("3", "4", "5"), ("nc-3", "nc-4", "nc-5")),
        (CORES, "11", ("11",), ("nc-11",)),
        (DEVICES, "2-5", ("1", "2"), ("nd-1", "nd-2")),
        (DEVICES, "0-11", ("0", "1", "2", "3", "4", "5"), ("nd-0", "nd-1", "nd-2", "nd-3", "nd-4", "nd-5")),
    ],
)
def test_ids_of_a_span_and_back(resource: str, cores: str, ids: tuple[str, ...], former: tuple[str, ...]) -> None:
    assert device_ids.ids_of(resource, domain.span(cores), HARDWARE) == ids
    assert device_ids.span_of(resource, ids, HARDWARE) == domain.span(cores)
    assert device_ids.span_of(resource, (*reversed(ids), ids[0]), HARDWARE) == domain.span(cores)
    assert device_ids.span_of(resource, former, HARDWARE) == domain.span(cores)
    assert device_ids.span_of(resource, (*former[:1], *ids[1:]), HARDWARE) == domain.span(cores)
    assert not any(map(device_ids.is_former, ids))
    assert all(map(device_ids.is_former, former))


def test_ids_that_are_kept_stay_spelled_as_they_are() -> None:
    kept = ("nc-4", "5", "nc-9")
    assert device_ids.ids_of(CORES, domain.span("3-6"), HARDWARE, kept) == ("3", "nc-4", "5", "6")
    assert device_ids.ids_of(DEVICES, domain.span("2-5"), HARDWARE, ["nd-2"]) == ("1", "nd-2")


@pytest.mark.parametrize(
    ("resource", "cores", "text"),
    [
        (CORES, "11-12", "no IDs for cores 11-12: the node has cores 0-11"),
        (DEVICES, "12-13", "no IDs for cores 12-13: the node has cores 0-11"),
        (DEVICES, "1-2", "no device IDs for cores 1-2: they are not whole devices of 2 cores each"),
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


NO_CORE = "of aws.amazon.com/neuroncore is no NeuronCore: it is a number, like 4"


@pytest.mark.parametrize(
    ("resource", "ids", "text"),
    [
        (CORES, ["12"], "ID '12' of aws.amazon.com/neuroncore does not exist on this node: its last NeuronCore is 11"),
        (DEVICES, ["6"], "ID '6' of aws.amazon.com/neuron does not exist on this node: its last Neuron device is 5"),
        (CORES, ["nc-12"], "ID 'nc-12' of aws.amazon.com/neuroncore does not exist on this node"),
        (CORES, ["04"], f"ID '04' {NO_CORE}"),
        (CORES, ["nc-04"], f"ID 'nc-04' {NO_CORE}"),
        (CORES, ["4 "], f"ID '4 ' {NO_CORE}"),
        (CORES, [""], f"ID '' {NO_CORE}"),
        (CORES, ["٤"], f"ID '٤' {NO_CORE}"),
        (CORES, ["nd-0"], f"ID 'nd-0' {NO_CORE}"),
        (DEVICES, ["nc-0"], "ID 'nc-0' of aws.amazon.com/neuron is no Neuron device"),
        (CORES, [], "no ID of aws.amazon.com/neuroncore is given: give at least one"),
        (CORES, ["4", "nc-4"], "core 4 is named twice, by '4' and its former ID 'nc-4': give one of them"),
        ("nvidia.com/gpu", ["0"], "no IDs for resource 'nvidia.com/gpu'"),
    ],
)
def test_ids_that_are_no_span_are_refused(resource: str, ids: list[str], text: str) -> None:
    with pytest.raises(errors.InvalidDeviceId) as caught:
        device_ids.span_of(resource, ids, HARDWARE)
    assert str(caught.value).startswith(text)


@pytest.mark.parametrize(
    ("resource", "ids", "missing"),
    [(CORES, ["1", "3"], "2"), (DEVICES, ["0", "3"], "2-5"), (CORES, ["nc-1", "3"], "2")],
)
def test_gap_is_named(resource: str, ids: list[str], missing: str) -> None:
    with pytest.raises(errors.NotContiguous, match=f"{missing} is missing between"):
        device_ids.span_of(resource, ids, HARDWARE)


def test_cores_of_ids_may_have_gaps_and_both_spellings() -> None:
    assert device_ids.cores_of(CORES, ["1", "nc-1", "nc-7"], HARDWARE) == {1, 7}
    assert device_ids.cores_of(DEVICES, ["0", "nd-3"], HARDWARE) == {0, 1, 6, 7}
