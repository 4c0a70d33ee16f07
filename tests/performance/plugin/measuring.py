"""Starts the plugin as its image does, lets it come to rest, and reads what its process takes."""

import asyncio
import dataclasses
import os
import pathlib
import sys
import time
from collections.abc import Sequence

from kits.kubelet import plugin_process
from performance.cluster import processes

_QUIET_SECONDS = 2.0
_QUIET_SHARE = 0.1
"""A process at rest takes less of a CPU than this: it looks at its hardware once a second."""
_SETTLE_SECONDS = 60.0
_IN_A_POD = {
    "MALLOC_ARENA_MAX": "2",
    "PYTHONOPTIMIZE": "2",
    "SSL_CERT_FILE": os.devnull,
    "SSL_CERT_DIR": os.devnull,
}
"""The chart sets the first and the image the second; the image has no certificates of the system."""


@dataclasses.dataclass(frozen=True)
class Figures:
    """What one plugin takes; memory in bytes."""

    resident: int
    proportional: int
    """Its own memory, and its share of what other processes have mapped, too."""
    peak: int
    threads: int
    registered_seconds: float
    """From the start of the process until kubelet has its devices and the status says so."""


def measure(instance_type: str, interpreter: Sequence[str] = (sys.executable,)) -> Figures:
    """Start a plugin on a node of this type and let it come to rest; raises TimeoutError with the end of its log."""
    return asyncio.run(_measured(instance_type, interpreter))


def modules(instance_type: str, interpreter: Sequence[str] = (sys.executable,)) -> list[str]:
    """Return the modules that a plugin has imported when it serves, in their order."""
    return asyncio.run(_imported(instance_type, interpreter))


async def _measured(instance_type: str, interpreter: Sequence[str]) -> Figures:
    await _compile(interpreter)
    async with plugin_process.machine(instance_type=instance_type) as machine:
        begun = time.monotonic()
        async with machine.starting(interpreter=interpreter, path=_path(), environment=_IN_A_POD) as plugin:
            await machine.registered()
            registered = time.monotonic() - begun
            pid = plugin.process.pid
            await _rest(pid)
            _, peak = processes.resident_bytes(pid)
            return Figures(*_memory(pid), peak, _threads(pid), registered)


async def _compile(interpreter: Sequence[str]) -> None:
    """Let all that is imported be compiled, as it is in the image: compiling takes memory that a process keeps."""
    given = {"PYTHONPATH": os.pathsep.join(_path()), **_IN_A_POD}
    command = (*interpreter, "-m", "neuronspan_deviceplugin", "--version")
    first = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.DEVNULL, env=given)
    if await first.wait():
        raise RuntimeError(f"{' '.join(command)} ended with {first.returncode}")


async def _imported(instance_type: str, interpreter: Sequence[str]) -> list[str]:
    async with (
        plugin_process.machine(instance_type=instance_type) as machine,
        machine.starting(interpreter=(*interpreter, "-X", "importtime"), path=_path()) as plugin,
    ):
        await machine.registered()
        told = (line.split("|") for line in plugin.output.splitlines() if line.startswith("import time:"))
        return [name.strip() for _, _, name in told if name.strip() != "imported package"]


async def _rest(pid: int) -> None:
    async with asyncio.timeout(_SETTLE_SECONDS):
        used = _QUIET_SECONDS
        while used > _QUIET_SHARE * _QUIET_SECONDS:
            before = processes.processor_seconds(pid)
            await asyncio.sleep(_QUIET_SECONDS)  # what another process does is seen by its clock alone
            used = processes.processor_seconds(pid) - before


def _path() -> list[str]:
    """Return where our own packages are: an image's interpreter has all others."""
    return [each for each in sys.path if (pathlib.Path(each) / "neuronspan_deviceplugin").is_dir()]


def _memory(pid: int) -> tuple[int, int]:
    lines = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()[1:]
    fields = dict(line.split(":", 1) for line in lines)
    resident, proportional = (int(fields[name].split()[0]) * 1024 for name in ("Rss", "Pss"))
    return resident, proportional


def _threads(pid: int) -> int:
    return len(list(pathlib.Path(f"/proc/{pid}/task").iterdir()))
