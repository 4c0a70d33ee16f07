"""The operator as a process of its own."""

import asyncio
import contextlib
import os
import pathlib
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator


class Process:
    """One operator process and what it has written so far."""

    def __init__(self, process: asyncio.subprocess.Process, log: pathlib.Path) -> None:
        self.process = process
        self._log = log

    @property
    def output(self) -> str:
        return self._log.read_text()

    @property
    def port(self) -> int:
        """The port of its probes, 0 while it does not serve yet."""
        _, found, rest = self.output.partition("/readyz and /metrics port=")
        return int(rest.split()[0]) if found else 0

    def fetch(self, page: str) -> tuple[int, str]:
        """Ask for a page of its probes; status 0 while it does not serve yet."""
        if not self.port:
            return 0, ""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{page}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def is_ready(self) -> bool:
        return self.fetch("/readyz")[0] == 200

    def leads(self) -> bool:
        return "neuronspan_leader 1.0" in self.fetch("/metrics")[1]


def _free_log(folder: pathlib.Path) -> pathlib.Path:
    return folder / f"operator-{len(list(folder.iterdir()))}.log"


@contextlib.asynccontextmanager
async def started(folder: pathlib.Path, *flags: str) -> AsyncIterator[Process]:
    """Run `python -m neuronspan_operator` with these flags; killed at the end if it still runs."""
    command = [sys.executable, "-m", "neuronspan_operator", "--port=0", *flags]
    environment = {"PYTHONPATH": os.pathsep.join(sys.path)}  # nothing else: no setting of this machine gets in
    log = _free_log(folder)
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(*command, stdout=output, stderr=output, env=environment)
    try:
        yield Process(process, log)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def ended(process: Process, seconds: float = 20) -> int:
    """Wait for its end; gives the exit status."""
    async with asyncio.timeout(seconds):
        return await process.process.wait()
