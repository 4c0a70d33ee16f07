"""The page about what libraries ask of a device's module, against the module."""

import importlib.util
import re
from collections.abc import Iterator

import pytest

from kits.device import neuron_processes, neuron_programs
from neuronspan_runtime.device import device_module

PAGE = neuron_programs.CHECKOUT / "docs" / "reference" / "device-names.md"
OF_INDUCTOR = device_module._OF_INDUCTOR


def rows() -> Iterator[tuple[str, str]]:
    text = PAGE.read_text(encoding="utf-8").partition("## Modules")[0]
    for line in text.splitlines():
        if cells := re.fullmatch(r"\| `(\w+)` \| ([^|]+) \| ([^|]+) \| ([^|]+) \|", line):
            yield cells[1], cells[4]


def missing(names: list[str]) -> list[str]:
    return [name for name in names if name not in OF_INDUCTOR and not hasattr(device_module, name)]


def test_page_lists_each_name_once_in_order() -> None:
    names = [name for name, _ in rows()]
    assert len(names) > 50
    assert names == sorted(set(names))


def test_every_name_is_there_or_the_page_says_why_not(
    processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    answers = dict(rows())
    absent = [name for name, here in answers.items() if here != "yes"]
    assert processes.run(machine, missing, list(answers)) == absent


def test_names_for_inductor_are_those_of_its_refusals() -> None:
    assert set(OF_INDUCTOR) <= {name for name, here in rows() if here == "yes"}


@pytest.mark.parametrize("there", [True, False])
def test_modules_are_there_as_the_page_says(there: bool) -> None:
    text = PAGE.read_text(encoding="utf-8").partition("## Modules")[2]
    table = [line for line in text.splitlines() if line.startswith("| `")]
    named = {
        name for line in table if ("| yes" in line) is there for name in re.findall(r"`([\w.]+)`", line.split("|")[1])
    }
    modules = sorted(name for name in named if not name.startswith("torch.classes"))
    assert len(modules) > 5
    assert [name for name in modules if exists(name) is not there] == []


def exists(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False
