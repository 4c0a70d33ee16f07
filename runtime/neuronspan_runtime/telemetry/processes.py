"""What the kernel tells about a process and the whole machine: times, memory, command line.

`proc` is its mount, an argument for tests and for containers that see the host's elsewhere.

Law: reads /proc and nothing else; no process is signalled or traced.
"""

import dataclasses
import os
import pathlib

PROC = pathlib.Path("/proc")
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_AFTER_NAME = 3
"""Number of the first field after the name in /proc/<pid>/stat, counted from 1 as in proc_pid_stat(5)."""


@dataclasses.dataclass(frozen=True)
class Process:
    """One process at one moment."""

    user_ticks: int
    system_ticks: int
    start_ticks: int
    """Since boot."""
    resident_bytes: int


@dataclasses.dataclass(frozen=True)
class System:
    """The whole machine at one moment: ticks of each CPU by use, and memory."""

    cpus: dict[str, tuple[int, ...]]
    """`cpu` is the sum; user, nice, system, idle, iowait, irq, softirq."""
    context_switches: int
    memory: dict[str, int]
    """Bytes, under the names of /proc/meminfo."""

    def share(self, before: "System") -> tuple[float, float]:
        """Return the percentages of all CPUs' time since then that went to user and to kernel code."""
        used = [new - old for new, old in zip(self.cpus["cpu"], before.cpus["cpu"], strict=True)]
        whole = sum(used)
        if whole <= 0:
            return 0.0, 0.0
        user, nice, system, _, _, irq, soft_irq = used
        return 100.0 * (user + nice) / whole, 100.0 * (system + irq + soft_irq) / whole


def read(pid: int, proc: pathlib.Path = PROC) -> Process | None:
    """Read a process; None when it is gone or hidden."""
    try:
        text = (proc / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return None
    return parse_stat(text)


def parse_stat(text: str) -> Process | None:
    """Read /proc/<pid>/stat; the name in it may hold anything, also parentheses and spaces."""
    fields = text.rpartition(")")[2].split()
    try:
        user, system, start, resident = (int(fields[number - _AFTER_NAME]) for number in (14, 15, 22, 24))
    except (IndexError, ValueError):
        return None
    return Process(user, system, start, resident * _PAGE_BYTES)


def command(pid: int, proc: pathlib.Path = PROC) -> str:
    """Return the command line of a process, its words separated by spaces; empty when it is gone or hidden."""
    try:
        content = (proc / str(pid) / "cmdline").read_bytes()
    except OSError:
        return ""
    words = content.rstrip(b"\x00").split(b"\x00")
    text = " ".join(word.decode(errors="replace") for word in words)
    return "".join(character if character.isprintable() else " " for character in text)


def system(proc: pathlib.Path = PROC) -> System:
    """Read the machine's CPUs and memory. Raises OSError."""
    return parse_system((proc / "stat").read_text(), (proc / "meminfo").read_text())


def parse_system(stat: str, meminfo: str) -> System:
    """Read /proc/stat and /proc/meminfo."""
    words = [line.split() for line in stat.splitlines()]
    cpus = {line[0]: tuple(int(ticks) for ticks in line[1:8]) for line in words if line and line[0].startswith("cpu")}
    switches = next((int(line[1]) for line in words if line and line[0] == "ctxt"), 0)
    sizes = (line.split() for line in meminfo.splitlines())
    memory = {size[0].rstrip(":"): int(size[1]) * 1024 for size in sizes if size[2:] == ["kB"]}
    return System(cpus, switches, memory)
