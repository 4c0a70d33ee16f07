"""Settings: flags and environment, all problems at once."""

import dataclasses
from collections.abc import Mapping

import pytest

from neuronspan_operator import config, errors


def test_load_gives_the_defaults_without_flags_and_environment() -> None:
    settings = config.load([], {})
    assert dataclasses.replace(settings, identity="") == config.Settings()
    assert settings.identity  # the host's name


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
    assert config.load(flags, environment).port == expected


def test_every_setting_has_a_flag_and_a_variable() -> None:
    values = {
        "kubeconfig": "/k", "namespace": "n", "identity": "i", "leader_election": "no", "lease_name": "l",
        "lease_seconds": "30", "renew_seconds": "20", "retry_seconds": "5", "port": "1", "core_numbering": "container",
        "debounce_seconds": "1", "writers": "2", "call_seconds": "3", "relist_seconds": "4", "log_level": "debug",
        "log_format": "json",
    }  # fmt: skip
    assert set(values) == {field.name for field in dataclasses.fields(config.Settings)}
    by_flag = config.load([f"--{name.replace('_', '-')}={value}" for name, value in values.items()], {})
    by_variable = config.load([], {f"NEURONSPAN_{name.upper()}": value for name, value in values.items()})
    assert by_flag == by_variable
    assert all(getattr(by_flag, field.name) != field.default for field in dataclasses.fields(by_flag))


@pytest.mark.parametrize(
    ("flag", "expected"),
    [
        ("--port=70000", "0 to 65535"),
        ("--port=http", "0 to 65535"),
        ("--core-numbering=both", "node or container"),
        ("--leader-election=maybe", "true or false"),
        ("--namespace= ", "a name"),
        ("--writers=0", "1 to 100"),
        ("--call-seconds=nan", "0.1 to 86400"),
        ("--lease-seconds=inf", "0.1 to 86400"),
    ],
)
def test_load_refuses_a_bad_value_and_says_what_is_good(flag: str, expected: str) -> None:
    with pytest.raises(errors.InvalidSettings, match=expected) as refusal:
        config.load([flag], {})
    assert flag.partition("=")[0] in str(refusal.value)


def test_load_reports_all_problems_at_once() -> None:
    with pytest.raises(errors.InvalidSettings) as refusal:
        config.load(["--port=x", "--colour=red", "--renew-seconds=20"], {"NEURONSPAN_WRITERS": "many"})
    problems = str(refusal.value).splitlines()
    assert len(problems) == 4
    for part in ("--port is 'x'", "--colour=red: there is no such flag", "NEURONSPAN_WRITERS is 'many'", "must grow"):
        assert any(part in problem for problem in problems), part


@pytest.mark.parametrize(
    ("flags", "environment", "expected"),
    [
        ([], {}, ""),
        ([], {"KUBECONFIG": "/home/config"}, "/home/config"),
        ([], {"KUBECONFIG": "/home/config", "KUBERNETES_SERVICE_HOST": "10.0.0.1"}, ""),
        (["--kubeconfig=/mine"], {"KUBECONFIG": "/home/config", "KUBERNETES_SERVICE_HOST": "10.0.0.1"}, "/mine"),
    ],
    ids=["none", "outside", "in-cluster", "told"],
)
def test_load_chooses_the_login(flags: list[str], environment: Mapping[str, str], expected: str) -> None:
    assert config.load(flags, environment).kubeconfig == expected


def test_describe_shows_every_effective_setting() -> None:
    text = config.describe(config.load(["--port=9090"], {}))
    assert "--port=9090" in text.splitlines()
    assert len(text.splitlines()) == len(dataclasses.fields(config.Settings))


def test_help_names_every_flag(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        config.load(["--help"], {})
    assert end.value.code == 0
    shown = capsys.readouterr().out
    assert all(f"--{field.name.replace('_', '-')}" in shown for field in dataclasses.fields(config.Settings))
