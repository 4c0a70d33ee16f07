"""Who installs an extra has everything that the commands of this extra import."""

import functools
import pathlib
import sys

import grimp
import pytest
from packaging import requirements as packaging_requirements

from cluster import requirements

PYPROJECT = (pathlib.Path(__file__).parents[3] / "pyproject.toml").read_text(encoding="utf-8")
PACKAGES = (
    "neuronspan",
    "neuronspan_agent",
    "neuronspan_deviceplugin",
    "neuronspan_embedded",
    "neuronspan_operator",
    "neuronspan_runtime",
)
COMMANDS = {
    "operator": ["neuronspan_operator.__main__"],
    "deviceplugin": ["neuronspan_deviceplugin.__main__"],
    "cli": ["neuronspan_operator.cli.commands"],
    "runtime": ["neuronspan_runtime.__main__"],
    "tools": [
        "neuronspan_runtime.tools.neuron_ls.command",
        "neuronspan_runtime.tools.neuron_top.command",
        "neuronspan_runtime.tools.neuron_monitor.command",
        "neuronspan_runtime.tools.neuron_monitor.exporter",
    ],
    "try": ["neuronspan_embedded.command.trying"],
}
DISTRIBUTIONS = {"google": "protobuf", "grpc": "grpcio", "pythonjsonlogger": "python-json-logger", "yaml": "pyyaml"}
"""Where the name that is imported and the one that is installed differ."""


@functools.cache
def graph() -> grimp.ImportGraph:
    return grimp.build_graph(*PACKAGES, include_external_packages=True, cache_dir=None)


def imported(command: str) -> set[str]:
    upstream = graph().find_upstream_modules(command)
    foreign = {module for module in upstream if graph().is_module_squashed(module)} - sys.stdlib_module_names
    return {DISTRIBUTIONS.get(module, module).replace("_", "-") for module in foreign}


def installed(extra: str) -> set[str]:
    return {packaging_requirements.Requirement(each).name for each in requirements.of_extras(PYPROJECT, [extra])}


@pytest.mark.parametrize(("extra", "command"), [(extra, command) for extra, of in COMMANDS.items() for command in of])
def test_extra_declares_what_its_command_imports(extra: str, command: str) -> None:
    assert imported(command) <= installed(extra)
    assert imported(command), "a command without any library would say nothing of the extra"
