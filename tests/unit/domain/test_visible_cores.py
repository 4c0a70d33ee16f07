import pytest

from kits.manifests import domain
from neuronspan import errors, spans, visible_cores

NOT_CONTIGUOUS = "NRT:nrt_allocate_neuron_cores  Neuron cores are not contiguous"
MALFORMED = "nrt_init failed. Status = 2"


@pytest.mark.parametrize(
    ("text", "cores"),
    [
        ("0", "0"),
        ("0-3", "0-3"),
        ("0,1,2", "0-2"),
        ("3-5,6", "3-6"),
        ("3,4,5,6", "3-6"),
        ("3-6", "3-6"),
        ("3-4,5-6", "3-6"),
        ("1-3", "1-3"),
        ("4-4", "4"),
        (" 3 - 5 , 6 ", "3-6"),
        ("15", "15"),
    ],
)
def test_visible_cores_are_read(text: str, cores: str) -> None:
    assert visible_cores.parse_visible_cores(text, 16) == domain.span(cores)


@pytest.mark.parametrize(
    ("text", "problem", "runtime_text"),
    [
        ("3,5,6", "is not contiguous: 5 follows 3", NOT_CONTIGUOUS),
        ("0-1,3", "is not contiguous: 3 follows 1", NOT_CONTIGUOUS),
        ("6,3-5", "is not contiguous: 3 follows 6", NOT_CONTIGUOUS),
        ("3,3", "is not contiguous: 3 follows 3", NOT_CONTIGUOUS),
        ("3-5,5-6", "is not contiguous: 5 follows 5", NOT_CONTIGUOUS),
        ("6-3", "cannot be read: write 3-6", MALFORMED),
        ("", "cannot be read: give an index, a range or a list of both, like 3 or 4-7", MALFORMED),
        ("0,", "cannot be read: give an index", MALFORMED),
        ("a", "cannot be read: give an index", MALFORMED),
        ("-1", "cannot be read: give an index", MALFORMED),
        ("1.5", "cannot be read: give an index", MALFORMED),
        ("nc:0", "cannot be read: give an index", MALFORMED),
        ("٤", "cannot be read: give an index", MALFORMED),
        ("9" * 10, "cannot be read: give an index", MALFORMED),
        ("16", "names core 16, which does not exist: use cores 0-15", MALFORMED),
        ("0-999999999", "names core 16, which does not exist: use cores 0-15", MALFORMED),
    ],
)
def test_visible_cores_are_refused_with_the_runtimes_text(text: str, problem: str, runtime_text: str) -> None:
    with pytest.raises(errors.InvalidCoreSet, match=problem) as caught:
        visible_cores.parse_visible_cores(text, 16)
    assert f"NEURON_RT_VISIBLE_CORES={text!r}" in str(caught.value)
    assert (caught.value.text, caught.value.status) == (runtime_text, 2)


@pytest.mark.parametrize(("text", "device"), [("16", 4), ("14-17", 4), ("30", 7)])
def test_visible_cores_name_the_device_file_that_is_not_there(text: str, device: int) -> None:
    with pytest.raises(errors.InvalidCoreSet) as caught:
        visible_cores.parse_visible_cores(text, 16, cores_per_device=4)
    assert caught.value.text == f"Specified core not accessible! is /dev/neuron{device} visible to process?"


def test_visible_cores_without_any_device() -> None:
    with pytest.raises(errors.InvalidCoreSet, match="there is no NeuronCore here") as caught:
        visible_cores.parse_visible_cores("0", 0)
    assert caught.value.text == "TDRV:tdrv_get_dev_info  No neuron device available"


@pytest.mark.parametrize(("text", "count"), [("1", 1), ("16", 16), (" 4 ", 4), ("0", 0)])
def test_num_cores_are_read(text: str, count: int) -> None:
    assert visible_cores.parse_num_cores(text) == count


@pytest.mark.parametrize("text", ["", "-1", "four", "4.0", "4,5", "0-3", "+4", "1_0", "9" * 5000])
def test_num_cores_are_refused(text: str) -> None:
    with pytest.raises(errors.InvalidCoreSet, match=r"NEURON_RT_NUM_CORES=.* cannot be read: give") as caught:
        visible_cores.parse_num_cores(text)
    assert (caught.value.text, caught.value.status) == (MALFORMED, 2)


@pytest.mark.parametrize("count", [0, 1, 4, 8, 64])
def test_num_cores_on_trn2_are_one_or_whole_devices(count: int) -> None:
    assert visible_cores.parse_num_cores(str(count), cores_per_device=4) == count


@pytest.mark.parametrize("count", [2, 3, 5, 6])
def test_num_cores_on_trn2_are_refused_when_they_break_a_device(count: int) -> None:
    with pytest.raises(
        errors.InvalidCoreSet, match=f"={count} is neither one core nor whole devices: use 1 or"
    ) as caught:
        visible_cores.parse_num_cores(str(count), cores_per_device=4)
    expected = "`NEURON_RT_NUM_CORES` must request one core, or the whole device (multiple of 4)"
    assert (caught.value.text, caught.value.status) == (expected, 2)


@pytest.mark.parametrize(
    ("text", "sizes"),
    [
        ("4", (4,)),
        ("3,4,1", (3, 4, 1)),
        ("2,2", (2, 2)),
        ("2,2,2,2", (2, 2, 2, 2)),
        ("4x1", (1, 1, 1, 1)),
        ("2x3,1", (3, 3, 1)),
        (" 3, 4 ,1 ", (3, 4, 1)),
        ("512", (512,)),
    ],
)
def test_group_sizes_are_read(text: str, sizes: tuple[int, ...]) -> None:
    assert visible_cores.parse_group_sizes(text) == sizes


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "give the cores of each group, like 3,4,1"),
        ("0", "give the cores of each group"),
        ("3,0", "give the cores of each group"),
        ("0x4", "give the cores of each group"),
        ("4x0", "give the cores of each group"),
        ("3,", "give the cores of each group"),
        ("3-4", "give the cores of each group"),
        ("-1", "give the cores of each group"),
        ("x1", "give the cores of each group"),
        ("4x", "give the cores of each group"),
        ("1x1x1", "give the cores of each group"),
        ("513", "no node has more than 512 cores"),
        ("512,1", "no node has more than 512 cores"),
        ("999999999x1", "no node has more than 512 cores"),
    ],
)
def test_group_sizes_are_refused(text: str, problem: str) -> None:
    with pytest.raises(errors.InvalidCoreSet, match=problem) as caught:
        visible_cores.parse_group_sizes(text)
    assert f"NEURONCORE_GROUP_SIZES={text!r} cannot be read" in str(caught.value)
    assert (caught.value.text, caught.value.status) == (MALFORMED, 2)


def test_values_are_printed_for_the_environment() -> None:
    assert visible_cores.print_visible_cores(domain.span("4-7")) == "4-7"
    assert visible_cores.print_visible_cores(domain.span("4")) == "4"
    assert visible_cores.print_num_cores(4) == "4"


def test_values_that_could_not_be_read_are_not_printed() -> None:
    with pytest.raises(errors.InvalidCoreSet, match="NEURON_RT_NUM_CORES='-1'"):
        visible_cores.print_num_cores(-1)


@pytest.mark.parametrize(
    ("requested", "available", "logical_core_size", "text"),
    [
        (4, 0, None, "NeuronCore(s) not available - Requested:4 Available:0"),
        (spans.CoreSpan(1, 1), 0, None, "NeuronCore(s) not available - Requested:nc1-nc1 Available:0"),
        (2, 0, 1, "Logical Neuron Core(s) not available - Requested:2 Available:0 Logical Core size 1"),
        (
            spans.CoreSpan(0, 1),
            0,
            2,
            (
                "Logical Neuron Core(s) not available - Requested:lnc0-lnc0 Available:0 "
                "Logical Core size:2 (cores busy, ret=-16)"
            ),
        ),
    ],
    ids=["count", "range", "logical-count", "logical-range"],
)
def test_busy_cores_are_reported_in_the_runtimes_words(
    requested: int | spans.CoreSpan, available: int, logical_core_size: int | None, text: str
) -> None:
    said = visible_cores.not_available_text(requested, available, logical_core_size=logical_core_size)
    assert said == f"NRT:nrt_allocate_neuron_cores               {text}"
