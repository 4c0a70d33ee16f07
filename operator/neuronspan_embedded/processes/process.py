"""One process of this machine: started with its own group, its output in a file, ended with all its children."""

import asyncio
import contextlib
import os
import pathlib
import signal
from typing import Self

from neuronspan_embedded import reasons
from neuronspan_embedded.processes import launching

_CANNOT_START = 128


class Process:
    """A process that was started; ``ended`` waits for its exit code, negative for a signal."""

    def __init__(self, running: "asyncio.subprocess.Process") -> None:
        self.pid = running.pid
        self._running = running

    @classmethod
    async def start(cls, wanted: launching.Launch, log: pathlib.Path) -> Self:
        """Start it; raises CannotLaunch when the system refuses to."""
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            try:
                running = await asyncio.create_subprocess_exec(
                    *wanted.arguments,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    env=dict(wanted.environment),
                    cwd=wanted.directory,
                    start_new_session=True,
                )
            except (OSError, ValueError) as error:  # ValueError: a NUL in an argument or a variable
                raise launching.CannotLaunch(
                    reasons.ContainerReason.CANNOT_START, f"{wanted.arguments[0]}: {error}"
                ) from error
        return cls(running)

    async def ended(self) -> int:
        """Wait for the end; what the process left behind in its group is killed.

        Returns the exit code as containers have it: 128 and the number of the signal that ended it.
        """
        code = await self._running.wait()
        self._signal(signal.SIGKILL)
        return code if code >= 0 else _CANNOT_START - code

    async def end(self, grace_seconds: float) -> int:
        """Ask the process to end, and kill it when it has not within this time; returns its exit code."""
        if self._running.returncode is None:
            self._signal(signal.SIGTERM)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(grace_seconds):
                    return await self.ended()
        self._signal(signal.SIGKILL)
        return await self.ended()

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):  # it is gone, or not ours any more
            os.killpg(self.pid, number)
