"""Programs that give credentials: what they are told, what they may answer, what is said when they fail."""

import asyncio
import datetime as dt
import json
import pathlib
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies

from kits.connecting import login_programs
from neuronspan_agent import errors
from neuronspan_agent.connecting import entries, exec_plugins

V1BETA1 = "client.authentication.k8s.io/v1beta1"
PLUGIN = entries.Plugin(command="log-in", api_version=login_programs.V1, interactive_mode="Never")
CLUSTER = entries.Cluster(server="https://api", tls_server_name="n", insecure=True, exec_config={"a": 1})


@pytest.fixture
def program(tmp_path: pathlib.Path) -> login_programs.LoginProgram:
    return login_programs.LoginProgram(tmp_path)


def _run(plugin: entries.Plugin, **named: Any) -> exec_plugins.Answer:
    told = exec_plugins.cluster_info(CLUSTER, b"pem", "http://proxy")
    return asyncio.run(exec_plugins.run(plugin, told, {"SECRET": "ours", "PATH": "/usr/bin:/bin"}, **named))


@pytest.mark.parametrize("version", [login_programs.V1, V1BETA1])
@pytest.mark.parametrize("provided", [False, True])
def test_program_gets_arguments_variables_and_what_it_wants_to_know(
    program: login_programs.LoginProgram, version: str, *, provided: bool
) -> None:
    program.gives(version=version, token="t", expirationTimestamp="2026-01-02T03:04:05Z")
    plugin = program.plugin(
        api_version=version, arguments=("a", "b"), environment=(("SECRET", "its"),), provide_cluster_info=provided
    )
    answer = _run(plugin)
    assert answer == exec_plugins.Answer("t", expires=dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC))
    (told,) = program.told()
    assert (told["arguments"], told["secret"], told["input"]) == (["a", "b"], "its", "")
    spec = told["info"].pop("spec")
    assert told["info"] == {"kind": "ExecCredential", "apiVersion": version}
    cluster = {
        "server": "https://api",
        "tls-server-name": "n",
        "insecure-skip-tls-verify": True,
        "certificate-authority-data": "cGVt",
        "proxy-url": "http://proxy",
        "config": {"a": 1},
    }
    assert spec == {"interactive": False} | ({"cluster": cluster} if provided else {})


def test_what_the_program_says_to_people_is_shown(
    program: login_programs.LoginProgram, capfd: pytest.CaptureFixture[str]
) -> None:
    program.gives(token="t")
    _run(program.plugin())
    assert capfd.readouterr().err == "please wait\n"


@pytest.mark.parametrize(
    ("command", "hint", "words"),
    [
        (
            "/none/log-in",
            "get it\nat https://example.com",
            "(No such file or directory): get it at https://example.com",
        ),
        ("surely-not-there", "", "(No such file or directory): install it, or set $PATH"),
        ("/etc/passwd", "", "(Permission denied): install it"),
        ("zero\x00", "", "cannot be started"),
    ],
)
def test_program_that_cannot_be_started_is_named_with_its_hint(command: str, hint: str, words: str) -> None:
    with pytest.raises(errors.Unavailable) as refusal:
        _run(entries.Plugin(command=command, api_version="v", install_hint=hint))
    assert words in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_program_that_fails_or_does_not_end_is_named(
    program: login_programs.LoginProgram, tmp_path: pathlib.Path
) -> None:
    program.prints("", status=3)
    with pytest.raises(errors.Unavailable, match="log-in that the kubeconfig logs in with ended with 3: see what it"):
        _run(program.plugin())
    endless = tmp_path / "endless"
    endless.write_text("#!/bin/sh\nexec sleep 60\n")
    endless.chmod(0o755)
    with pytest.raises(errors.Unavailable, match=r"did not end within 0\.05 s"):
        _run(program.plugin(command=str(endless)), seconds=0.05)


def test_program_that_has_to_ask_needs_a_terminal() -> None:
    with pytest.raises(errors.Unavailable, match="standard input is no terminal: run the command in one"):
        _run(entries.Plugin(command="/none", api_version="v", interactive_mode="Always"))


def _printed(**changes: Any) -> bytes:
    return json.dumps(
        {"apiVersion": login_programs.V1, "kind": "ExecCredential", "status": {"token": "t"}} | changes
    ).encode()


@pytest.mark.parametrize(
    ("output", "words"),
    [
        (b"", "printed no JSON"),
        (b"[]", "printed no ExecCredential"),
        (_printed(kind="Pod"), "printed no ExecCredential"),
        (_printed(apiVersion=V1BETA1), "answers in client.authentication.k8s.io/v1beta1 where the kubeconfig says"),
        (_printed(status=None), "gave no status"),
        (_printed(status={}), "gave neither a token nor a client certificate"),
        (_printed(status={"clientKeyData": "k"}), "gave only one of certificate and key"),
        (_printed(status={"token": 7}), "gave token that is no text"),
        (_printed(status={"token": "t", "expirationTimestamp": "soon"}), "'soon', which is no time"),
    ],
)
def test_answer_that_cannot_be_used_says_what_is_wrong(output: bytes, words: str) -> None:
    with pytest.raises(errors.Unavailable) as refusal:
        exec_plugins.read(PLUGIN, output)
    assert words in str(refusal.value)


def test_certificate_and_key_are_read_and_kept_out_of_logs() -> None:
    answer = exec_plugins.read(PLUGIN, _printed(status={"clientCertificateData": "c", "clientKeyData": "secret"}))
    assert (answer.certificate, answer.key, answer.expires) == (b"c", b"secret", None)
    assert "secret" not in repr(answer)


TEXTS = strategies.sampled_from(["", "t", "2026-01-02T00:00:00Z", "tomorrow"])
ANYTHING = strategies.recursive(
    strategies.none() | strategies.booleans() | strategies.integers() | TEXTS,
    lambda inner: strategies.lists(inner, max_size=2) | strategies.dictionaries(TEXTS, inner, max_size=2),
    max_leaves=4,
)
STATUS = strategies.dictionaries(
    strategies.sampled_from(["token", "clientCertificateData", "clientKeyData", "expirationTimestamp"]), ANYTHING
)


@hypothesis.given(status=STATUS | ANYTHING)
@hypothesis.settings(deadline=None, max_examples=30)
def test_whatever_is_printed_is_an_answer_or_a_sentence(status: Any) -> None:
    try:
        answer = exec_plugins.read(PLUGIN, _printed(status=status))
    except errors.Unavailable:
        return
    assert answer.token or answer.certificate
