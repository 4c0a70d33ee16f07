"""`kubectl neuron` takes the context that kubectl takes, whatever files there are."""

import json
import os
import pathlib
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies

from cluster import tools
from neuronspan_agent import errors
from neuronspan_operator.cli import kubeconfigs

pytestmark = pytest.mark.integration

NAMES = strategies.sampled_from(["dev", "test", "prod"])
CONTEXTS = strategies.lists(
    strategies.builds(
        lambda name, said: {"name": name, "context": {"cluster": "c", "user": "u"} | said},
        NAMES,
        strategies.sampled_from([{}, {"namespace": "ml"}, {"namespace": "web"}, {"namespace": ""}]),
    ),
    max_size=3,
    unique_by=lambda context: context["name"],
)
FILES = strategies.lists(
    strategies.fixed_dictionaries({"contexts": CONTEXTS}, optional={"current-context": NAMES | strategies.just("")}),
    min_size=1,
    max_size=3,
)
SURROUNDINGS = {
    "apiVersion": "v1",
    "kind": "Config",
    "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}],
    "users": [{"name": "u", "user": {"token": "t"}}],
}


@hypothesis.settings(max_examples=60, deadline=None, derandomize=True)
@hypothesis.given(files=FILES, wanted=strategies.just("") | NAMES)
def test_context_and_namespace_are_those_of_kubectl(files: Sequence[Mapping[str, Any]], wanted: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        paths = os.pathsep.join(_written(pathlib.Path(folder), files))
        try:
            found = kubeconfigs.read(paths, wanted)
        except errors.LoginFailed:
            found = None
        assert found == _of_kubectl(paths, wanted)


def _written(folder: pathlib.Path, files: Sequence[Mapping[str, Any]]) -> list[str]:
    paths = [folder / f"config-{number}" for number in range(len(files))]
    for path, content in zip(paths, files, strict=True):
        path.write_text(json.dumps({**SURROUNDINGS, **content}), encoding="utf-8")
    return list(map(str, paths))


def _of_kubectl(paths: str, wanted: str) -> kubeconfigs.Context | None:
    """What kubectl takes, None where it refuses."""
    chosen = ["--context", wanted] if wanted else []
    command = [str(tools.program("kubectl")), "config", "view", "--minify", "--output", "json", *chosen]
    done = subprocess.run(command, env={"KUBECONFIG": paths}, capture_output=True, text=True, check=False)
    if done.returncode:
        return None
    shown = json.loads(done.stdout)
    (context,) = shown["contexts"]
    return kubeconfigs.Context(context["name"], context["context"].get("namespace", ""))
