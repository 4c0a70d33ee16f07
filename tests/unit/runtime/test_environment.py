import pathlib

import pytest

from neuronspan import spans
from neuronspan_runtime import environment, errors


def test_environment_is_all_defaults_when_nothing_is_set() -> None:
    assert environment.read({}) == environment.Environment()


def test_environment_reads_every_variable() -> None:
    variables = {
        "NEURON_RT_VISIBLE_CORES": "4-7",
        "NEURON_RT_NUM_CORES": "2",
        "NEURONCORE_GROUP_SIZES": "1,1",
        "NEURONSPAN_GRANT": "4-7",
        "NEURONSPAN_CORE_NUMBERING": "container",
        "NEURONSPAN_INSTANCE_TYPE": "inf1.6xlarge",
        "NEURONSPAN_LOGICAL_CORE_SIZE": "1",
        "NEURON_LOGICAL_NC_CONFIG": "2",
        "NEURON_RT_LOG_LEVEL": "warn",
        "NEURONSPAN_STATE_DIR": "/somewhere",
        "NEURONSPAN_DRIVER_SKIP_QUIRK": "1",
    }
    assert environment.read(variables) == environment.Environment(
        visible_cores="4-7",
        num_cores="2",
        group_sizes="1,1",
        grant=spans.CoreSpan(4, 4),
        numbering="container",
        instance_type="inf1.6xlarge",
        logical_core_size=1,
        logical_config=2,
        log_level="WARN",
        state_directory=pathlib.Path("/somewhere"),
        driver_skip_quirk=True,
    )


@pytest.mark.parametrize(("text", "expected"), [("", "exact"), ("exact", "exact"), (" device ", "device")])
def test_numerics_are_exact_unless_the_environment_says_device(text: str, expected: str) -> None:
    assert environment.numerics({"NEURONSPAN_NUMERICS": text}) == expected
    assert environment.numerics({}) == "exact"


def test_numerics_that_there_are_not_are_refused_with_those_that_there_are() -> None:
    with pytest.raises(errors.InvalidSettings, match=r"^NEURONSPAN_NUMERICS='bf16' is not exact or device$"):
        environment.numerics({"NEURONSPAN_NUMERICS": "bf16"})


@pytest.mark.parametrize(
    ("variables", "scale"),
    [
        ({}, None),
        ({"NEURONSPAN_TIME": "cpu", "NEURONSPAN_TIME_SCALE": "4"}, None),
        ({"NEURONSPAN_TIME_SCALE": "4"}, None),
        ({"NEURONSPAN_TIME": "device"}, 1.0),
        ({"NEURONSPAN_TIME": "device", "NEURONSPAN_TIME_SCALE": "2.5"}, 2.5),
    ],
)
def test_time_is_the_cpus_unless_the_environment_says_device(variables: dict[str, str], scale: float | None) -> None:
    assert environment.read(variables).time_scale == scale


@pytest.mark.parametrize("scale", ["0", "-1", "nan", "inf", "ten"])
def test_time_that_there_is_not_is_refused(scale: str) -> None:
    with pytest.raises(errors.InvalidSettings) as caught:
        environment.read({"NEURONSPAN_TIME": "neuron", "NEURONSPAN_TIME_SCALE": scale})
    assert caught.value.problems == (
        f"NEURONSPAN_TIME_SCALE={scale!r} is not a number above 0",
        "NEURONSPAN_TIME='neuron' is not cpu or device",
    )


@pytest.mark.parametrize("blank", ["", "  "])
def test_environment_takes_a_blank_variable_for_unset(blank: str) -> None:
    names = ("NEURON_RT_VISIBLE_CORES", "NEURON_RT_NUM_CORES", "NEURONSPAN_GRANT", "NEURONSPAN_DRIVER_SKIP_QUIRK")
    assert environment.read(dict.fromkeys(names, blank)) == environment.Environment()


@pytest.mark.parametrize(
    ("rank", "ranks", "expected"),
    [("3", "4", (3, 4)), ("-1", "", (0, 1)), ("-1", "-1", (0, 1)), ("0", "0", (0, 1)), ("none", "many", (0, 1))],
)
def test_variables_of_launchers_say_something_or_nothing_but_are_never_wrong(
    rank: str, ranks: str, expected: tuple[int, int]
) -> None:
    found = environment.read({"LOCAL_RANK": rank, "LOCAL_WORLD_SIZE": ranks})
    assert (found.local_rank, found.local_ranks) == expected


def test_environment_reports_all_problems_at_once() -> None:
    variables = {
        "NEURONSPAN_GRANT": "4-",
        "NEURONSPAN_CORE_NUMBERING": "pod",
        "NEURONSPAN_LOGICAL_CORE_SIZE": "two",
        "NEURON_RT_VIRTUAL_CORE_SIZE": "3",
        "NEURON_RT_LOG_LEVEL_NRT": "LOUD",
        "NEURONSPAN_DRIVER_SKIP_QUIRK": "yes",
    }
    with pytest.raises(errors.InvalidSettings) as caught:
        environment.read(variables)
    assert caught.value.problems == (
        "NEURONSPAN_GRANT='4-' is not a span of NeuronCores such as 4-7",
        "NEURONSPAN_CORE_NUMBERING='pod' is not node or container",
        "NEURONSPAN_LOGICAL_CORE_SIZE='two' is not an integer",
        "NEURON_RT_VIRTUAL_CORE_SIZE='3' is not 1 or 2",
        "NEURON_RT_LOG_LEVEL_NRT='LOUD' is not one of QUIET, ERROR, WARN, WARNING, INFO, DEBUG, TRACE",
        "NEURONSPAN_DRIVER_SKIP_QUIRK='yes' is not 0 or 1",
    )


@pytest.mark.parametrize(
    ("variables", "size"),
    [
        ({"NEURON_LOGICAL_NC_CONFIG": "1", "NEURON_RT_VIRTUAL_CORE_SIZE": "2"}, 1),
        ({"NEURON_LOGICAL_NC_CONFIG": "", "NEURON_RT_VIRTUAL_CORE_SIZE": "2"}, 2),
        ({}, None),
    ],
)
def test_environment_reads_the_first_name_of_the_logical_core_size_that_is_set(
    variables: dict[str, str], size: int | None
) -> None:
    assert environment.read(variables).logical_config == size


def test_environment_prefers_the_log_level_of_the_component() -> None:
    variables = {"NEURON_RT_LOG_LEVEL": "ERROR", "NEURON_RT_LOG_LEVEL_NRT": "debug"}
    assert environment.read(variables).log_level == "DEBUG"


def test_environment_names_the_compiler_with_its_first_arguments() -> None:
    assert environment.compiler({"CXX": " ccache g++ "}) == ("ccache", "g++")
    assert environment.compiler({"CXX": " "}) == ()


def test_environment_of_a_child_is_this_process_s_with_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEURONSPAN_A", "ours")
    monkeypatch.setenv("NEURONSPAN_B", "ours")
    child = environment.of_child(NEURONSPAN_B="changed", NEURONSPAN_C="new")
    assert [child[f"NEURONSPAN_{name}"] for name in "ABC"] == ["ours", "changed", "new"]
