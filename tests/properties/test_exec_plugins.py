"""Whatever a program that logs in prints: it is credentials, or one sentence says what is wrong."""

import json
from typing import Any

import hypothesis
from hypothesis import strategies

from kits.connecting import login_programs
from neuronspan_agent import errors
from neuronspan_agent.connecting import entries, exec_plugins

PLUGIN = entries.Plugin(command="log-in", api_version=login_programs.V1, interactive_mode="Never")
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
@hypothesis.settings(deadline=None)
def test_whatever_is_printed_is_an_answer_or_a_sentence(status: Any) -> None:
    printed = {"apiVersion": login_programs.V1, "kind": "ExecCredential", "status": status}
    try:
        answer = exec_plugins.read(PLUGIN, json.dumps(printed).encode())
    except errors.Unavailable:
        return
    assert answer.token or answer.certificate
