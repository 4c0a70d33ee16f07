"""Settings: flags and environment, all problems at once."""

import dataclasses
import pathlib
from collections.abc import Iterable, Mapping

import pytest

from neuronspan_agent import errors, settings

WHAT = "An agent that waits."


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """What the agent of these tests is told."""

    node: str = settings.declared(settings.NAME, "name of the node")
    folder: pathlib.Path = settings.declared(settings.PATH, "where", default=pathlib.Path("/here"))
    colour: str = settings.declared(settings.choice("red", "blue"), "100 % of it", default="red")
    patience: float = settings.declared(settings.number(float, 0.1, 60, "seconds"), "waits", default=1.0)
    calls: int = settings.declared(settings.number(int, 1, 9, "calls"), "at once", default=2)
    dry: bool = settings.declared(settings.SWITCH, "writes nothing", default=False)
    port: int = settings.declared(settings.PORT, "of the pages", default=8080)
    label: str = settings.declared(settings.TEXT, "any", default="")


def _contradictions(values: settings.Values) -> Iterable[str]:
    if values["calls"] > values["patience"] * 5:
        yield "--calls are too many for --patience"


def load(flags: Iterable[str] = (), environment: Mapping[str, str] | None = None) -> Form:
    variables = {"NEURONSPAN_NODE": "w1"} if environment is None else environment
    return settings.load(
        Form, "waiter", WHAT, arguments=[*flags], environment=variables, contradictions=_contradictions
    )


def test_load_gives_the_defaults_when_only_the_required_is_given() -> None:
    assert load() == Form(node="w1")


@pytest.mark.parametrize(
    ("flags", "environment", "expected"),
    [
        (["--port", "9090"], {}, 9090),
        ([], {"NEURONSPAN_PORT": "9091"}, 9091),
        (["--port=9090"], {"NEURONSPAN_PORT": "9091"}, 9090),
    ],
    ids=["flag", "environment", "flag-wins"],
)
def test_load_reads_a_setting_from(flags: list[str], environment: Mapping[str, str], expected: int) -> None:
    assert load(flags, {"NEURONSPAN_NODE": "w1", **environment}).port == expected


def test_every_setting_has_a_flag_and_a_variable() -> None:
    values = {
        "node": "w2", "folder": "/there", "colour": "blue", "patience": "2", "calls": "3", "dry": "YES", "port": "1",
        "label": "x",
    }  # fmt: skip
    by_flag = load([f"{settings.flag(name)}={value}" for name, value in values.items()], {})
    assert by_flag == load([], {settings.variable(name): value for name, value in values.items()})
    assert by_flag == Form(
        node="w2", folder=pathlib.Path("/there"), colour="blue", patience=2.0, calls=3, dry=True, port=1, label="x"
    )


@pytest.mark.parametrize(
    ("flag", "expected"),
    [
        ("--port=70000", "a port from 0 to 65535"),
        ("--port=http", "a port from 0 to 65535"),
        ("--colour=green", "red or blue"),
        ("--dry=maybe", "true or false"),
        ("--node= ", "a name"),
        ("--folder=there", "an absolute path"),
        ("--calls=0", "a number of calls from 1 to 9"),
        ("--calls=1.5", "a number of calls from 1 to 9"),
        ("--patience=nan", "a number of seconds from 0.1 to 60"),
        ("--patience=inf", "a number of seconds from 0.1 to 60"),
    ],
)
def test_load_refuses_a_bad_value_and_says_what_is_good(flag: str, expected: str) -> None:
    with pytest.raises(errors.InvalidSettings) as refusal:
        settings.load(Form, "waiter", WHAT, arguments=["--node=w1", flag], environment={}, contradictions=lambda _: ())
    name, _, value = flag.partition("=")
    assert refusal.value.problems == (f"{name} is {value!r}: give {expected}",)


def test_load_reports_all_problems_at_once_with_their_source() -> None:
    with pytest.raises(errors.InvalidSettings) as refusal:
        load(["--port=x", "--color=red", "--calls=9"], {"NEURONSPAN_DRY": "perhaps"})
    assert refusal.value.problems == (
        "--color=red: there is no such flag, see --help",
        "--node (or NEURONSPAN_NODE) is not set: name of the node",
        "NEURONSPAN_DRY is 'perhaps': give true or false",
        "--port is 'x': give a port from 0 to 65535",
        "--calls are too many for --patience",
    )
    assert all(f"- {each}" in str(refusal.value).splitlines() for each in refusal.value.problems)


def test_effective_gives_every_setting_as_text() -> None:
    shown = settings.effective(load(["--folder=/there"]))
    assert shown.keys() == {field.name for field in dataclasses.fields(Form)}
    assert (shown["folder"], shown["dry"], shown["label"]) == ("/there", "False", "")


def test_help_names_program_flags_values_defaults_and_variables(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        load(["--help"])
    assert end.value.code == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert WHAT in shown
    assert "--node VALUE name of the node (a name; required; NEURONSPAN_NODE)" in shown
    assert "--colour VALUE 100 % of it (red or blue; default: red; NEURONSPAN_COLOUR)" in shown
    assert "--label VALUE any (a text; default: empty; NEURONSPAN_LABEL)" in shown


def test_empty_flag_beats_its_variable() -> None:
    assert load(["--label="], {"NEURONSPAN_NODE": "w1", "NEURONSPAN_LABEL": "theirs"}).label == ""
