"""kubectl's flags: where they may stand, what they mean, what is said of those that are wrong."""

import logging
import pathlib

import click
import pytest
from click import testing

from neuronspan_agent import errors
from neuronspan_agent.connecting import entries, in_cluster, transport
from neuronspan_operator.cli import commands, flags


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", None), ("0s", None), ("5", 5), ("1s", 1), ("2m", 120), ("1h30m", 5400), ("1.5s", 1.5), ("250ms", 0.25)],
)
def test_durations_are_gos(text: str, seconds: float | None) -> None:
    assert flags.read_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "x", "3x", "1s ", "-1s", "1 m", "s"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(click.ClickException, match="give a number of seconds, or one like 1s, 2m, 3h"):
        flags.read_duration(text)


def test_what_stands_behind_counts_and_lists_are_joined() -> None:
    before = flags.Flags().behind({"token": "a", "as_group": ("x",), "user": None, "as_user_extra": ()})
    both = before.behind({"token": "b", "as_group": ("y",), "user": "u", "namespace": None})
    assert both.said == {"token": "b", "as_group": ("x", "y"), "user": "u"}
    assert "token" not in repr(both)


def test_all_flags_reach_the_target(tmp_path: pathlib.Path) -> None:
    said = {
        "server": "https://api",
        "tls_server_name": "n",
        "certificate_authority": "/ca",
        "client_certificate": "/c",
        "client_key": "/k",
        "token": "t",
        "as": "other",
        "as_uid": "7",
        "as_group": ("g",),
        "as_user_extra": ("a=b", "a=c=d"),
        "namespace": "ml",
    }
    target = flags.Flags(said).target({"KUBECONFIG": str(tmp_path / "none")})
    assert (target.cluster.server, target.namespace, target.host) == ("https://api", "ml", "n")
    assert target.user == entries.User(
        token="t",
        certificate="/c",
        key="/k",
        act_as="other",
        act_as_uid="7",
        act_as_groups=("g",),
        act_as_extra=(("a", "b"), ("a", "c=d")),
    )
    with pytest.raises(click.ClickException, match="--as-user-extra is 'a': give key=value"):
        flags.Flags(said | {"as_user_extra": ("a",)}).target({"KUBECONFIG": str(tmp_path / "none")})


def test_without_a_kubeconfig_a_pods_service_account_counts(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = {"HOME": str(tmp_path)}
    with pytest.raises(errors.NoKubeconfig):
        flags.Flags().target(nowhere)
    for name in ("token", "ca.crt"):
        (tmp_path / name).write_text("x")
    monkeypatch.setattr(in_cluster, "FOLDER", tmp_path)
    inside = nowhere | {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"}
    assert flags.Flags().target(inside).cluster.server == "https://10.0.0.1:443"
    with pytest.raises(errors.NoKubeconfig):  # a file that was named is meant
        flags.Flags({"kubeconfig": "/none"}).target(inside)


@pytest.mark.parametrize(
    "arguments",
    [("--colour", "map"), ("map", "--colour"), ("draw",), ("explain",), ("map", "--request-timeout=x")],
    ids=["before", "behind", "no such command", "no pod", "no duration"],
)
def test_wrong_words_end_with_1_as_with_kubectl(arguments: tuple[str, ...]) -> None:
    result = testing.CliRunner().invoke(commands.main, arguments)
    assert result.exit_code == 1
    assert "Error: " in result.output
    assert "Traceback" not in result.output


def test_calls_are_shown_when_they_are_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls = logging.getLogger(transport.__name__)
    monkeypatch.setattr(calls, "handlers", [])
    monkeypatch.setattr(calls, "level", calls.level)
    for verbosity, shown in ((5, ""), (6, "GET https://api/ 200\n")):
        flags.show_calls(flags.Flags({"verbosity": verbosity}))
        calls.debug("answered", extra={"call": "GET https://api/", "status": 200})
        assert capsys.readouterr().err == shown
