"""What can be seen of other processes: real ones own the cores, pages are written here as they would."""

import dataclasses
import json
import os
import pathlib

import pytest

from kits.device import core_claimer, pages
from neuronspan import instance_types
from neuronspan_runtime import environment
from neuronspan_runtime.cores import hardware
from neuronspan_runtime.telemetry import page_layout, processes
from neuronspan_runtime.tools import machine_view

ELSEWHERE = pathlib.Path("/nonexistent")


def seen(variables: dict[str, str]) -> machine_view.MachineView:
    return machine_view.look(hardware.find(environment.read(variables), ELSEWHERE), clock=lambda: 5)


def page_of(pid: int, core: int, span: str, **counters: int) -> bytes:
    """The page that a claimer would write."""
    process = processes.read(pid)
    assert process is not None
    head = pages.header(core, span, pid=pid, start_ticks=process.start_ticks, tag="shop")
    return pages.content(head, page_layout.Counters(**counters))


@pytest.fixture
def pod(tmp_path: pathlib.Path) -> dict[str, str]:
    """A container that was granted cores 4-5 and 8, and sees their files only."""
    (tmp_path / "cores").mkdir()
    for core in (4, 5, 8):
        (tmp_path / "cores" / f"{core}.lock").touch(mode=0o444)
    (tmp_path / "hardware.json").write_text(json.dumps(instance_types.hardware_of("inf1.6xlarge").to_dict()))
    return {"NEURONSPAN_STATE_DIR": str(tmp_path), "NEURONSPAN_GRANT": "4-5"}


def test_idle_machine_shows_its_cores_and_no_owner(machine: dict[str, str]) -> None:
    view = seen(machine)
    assert (view.owners, view.cores, view.moment) == ((), tuple(range(16)), 5)
    assert view.complete
    assert view.devices[1] == (4, 5, 6, 7)
    assert view.instance_id.startswith("i-0")
    assert len(view.instance_id) == 19


def test_owners_are_seen_with_and_without_pages(machine: dict[str, str]) -> None:
    with (
        pages.memory() as memory,
        core_claimer.Claimer(machine | {"NEURON_RT_VISIBLE_CORES": "2-3"}, memory) as first,
        core_claimer.Claimer(machine | {"NEURON_RT_VISIBLE_CORES": "5"}) as second,
    ):
        first.claim()
        second.claim()
        os.pwrite(memory, page_of(first.process.pid, 3, "2-3", completed=4), 0)
        view = seen(machine)
        assert {owner.pid: owner.cores for owner in view.owners} == {
            first.process.pid: (2, 3),
            second.process.pid: (5,),
        }
        owner, other = (view.owner_of(core) for core in (2, 5))
        assert owner is not None
        assert other is not None
        assert (owner.tag, owner.runtime_version) == ("shop", "0.1.0")
        assert owner.pages[3].counters.completed == 4
        assert (other.tag, other.runtime_version, other.pages) == (str(other.pid), "NA", {})
        assert "kits.device.core_claimer" in other.command
        assert view.owners_on([4, 5]) == (other,)
        assert view.owner_of(7) is None
        first.end()
        assert [owner.cores for owner in seen(machine).owners] == [(5,)]


def test_page_of_a_parent_is_not_shown_for_its_child(machine: dict[str, str]) -> None:
    """A program that was started with its parent's descriptors has the parent's memory among them."""
    variables = machine | {"NEURON_RT_VISIBLE_CORES": "2"}
    with pages.memory() as memory, core_claimer.Claimer(variables, memory) as owner:
        owner.claim()
        os.pwrite(memory, pages.content(pages.header(2, "2", pid=owner.process.pid, start_ticks=1)), 0)
        (seen_owner,) = seen(machine).owners
    assert seen_owner.pages == {}
    assert seen_owner.tag == str(owner.process.pid)


def test_tag_that_is_a_process_number_is_told_in_the_readers_numbers(machine: dict[str, str]) -> None:
    """A container's process 7 is another one on the node."""
    variables = machine | {"NEURON_RT_VISIBLE_CORES": "2"}
    with pages.memory() as memory, core_claimer.Claimer(variables, memory) as owner:
        owner.claim()
        process = processes.read(owner.process.pid)
        assert process is not None
        os.pwrite(memory, pages.content(pages.header(2, "2", pid=7, start_ticks=process.start_ticks)), 0)
        (found,) = seen(machine).owners
    assert (found.tag, found.pid) == (str(owner.process.pid), owner.process.pid)


def test_container_sees_the_cores_it_was_granted_and_their_owners_only(pod: dict[str, str]) -> None:
    with core_claimer.Claimer(pod) as owner:
        owner.claim()
        view = seen(pod)
    assert view.cores == (4, 5, 8)
    assert view.devices == {1: (4, 5), 2: (8,)}
    assert not view.complete
    assert [found.cores for found in view.owners] == [(4, 5)]


def test_instance_is_the_same_for_all_who_look_at_a_node(pod: dict[str, str], machine: dict[str, str]) -> None:
    assert seen(pod).instance_id == seen(pod | {"NEURONSPAN_GRANT": "5"}).instance_id != seen(machine).instance_id


def test_process_that_joins_cores_in_another_way_owns_every_core_it_touches(tmp_path: pathlib.Path) -> None:
    """Its page is found by the number of its core's first lock file, which all agree on."""
    joined = {"NEURONSPAN_STATE_DIR": str(tmp_path), "NEURONSPAN_INSTANCE_TYPE": "trn2.3xlarge"}
    with pages.memory() as memory, core_claimer.Claimer(joined | {"NEURON_RT_VISIBLE_CORES": "1"}, memory) as owner:
        assert owner.claim().span
        process = processes.read(owner.process.pid)
        assert process is not None
        head = pages.header(1, "1", pid=owner.process.pid, start_ticks=process.start_ticks)
        os.pwrite(memory, pages.content(dataclasses.replace(head, first_lock=2)), 0)
        (apart,) = seen(joined | {"NEURON_RT_VIRTUAL_CORE_SIZE": "1"}).owners
        (together,) = seen(joined).owners
    assert (apart.cores, together.cores) == ((2, 3), (1,))
    assert (list(apart.pages), list(together.pages)) == ([2], [1])


def test_owner_whose_times_are_hidden_keeps_its_page() -> None:
    owner = machine_view.CoreOwner(pid=1, cores=(4,), command="", pages={4: pages.page(pages.header(tag="shop"))})
    assert (owner.tag, owner.process) == ("shop", None)


def test_look_opens_nothing_that_stays_open(machine: dict[str, str]) -> None:
    descriptors = pathlib.Path("/proc/self/fd")
    before = len(list(descriptors.iterdir()))
    seen(machine)
    assert len(list(descriptors.iterdir())) == before
