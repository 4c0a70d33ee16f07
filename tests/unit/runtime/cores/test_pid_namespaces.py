"""Processes of containers: each knows itself by a number of its own, and the node knows them by others."""

import json
import os
import pathlib
import subprocess
import sys
import typing
from collections.abc import Iterator, Mapping

import pytest

from neuronspan_runtime import environment
from neuronspan_runtime.cores import hardware
from neuronspan_runtime.tools import machine_view

UNSHARE = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount-proc"]
OWNER = """
import json, os, sys
from neuronspan_runtime import environment
from neuronspan_runtime.cores import hardware, ownership, selection
from neuronspan_runtime.telemetry import page_memory
from neuronspan_runtime.tools import machine_view
settings = environment.read()
machine = hardware.find(settings)
claim = ownership.claim(machine, selection.wish(settings, machine.hardware, machine.scope))
page_memory.publish(machine, claim.span, settings.process_tag)
print(json.dumps([[owner.pid, owner.cores, owner.tag] for owner in machine_view.look(machine).owners]), flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def namespaces() -> None:
    if subprocess.run([*UNSHARE, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("this machine lets its users have no namespaces")


@pytest.fixture
def containers(machine: dict[str, str]) -> Iterator[typing.Callable[[Mapping[str, str]], list[typing.Any]]]:
    """Starts owners of cores, each in a PID namespace of its own, and returns what it sees."""
    running: list[subprocess.Popen[str]] = []

    def start(variables: Mapping[str, str]) -> list[typing.Any]:
        process = subprocess.Popen(
            [*UNSHARE, sys.executable, "-c", OWNER],
            env={"PYTHONPATH": os.pathsep.join(sys.path), **machine, **variables},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        assert process.stdout is not None
        seen: list[typing.Any] = json.loads(process.stdout.readline())
        return seen

    yield start
    for process in running:
        process.communicate()


def test_containers_see_themselves_and_the_node_sees_all_by_its_own_numbers(
    containers: typing.Callable[[Mapping[str, str]], list[typing.Any]], machine: dict[str, str]
) -> None:
    """The pages are recognised across namespaces: who wrote one is told by when it began, not by its number."""
    first = containers({"NEURON_RT_VISIBLE_CORES": "0-1"})
    second = containers({"NEURON_RT_VISIBLE_CORES": "2-3", "NEURON_PROCESS_TAG": "shop"})
    assert first == [[1, [0, 1], "1"]]
    assert second == [[1, [2, 3], "shop"]]
    view = machine_view.look(hardware.find(environment.read(machine), pathlib.Path("/nonexistent")))
    by_cores = {owner.cores: owner for owner in view.owners}
    assert set(by_cores) == {(0, 1), (2, 3)}
    assert by_cores[0, 1].tag == str(by_cores[0, 1].pid) != "1"
    assert by_cores[2, 3].tag == "shop"
    assert {owner.pages[owner.cores[0]].header.pid for owner in view.owners} == {1}
