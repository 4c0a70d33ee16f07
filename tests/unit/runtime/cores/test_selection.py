from collections.abc import Sequence
from typing import Any

import pytest

from neuronspan import instance_types, spans
from neuronspan_runtime import environment, errors, nrt_status
from neuronspan_runtime.cores import selection

INF1 = instance_types.hardware_of("inf1.6xlarge")  # 16 cores
TRN2 = instance_types.hardware_of("trn2.48xlarge")  # 64 logical cores, 4 per device
GRANT = spans.CoreSpan(4, 4)


def wish(hardware: instance_types.Hardware = INF1, **values: Any) -> selection.Wish:
    settings = environment.Environment(**values)
    return selection.wish(settings, hardware, settings.grant or spans.CoreSpan(0, hardware.cores))


def free_of(total: int, taken: Sequence[int]) -> set[int]:
    return set(range(total)) - set(taken)


@pytest.mark.parametrize(
    ("values", "exact", "count"),
    [
        pytest.param({}, None, 16, id="all of the machine"),
        pytest.param({"grant": GRANT}, None, 4, id="all of the grant"),
        pytest.param({"num_cores": "3"}, None, 3, id="a number"),
        pytest.param({"num_cores": "0", "grant": GRANT}, None, 4, id="zero means all"),
        pytest.param({"group_sizes": "3,4,1"}, None, 8, id="the sum of the groups"),
        pytest.param({"visible_cores": "4-5", "num_cores": "3"}, spans.CoreSpan(4, 2), 2, id="visible beats number"),
        pytest.param({"visible_cores": "4", "num_cores": "x"}, spans.CoreSpan(4, 1), 1, id="the loser is not read"),
        pytest.param({"num_cores": "9", "group_sizes": "3,4,1"}, None, 9, id="number beats groups"),
        pytest.param({"visible_cores": "0,1,2-3"}, spans.CoreSpan(0, 4), 4, id="list of visible cores"),
        pytest.param({"visible_cores": "1-2", "numbering": "container", "grant": GRANT}, spans.CoreSpan(5, 2), 2,
                     id="container numbering starts at the grant"),
        pytest.param({"local_rank": 3, "local_ranks": 4}, spans.CoreSpan(3, 1), 1, id="a core for each rank"),
        pytest.param({"local_rank": 0, "local_ranks": 1}, None, 16, id="a rank alone has all"),
        pytest.param({"local_rank": 1, "local_ranks": 2, "grant": GRANT}, spans.CoreSpan(5, 1), 1,
                     id="a core of the grant for each rank"),
        pytest.param({"local_rank": 1, "local_ranks": 2, "grant": GRANT, "visible_cores": "4-7"}, spans.CoreSpan(5, 1),
                     1, id="the plugin's variable means all ranks"),
        pytest.param({"local_rank": 1, "local_ranks": 2, "grant": GRANT, "visible_cores": "0-3",
                      "numbering": "container"}, spans.CoreSpan(5, 1), 1, id="in container numbering too"),
        pytest.param({"local_rank": 1, "local_ranks": 2, "visible_cores": "4-7"}, spans.CoreSpan(4, 4), 4,
                     id="cores chosen for one rank stay"),
        pytest.param({"local_rank": 1, "local_ranks": 2, "num_cores": "3"}, None, 3, id="and so does a number"),
        pytest.param({"local_rank": 1, "local_ranks": 2, "group_sizes": "2,2"}, None, 4, id="and so do groups"),
        pytest.param({"visible_cores": "1-2", "numbering": "container"}, spans.CoreSpan(1, 2), 2,
                     id="container numbering without a grant is the node's"),
    ],
)  # fmt: skip
def test_wish_is_made_of_the_strongest_variable(
    values: dict[str, Any], exact: spans.CoreSpan | None, count: int
) -> None:
    made = wish(**values)
    assert (made.exact, made.count) == (exact, count)


@pytest.mark.parametrize(
    ("values", "line"),
    [
        pytest.param({"visible_cores": "3,5,6"}, "Neuron cores are not contiguous", id="gap"),
        pytest.param({"visible_cores": "16"}, "Specified core not accessible! is /dev/neuron4 visible to process?",
                     id="no such core"),
        pytest.param({"visible_cores": "4-4x"}, "nrt_init failed. Status = 2", id="malformed"),
        pytest.param({"num_cores": "-1"}, "nrt_init failed. Status = 2", id="negative number"),
        pytest.param({"group_sizes": "2,,2"}, "nrt_init failed. Status = 2", id="malformed groups"),
        pytest.param({"visible_cores": "0-1", "group_sizes": "2,2"}, "unset, or ask for 4",
                     id="groups larger than the cores"),
    ],
)  # fmt: skip
def test_wish_is_refused_with_the_words_of_the_runtime(values: dict[str, Any], line: str) -> None:
    with pytest.raises(errors.StartRefused) as caught:
        wish(**values)
    assert caught.value.lines[0].endswith(line)
    assert str(caught.value) == errors.NOT_INITIALIZED
    assert caught.value.status == nrt_status.NrtStatus.INVALID


def test_wish_of_a_rank_beyond_the_cores_is_refused_with_the_way_out() -> None:
    with pytest.raises(errors.StartRefused) as caught:
        wish(local_rank=4, local_ranks=5, grant=GRANT)
    assert str(caught.value) == (
        f"{errors.NOT_INITIALIZED}\nlocal rank 4 has no NeuronCore of its own: 5 processes were started, 4 cores are "
        "visible. Start fewer, or set NEURON_RT_VISIBLE_CORES for each"
    )


@pytest.mark.parametrize("visible", ["0-31", "3", "7-8", "8"])
def test_wish_outside_the_grant_is_refused_with_the_grant_named(visible: str) -> None:
    hardware = instance_types.hardware_of("trn1.32xlarge")
    with pytest.raises(
        errors.StartRefused, match=f"VISIBLE_CORES={visible} asks for NeuronCores outside 4-7, the grant of"
    ):
        wish(hardware, visible_cores=visible, grant=GRANT)


def test_wish_in_container_numbering_cannot_leave_the_grant() -> None:
    with pytest.raises(errors.StartRefused) as caught:
        wish(visible_cores="3-4", numbering="container", grant=GRANT)
    assert "use cores 0-3" in caught.value.lines[1]


@pytest.mark.parametrize(
    ("number", "grant", "accepted"),
    [
        pytest.param("1", None, True, id="one core"),
        pytest.param("8", None, True, id="whole devices"),
        pytest.param("3", None, False, id="part of a device"),
        pytest.param("3", spans.CoreSpan(4, 3), True, id="the whole grant, whatever its size"),
        pytest.param("2", spans.CoreSpan(4, 3), False, id="part of a device in a grant"),
    ],
)
def test_wish_for_a_number_on_trn2_is_one_core_or_whole_devices(
    number: str, grant: spans.CoreSpan | None, accepted: bool
) -> None:
    if accepted:
        assert wish(TRN2, num_cores=number, grant=grant).count == int(number)
    else:
        with pytest.raises(errors.StartRefused) as caught:
            wish(TRN2, num_cores=number, grant=grant)
        assert caught.value.lines[0].endswith("must request one core, or the whole device (multiple of 4)")


@pytest.mark.parametrize(
    ("values", "taken", "outcome"),
    [
        pytest.param({"num_cores": "3"}, [], spans.CoreSpan(0, 3), id="lowest first"),
        pytest.param({"num_cores": "3"}, [1], spans.CoreSpan(2, 3), id="first run that is long enough"),
        pytest.param(
            {"num_cores": "3"}, [2, 5, 8, 11, 14], selection.Busy(2), id="longest run, not the number of free cores"
        ),
        pytest.param({"num_cores": "17"}, [], selection.Busy(16), id="more than the machine has"),
        pytest.param({}, [], spans.CoreSpan(0, 16), id="all"),
        pytest.param({}, [0], selection.Busy(15), id="all, one taken"),
        pytest.param({}, range(16), selection.Busy(0), id="all taken"),
        pytest.param({"visible_cores": "4-5"}, [0, 6], spans.CoreSpan(4, 2), id="these very cores"),
        pytest.param({"visible_cores": "4-5"}, [4], selection.Busy(1), id="one of these taken"),
        pytest.param({"num_cores": "2", "grant": GRANT}, [4], spans.CoreSpan(5, 2), id="inside the grant"),
        pytest.param({"num_cores": "3", "grant": GRANT}, [5], selection.Busy(2), id="never outside the grant"),
    ],
)
def test_choose_takes_the_first_fit(
    values: dict[str, Any], taken: Sequence[int], outcome: spans.CoreSpan | selection.Busy
) -> None:
    assert selection.choose(wish(**values), free_of(16, taken)) == outcome


@pytest.mark.parametrize(
    ("cores", "taken", "plain", "quirk"),
    [
        pytest.param(4, [1], spans.CoreSpan(2, 2), selection.Busy(1), id="the run after the taken core is missed"),
        pytest.param(4, [0], spans.CoreSpan(1, 2), spans.CoreSpan(1, 2), id="no short run before, nothing missed"),
        pytest.param(8, [1, 4], spans.CoreSpan(2, 2), spans.CoreSpan(6, 2), id="missed twice"),
    ],
)
def test_choose_skips_a_core_after_a_short_run_when_told_to(
    cores: int, taken: Sequence[int], plain: spans.CoreSpan, quirk: spans.CoreSpan | selection.Busy
) -> None:
    values: dict[str, Any] = {"num_cores": "2", "grant": spans.CoreSpan(0, cores)}
    assert selection.choose(wish(**values), free_of(cores, taken)) == plain
    assert selection.choose(wish(**values, driver_skip_quirk=True), free_of(cores, taken)) == quirk


@pytest.mark.parametrize(
    ("hardware", "values", "text"),
    [
        pytest.param(INF1, {"num_cores": "4"}, " NeuronCore(s) not available - Requested:4 Available:1", id="number"),
        pytest.param(INF1, {"visible_cores": "1"}, "Requested:nc1-nc1 Available:1", id="these"),
        pytest.param(TRN2, {"num_cores": "4"}, "Requested:4 Available:1 Logical Core size 2", id="logical cores"),
    ],
)
def test_refusal_names_request_and_longest_free_run(
    hardware: instance_types.Hardware, values: dict[str, Any], text: str
) -> None:
    assert selection.refusal(wish(hardware, **values), selection.Busy(1), hardware).endswith(text)


@pytest.mark.parametrize(
    ("visible", "number", "said"),
    [("0-1", "4", "NEURON_RT_NUM_CORES is ignored"), ("0-1", "", ""), ("", "4", ""), ("", "", "")],
)
def test_advice_names_the_variable_that_is_overruled(visible: str, number: str, said: str) -> None:
    lines = selection.advice(environment.Environment(visible_cores=visible, num_cores=number))
    assert [line.endswith(said) for line in lines] == [True] * bool(said)
