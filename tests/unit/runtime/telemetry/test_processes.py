import os
import pathlib
import sys

import pytest

from neuronspan_runtime.telemetry import processes

STAT = "42 (a) b (c) S 1 42 42 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 1 0 9876 1048576 300 0 0 0 0 0 0 0 0 0"
MACHINE = "cpu  100 1 50 800 9 0 3 0 0 0\ncpu0 60 1 30 400 4 0 2 0 0 0\nintr 5 6\nctxt 777\n"
MEMINFO = "MemTotal:       16000 kB\nMemAvailable:    4000 kB\nHugePages_Total:       0\n"


def test_times_are_read_past_a_name_with_parentheses() -> None:
    found = processes.parse_stat(STAT)
    assert found is not None
    assert (found.user_ticks, found.system_ticks, found.start_ticks) == (250, 50, 9876)
    assert found.resident_bytes == 300 * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize("text", ["", "42 (sh) S 1", "42 (sh) " + "x " * 30])
def test_what_is_not_a_process_status_is_not_read(text: str) -> None:
    assert processes.parse_stat(text) is None


def test_own_process_is_read() -> None:
    found = processes.read(os.getpid())
    assert found is not None
    assert found.resident_bytes > 2**20
    assert " ".join(sys.orig_argv[1:]) in processes.command(os.getpid())


def test_process_that_is_gone_is_not_read(tmp_path: pathlib.Path) -> None:
    assert processes.read(1, tmp_path) is None
    assert not processes.command(1, tmp_path)


def test_command_is_one_printable_line(tmp_path: pathlib.Path) -> None:
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "cmdline").write_bytes(b"python\x00-c\x00a\nb\x1b\x00")
    assert processes.command(7, tmp_path) == "python -c a b "


def test_machine_is_cpus_and_memory() -> None:
    found = processes.parse_system(MACHINE, MEMINFO)
    assert found.cpus == {"cpu": (100, 1, 50, 800, 9, 0, 3), "cpu0": (60, 1, 30, 400, 4, 0, 2)}
    assert found.context_switches == 777
    assert found.memory == {"MemTotal": 16000 * 1024, "MemAvailable": 4000 * 1024}


def test_this_machine_is_read() -> None:
    found = processes.system()
    assert len(found.cpus) == (os.cpu_count() or 0) + 1
    assert found.memory["MemTotal"] > 0
