"""What csrc/README.md says of the library's calls against what the library registers."""

import re

import pytest
import torch

from kits.device import neuron_processes
from neuronspan_runtime.library import torch_builds

Library = tuple[list[str], dict[str, list[str]], list[str]]


def registered() -> Library:
    """The schemas of all operators, the methods of each class, and the names of a core's numbers."""
    schemas = [str(schema) for schema in torch._C._jit_get_all_schemas()]
    made = {"Model": torch.classes.neuron.Model([b""], 1, "{}"), "Runtime": torch.classes.neuron.Runtime()}
    methods = {kind: [name for name in one._method_names() if not name.startswith("__")] for kind, one in made.items()}
    return (
        [schema.removeprefix("neuron::") for schema in schemas if schema.startswith("neuron::")],
        methods,
        list(torch.ops.neuron.memory_stats(0)),
    )


@pytest.fixture(scope="module")
def library(processes: neuron_processes.Parent, tmp_path_factory: pytest.TempPathFactory) -> Library:
    """What a process that has loaded the library finds in it."""
    return processes.run({"NEURONSPAN_STATE_DIR": str(tmp_path_factory.mktemp("state"))}, registered)


@pytest.fixture(scope="module")
def readme() -> str:
    """The part of the README that is about calls."""
    text = (torch_builds.SOURCES / "README.md").read_text(encoding="utf-8")
    return text[text.index("`torch.ops.neuron`") :]


def test_csrc_readme_has_the_schema_of_every_operator(readme: str, library: Library) -> None:
    schemas, _, _ = library
    written = re.findall(r"`(\w+\([^`]*\) -> [^`]+)`", readme)
    assert sorted(written) == sorted(schema.replace("__torch__.torch.classes.neuron.", "") for schema in schemas)


@pytest.mark.parametrize("kind", ["Model", "Runtime"])
def test_csrc_readme_has_every_method_of_a_class(kind: str, readme: str, library: Library) -> None:
    _, methods, _ = library
    paragraph = next(part for part in readme.split("\n\n") if part.startswith(f"`torch.classes.neuron.{kind}("))
    written = re.findall(r"`(\w+)\([^`]*\)`", paragraph)
    assert sorted(written) == sorted(methods[kind])


def test_csrc_readme_has_the_name_of_every_number_of_a_core(readme: str, library: Library) -> None:
    _, _, statistics = library
    row = next(line for line in readme.splitlines() if line.startswith("| `memory_stats("))
    assert sorted(re.findall(r"`(\w+)`", row)) == sorted(statistics)
