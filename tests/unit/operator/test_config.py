"""The operator's own settings, and what contradicts what."""

import dataclasses
from collections.abc import Mapping

import pytest

from neuronspan_agent import errors
from neuronspan_operator import config


def test_load_gives_the_defaults_without_flags_and_environment() -> None:
    settings = config.load([], {})
    assert dataclasses.replace(settings, identity="") == config.Settings()
    assert settings.identity  # the host's name


def test_every_setting_has_a_flag_and_a_variable() -> None:
    values = {
        "kubeconfig": "/k", "namespace": "n", "identity": "i", "leader_election": "no", "lease_name": "l",
        "lease_seconds": "30", "renew_seconds": "20", "retry_seconds": "5", "port": "1", "core_numbering": "container",
        "debounce_seconds": "1", "writers": "2", "call_seconds": "3", "relist_seconds": "4", "starvation_seconds": "5",
        "webhook": "yes", "webhook_port": "6", "webhook_service": "s", "webhook_secret": "t",
        "webhook_configuration": "c", "webhook_certificates": "/d", "webhook_drain_seconds": "7",
        "most_cores": "8", "most_devices": "9", "guests": "yes",
        "log_level": "debug",
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
        ("--core-numbering=both", "node or container"),
        ("--namespace= ", "a name"),
        ("--writers=0", "1 to 100"),
        ("--call-seconds=nan", "0.1 to 86400"),
        ("--lease-seconds=inf", "0.1 to 86400"),
        ("--log-format=xml", "text or json"),
    ],
)
def test_load_refuses_a_bad_value_and_says_what_is_good(flag: str, expected: str) -> None:
    with pytest.raises(errors.InvalidSettings, match=expected) as refusal:
        config.load([flag], {})
    (problem,) = refusal.value.problems
    assert problem.startswith(flag.partition("=")[0])


def test_load_refuses_a_leader_that_gives_up_after_others_take_over() -> None:
    with pytest.raises(errors.InvalidSettings, match=r"--renew-seconds 20 and --lease-seconds 15 must grow"):
        config.load(["--renew-seconds=20"], {})


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
