"""Starts the operator before a stand-in of the API server and reads what its process takes."""

import contextlib
import dataclasses
import json
import pathlib
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

from kits.api_server import control_plane as control_plane_kit
from performance.cluster import processes
from performance.planner import calibration, scenes

_SETTLE_SECONDS = 600.0
_QUIET_SECONDS = 2.0
_QUIET_SHARE = 0.1
"""A process at rest takes less of a CPU than this."""


@dataclasses.dataclass(frozen=True)
class Footprint:
    """One operator that knows a whole cluster."""

    start_seconds: float
    """CPU time until it had listed, planned and come to rest."""
    resident_bytes: int
    peak_bytes: int
    event_microseconds: float
    """CPU time of the whole process per event of a foreign pod: receiving, decoding, reading, planning."""


class NotAtRestError(Exception):
    """The operator did not come to rest, or ended; the message has the end of its log."""


def measure(scene: scenes.Scene, events: int = 10_000) -> Footprint:
    """Start it, let it come to rest, then send it so many events of foreign pods."""
    with tempfile.TemporaryDirectory() as scratch, _running(scene, pathlib.Path(scratch)) as (url, operator):
        log = pathlib.Path(scratch) / "operator.log"
        _rest(operator, log)
        start = processes.processor_seconds(operator.pid)
        resident, peak = processes.resident_bytes(operator.pid)
        slow = calibration.slowness()
        request = urllib.request.Request(f"{url}/events/{events}", data=b"{}", method="POST")  # noqa: S310 - our own
        urllib.request.urlopen(request, timeout=_SETTLE_SECONDS).close()  # noqa: S310
        _rest(operator, log)
        used = (processes.processor_seconds(operator.pid) - start) / max(slow, calibration.slowness())
        return Footprint(start, resident, peak, used * 1e6 / max(events, 1))


@contextlib.contextmanager
def _running(scene: scenes.Scene, directory: pathlib.Path) -> "Iterator[tuple[str, subprocess.Popen[bytes]]]":
    size = map(str, (scene.nodes, scene.running_on_node, scene.foreign))
    command = [sys.executable, "-m", "performance.footprint.stand_in", *size]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None  # for the type checker: it is a pipe
        url = f"http://127.0.0.1:{int(server.stdout.readline())}"
        (port,) = control_plane_kit.free_ports(1)
        operator = [
            sys.executable,
            "-m",
            "neuronspan_operator",
            f"--port={port}",
            f"--kubeconfig={_login(url, directory)}",
            "--lease-seconds=900",  # nobody else is there to lead, and on a busy machine the stand-in may be slow
            "--renew-seconds=600",
        ]
        try:
            with control_plane_kit.process("operator", operator, directory) as started:
                _wait_until_ready(port, started, directory / "operator.log")
                yield url, started
        finally:
            server.kill()


def _login(url: str, directory: pathlib.Path) -> pathlib.Path:
    path = directory / "kubeconfig"
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test",
        "clusters": [{"name": "test", "cluster": {"server": url}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        "users": [{"name": "test", "user": {"token": "test"}}],
    }
    path.write_text(json.dumps(content), encoding="utf-8")  # JSON is YAML
    return path


def _wait_until_ready(port: int, operator: "subprocess.Popen[bytes]", log: pathlib.Path) -> None:
    deadline = time.monotonic() + _SETTLE_SECONDS
    while time.monotonic() < deadline:
        _check(operator, log)
        with contextlib.suppress(urllib.error.URLError, ConnectionError):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=30).close()
            return
        time.sleep(0.5)  # another process has to get there: asking is all there is
    raise NotAtRestError(f"the operator is not ready after {_SETTLE_SECONDS:g} s")


def _rest(operator: "subprocess.Popen[bytes]", log: pathlib.Path) -> None:
    """Wait until the process has nothing to do."""
    deadline = time.monotonic() + _SETTLE_SECONDS
    while time.monotonic() < deadline:
        _check(operator, log)
        before = processes.processor_seconds(operator.pid)
        time.sleep(_QUIET_SECONDS)  # what another process does is seen by its clock alone
        if processes.processor_seconds(operator.pid) - before < _QUIET_SHARE * _QUIET_SECONDS:
            return
    raise NotAtRestError(f"the operator is still busy after {_SETTLE_SECONDS:g} s; its log: {_end(log)}")


def _check(operator: "subprocess.Popen[bytes]", log: pathlib.Path) -> None:
    if operator.poll() is not None:
        raise NotAtRestError(f"the operator has ended with {operator.returncode}; its log: {_end(log)}")


def _end(log: pathlib.Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")[-3000:]
