"""Pages of counters in sealed memory: whose they are, who finds them, and what nobody can do to them. No torch."""

import dataclasses
import os
import pathlib

import pytest

from kits.device import pages
from neuronspan import spans
from neuronspan_runtime import environment
from neuronspan_runtime.cores import hardware
from neuronspan_runtime.telemetry import page_layout, page_memory, processes

OWN = os.getpid()
OPEN = pathlib.Path("/proc/self/fd")


@pytest.fixture
def simulated(tmp_path: pathlib.Path) -> hardware.Machine:
    variables = {"NEURONSPAN_STATE_DIR": str(tmp_path / "state"), "NEURONSPAN_INSTANCE_TYPE": "inf1.6xlarge"}
    return hardware.find(environment.read(variables), pathlib.Path("/nonexistent"))


def test_published_pages_name_their_process(simulated: hardware.Machine) -> None:
    with pages.published(simulated, "2-3", "shop"):
        found = page_memory.read(simulated, OWN, range(8))
    assert sorted(found) == [2, 3]
    header = found[3].header
    assert (header.pid, header.core, header.first_lock, str(header.span)) == (OWN, 3, 3, "2-3")
    assert (header.tag, header.host) == ("shop", os.uname().nodename)
    assert found[3].counters == page_layout.Counters()


def test_page_without_a_tag_is_tagged_with_the_process(simulated: hardware.Machine) -> None:
    with pages.published(simulated, "0"):
        assert page_memory.read(simulated, OWN, [0])[0].header.tag == str(OWN)


def test_page_says_nothing_of_the_command_line(simulated: hardware.Machine) -> None:
    """It may hold a password, and whoever may know it is told by the kernel."""
    words = [word for word in processes.command(OWN).split() if len(word) > len("python")]
    assert words
    with pages.published(simulated, "0") as descriptor:
        content = os.pread(descriptor, page_layout.PAGE_BYTES, 0)
    assert [word for word in words if word.encode() in content] == []


def test_withdrawn_pages_are_nobodys(simulated: hardware.Machine) -> None:
    with pages.published(simulated, "0-1"):
        pass
    assert page_memory.read(simulated, OWN, [0, 1]) == {}


@pytest.mark.parametrize("size", [0, 16383, 16385, 300 << 20])
def test_pages_have_their_size_for_ever(size: int, simulated: hardware.Machine) -> None:
    with pages.published(simulated, "0") as descriptor:
        with pytest.raises(PermissionError):
            os.ftruncate(descriptor, size)
        with pytest.raises(PermissionError):
            os.pwrite(descriptor, bytes(4096), page_layout.PAGE_BYTES + size)
        assert os.fstat(descriptor).st_size == page_layout.PAGE_BYTES


@pytest.mark.parametrize("call", ["memfd_create", "pwrite"])
def test_process_without_memory_for_pages_publishes_nothing_and_leaves_nothing_open(
    call: str, simulated: hardware.Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> int:
        raise OSError("refused")

    before = set(OPEN.iterdir())
    monkeypatch.setattr(os, call, refused)
    assert page_memory.publish(simulated, spans.CoreSpan(0, 2), "") is None
    assert set(OPEN.iterdir()) == before


def test_pages_that_were_not_written_whole_are_not_published(
    simulated: hardware.Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda descriptor, content, at: write(descriptor, content[:-1], at))
    assert page_memory.publish(simulated, spans.CoreSpan(0, 1), "") is None


def test_page_that_keeps_changing_is_read_all_the_same(simulated: hardware.Machine) -> None:
    """A writer that is stopped while it lists a model leaves the number odd for as long."""
    with pages.memory(pages.content(counters=page_layout.Counters(models_sequence=3))):
        found = page_memory.read(simulated, OWN, [4])[4]
    assert not found.whole


def test_pages_are_read_up_to_the_first_that_is_none(simulated: hardware.Machine) -> None:
    wrong = dataclasses.replace(pages.header(5), core=9)
    with pages.memory(*(pages.content(each) for each in (pages.header(4), wrong, pages.header(6)))):
        assert list(page_memory.read(simulated, OWN, range(16))) == [4]


def test_reader_of_memory_with_more_pages_than_the_machine_has_cores_comes_to_an_end(
    simulated: hardware.Machine,
) -> None:
    many = simulated.hardware.cores * simulated.locks_per_core
    last = dataclasses.replace(pages.header(7), first_lock=5)
    with pages.memory(*([pages.content()] * many), pages.content(last)):
        assert list(page_memory.read(simulated, OWN, range(16))) == [4]


def test_descriptors_of_other_kinds_are_left_alone(simulated: hardware.Machine, tmp_path: pathlib.Path) -> None:
    """A pipe of that name would make a reader wait for ever."""
    os.mkfifo(tmp_path / "pipe")
    folder = tmp_path / "proc" / str(OWN) / "fd"
    folder.mkdir(parents=True)
    (folder / "0").symlink_to(tmp_path / "pipe")
    (folder / "1").symlink_to("/memfd:another (deleted)")
    (folder / "2").write_text("no link at all")
    assert page_memory.read(simulated, OWN, [0], tmp_path / "proc") == {}


def test_process_that_is_gone_or_hidden_has_no_pages(simulated: hardware.Machine, tmp_path: pathlib.Path) -> None:
    assert page_memory.read(simulated, OWN, [0], tmp_path) == {}
