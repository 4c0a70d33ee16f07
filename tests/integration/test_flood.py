"""Eight thousand half requests to the probes of a real operator: its memory stays, and kubelet's probe gets through."""

import asyncio
import pathlib
import resource
import socket
from collections.abc import Iterator

import pytest

from kits.api_server import control_plane as control_plane_kit
from kits.world import operator_processes, running_operator
from neuronspan_agent.serving import connections

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

HALF = b"GET /livez HTTP/1.1\r\nHost: x\r\n"
CONNECTIONS = 8000
PER_PROBE = 400
MOST_MIB = 64
"""What 256 connections cost, four times over; 8 000 took 463 MiB."""


@pytest.fixture
def _many_files() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, CONNECTIONS + 2000)), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def _resident_mib(pid: int) -> float:
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise AssertionError(pid)


def _half(port: int) -> socket.socket:
    opened = socket.create_connection(("127.0.0.1", port), timeout=30)
    opened.sendall(HALF)
    return opened


def _connected(pid: int, port: int) -> int:
    """How many connections the process has at this port."""
    found = set()
    for version in ("tcp", "tcp6"):
        for line in pathlib.Path(f"/proc/net/{version}").read_text().splitlines()[1:]:
            fields = line.split()
            if int(fields[1].rpartition(":")[2], 16) == port and fields[3] == "01":
                found.add(fields[9])
    own = {each.readlink().name for each in pathlib.Path(f"/proc/{pid}/fd").iterdir() if each.is_symlink()}
    return len({f"socket:[{inode}]" for inode in found} & own)


@pytest.mark.usefixtures("_many_files")
async def test_flood_of_half_requests_costs_little_and_probes_get_through(
    control_plane: control_plane_kit.ControlPlane, tmp_path: pathlib.Path
) -> None:
    flags = (f"--kubeconfig={control_plane.kubeconfig}", "--identity=me")
    async with operator_processes.started(tmp_path, *flags) as process:
        await running_operator.until(process.is_ready, seconds=60)
        before = _resident_mib(process.process.pid)
        opened: list[socket.socket] = []
        for _ in range(CONNECTIONS // PER_PROBE):
            opened += await asyncio.to_thread(lambda: [_half(process.port) for _ in range(PER_PROBE)])
            assert await asyncio.to_thread(process.fetch, "/livez") == (200, "ok\n")
        most = connections.Bounds().connections
        assert await asyncio.to_thread(_connected, process.process.pid, process.port) <= most
        assert _resident_mib(process.process.pid) - before < MOST_MIB
        for each in opened:
            each.close()
