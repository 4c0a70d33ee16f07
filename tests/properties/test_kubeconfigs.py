"""Whatever a kubeconfig holds: it means a server, or one sentence says what is wrong. Nobody sees a traceback."""

import json
import pathlib
import string
from collections.abc import Mapping
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies

from neuronspan_agent import errors
from neuronspan_agent.connecting import kubeconfigs, targets

SCALARS = (
    strategies.none() | strategies.booleans() | strategies.integers() | strategies.text(string.printable, max_size=8)
)
KEYS = strategies.sampled_from(
    ["name", "cluster", "user", "context", "server", "token", "exec", "command", "apiVersion", "args", "env", "as",
     "tokenFile", "client-certificate-data", "client-key", "extensions", "extension", "proxy-url", "auth-provider",
     "insecure-skip-tls-verify", "as-user-extra", "as-groups", "namespace", "interactiveMode"]
)  # fmt: skip
ANYTHING = strategies.recursive(
    SCALARS, lambda inner: strategies.lists(inner, max_size=3) | strategies.dictionaries(KEYS, inner, max_size=4)
)
NAMED = strategies.lists(
    strategies.fixed_dictionaries(
        {"name": strategies.sampled_from(["a", "b"]) | SCALARS},
        optional=dict.fromkeys(("cluster", "user", "context"), ANYTHING),
    ),
    max_size=2,
)
CONFIGS = ANYTHING | strategies.fixed_dictionaries(
    {"contexts": NAMED | ANYTHING, "clusters": NAMED | ANYTHING, "users": NAMED | ANYTHING},
    optional={"current-context": strategies.sampled_from(["a", "b"]) | SCALARS},
)


@hypothesis.given(content=CONFIGS)
@hypothesis.settings(deadline=None)
def test_whatever_a_file_holds_is_a_target_or_one_sentence(
    tmp_path_factory: pytest.TempPathFactory, content: Mapping[str, Any]
) -> None:
    path = tmp_path_factory.mktemp("fuzz") / "config"
    path.write_text(json.dumps(content), encoding="utf-8")
    _is_a_target_or_one_sentence(path)


@hypothesis.given(content=strategies.binary(max_size=64) | strategies.text(string.printable).map(str.encode))
@hypothesis.settings(deadline=None)
def test_whatever_bytes_a_file_has_are_a_target_or_one_sentence(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.mktemp("fuzz") / "config"
    path.write_bytes(content)
    _is_a_target_or_one_sentence(path)


def _is_a_target_or_one_sentence(path: pathlib.Path) -> None:
    said = _said_of(path)
    assert "\n" not in said
    assert said.startswith(("http://", "https://")) or str(path) in said or "is no address" in said


def _said_of(path: pathlib.Path) -> str:
    """The server, or what is wrong."""
    try:
        return targets.choose(kubeconfigs.of_files([path]), targets.Wanted(), {}).cluster.server
    except errors.LoginFailed as error:
        return str(error)
