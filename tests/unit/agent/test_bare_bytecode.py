"""The agents as their images run them, without docstrings and assertions."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("module", "said"),
    [
        ("neuronspan_deviceplugin", "The node agent: steers kubelet"),
        ("neuronspan_operator", "The operator: gives pods"),
    ],
)
def test_agent_without_docstrings_still_says_what_it_is(module: str, said: str) -> None:
    asking = f"from {module} import config; config.load(['--help'], {{}})"
    shown = subprocess.run([sys.executable, "-OO", "-c", asking], capture_output=True, text=True, check=True)
    assert said in shown.stdout
