"""What csrc/README.md says of the library's calls against what the library registers."""

import re

import pytest
import torch

from kits.device import neuron_processes
from neuronspan_runtime.library import extension


def registered() -> tuple[list[str], list[str], list[str]]:
    """The schemas of all operators, the methods of a model, and the names of a core's numbers."""
    schemas = [str(schema) for schema in torch._C._jit_get_all_schemas()]
    methods = torch.classes.neuron.Model([b""], 1, "{}")._method_names()
    return (
        [schema.removeprefix("neuron::") for schema in schemas if schema.startswith("neuron::")],
        [name for name in methods if not name.startswith("__")],
        list(torch.ops.neuron.memory_stats(0)),
    )


@pytest.fixture(scope="module")
def library(
    processes: neuron_processes.Parent, tmp_path_factory: pytest.TempPathFactory
) -> tuple[list[str], list[str], list[str]]:
    """What a process that has loaded the library finds in it."""
    return processes.run({"NEURONSPAN_STATE_DIR": str(tmp_path_factory.mktemp("state"))}, registered)


@pytest.fixture(scope="module")
def readme() -> str:
    """The part of the README that is about calls."""
    text = (extension.SOURCES / "README.md").read_text(encoding="utf-8")
    return text[text.index("`torch.ops.neuron`") :]


def test_csrc_readme_has_the_schema_of_every_operator(
    readme: str, library: tuple[list[str], list[str], list[str]]
) -> None:
    schemas, _, _ = library
    written = re.findall(r"`(\w+\([^`]*\) -> [^`]+)`", readme)
    assert sorted(written) == sorted(schema.replace("__torch__.torch.classes.neuron.", "") for schema in schemas)


def test_csrc_readme_has_every_method_of_a_model(readme: str, library: tuple[list[str], list[str], list[str]]) -> None:
    _, methods, _ = library
    paragraph = next(part for part in readme.split("\n\n") if part.startswith("`torch.classes.neuron.Model("))
    written = re.findall(r"`(\w+)\([^`]*\)`", paragraph)
    assert sorted(written) == sorted(methods)


def test_csrc_readme_has_the_name_of_every_number_of_a_core(
    readme: str, library: tuple[list[str], list[str], list[str]]
) -> None:
    _, _, statistics = library
    row = next(line for line in readme.splitlines() if line.startswith("| `memory_stats("))
    assert sorted(re.findall(r"`(\w+)`", row)) == sorted(statistics)
