"""Other programs: run one to its end within a time, or with its output in a log and a sign of life now and then.

Law: no child outlives its time, our own interruption or the end of its scope; its whole process group goes with it.
"""

import contextlib
import os
import shlex
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, TypeAlias

from cluster import environment, errors, scopes

Alive: TypeAlias = Callable[[], None]

TAIL_LINES = 30
HEARTBEAT_SECONDS = 20.0


def run(
    command: Sequence[str | Path],
    *,
    timeout: float,
    stdin: bytes | Path | None = None,
    variables: Mapping[str, str] | None = None,
    directory: Path | None = None,
) -> str:
    """The standard output of `command`; CommandFailed carries the end of its error output."""
    words = [str(word) for word in command]
    scopes.current().check()
    with contextlib.ExitStack() as stack:
        source = stack.enter_context(stdin.open("rb")) if isinstance(stdin, Path) else subprocess.PIPE
        process = stack.enter_context(
            subprocess.Popen(
                words,
                stdin=source,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=dict(variables) if variables is not None else environment.variables(),
                cwd=directory,
                start_new_session=True,
            )
        )
        stack.callback(stop_group, process)
        stack.enter_context(scopes.current().holding(lambda: kill_group(process)))
        try:
            output, complaint = process.communicate(stdin if isinstance(stdin, bytes) else None, timeout=timeout)
        except subprocess.TimeoutExpired as error:
            raise errors.CommandTimedOut(shlex.join(words), timeout, "") from error
    if process.returncode:
        said = complaint.decode(errors="replace") or output.decode(errors="replace")
        raise errors.CommandFailed(shorten(words), process.returncode, tail_of(said))
    return output.decode(errors="replace")


def succeeds(command: Sequence[str | Path], *, timeout: float) -> bool:
    """Whether `command` exists and ends well."""
    try:
        run(command, timeout=timeout)
    except (errors.CommandFailed, OSError):
        return False
    return True


def logged(
    command: Sequence[str | Path],
    log: Path,
    *,
    timeout: float,
    alive: Alive,
    each_line: Callable[[str], None] = lambda _: None,
    variables: Mapping[str, str] | None = None,
    directory: Path | None = None,
    stdin: Path | None = None,
) -> None:
    """Run a long `command` with all its output appended to `log`; call `alive` every HEARTBEAT_SECONDS."""
    words = [str(word) for word in command]
    scopes.current().check()
    log.parent.mkdir(parents=True, exist_ok=True)
    tail: deque[str] = deque(maxlen=TAIL_LINES)
    with contextlib.ExitStack() as stack:
        record = stack.enter_context(log.open("a", encoding="utf-8"))
        process = stack.enter_context(
            subprocess.Popen(
                words,
                stdin=stack.enter_context(stdin.open("rb")) if stdin else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=dict(variables) if variables is not None else environment.variables(),
                cwd=directory,
                text=True,
                errors="replace",
                start_new_session=True,
            )
        )
        reader = threading.Thread(target=_copy, args=(process.stdout, record, tail, each_line), daemon=True)
        reader.start()
        stack.callback(stop_group, process)
        stack.enter_context(scopes.current().holding(lambda: kill_group(process)))
        finished = _wait(process, timeout, alive)
        stop_group(process)
        reader.join(5)
    if not finished:
        raise errors.CommandTimedOut(shorten(words), timeout, "".join(tail), log)
    if process.returncode:
        raise errors.CommandFailed(shorten(words), process.returncode, "".join(tail), log)


def _copy(source: IO[str], record: IO[str], tail: "deque[str]", each_line: Callable[[str], None]) -> None:
    for line in source:
        record.write(line)
        record.flush()
        tail.append(line)
        each_line(line)


def _wait(process: subprocess.Popen[str], timeout: float, alive: Alive) -> bool:
    left = timeout
    while left > 0:
        pause = min(HEARTBEAT_SECONDS, left)
        try:
            process.wait(pause)
        except subprocess.TimeoutExpired:
            left -= pause
            alive()
        else:
            return True
    return False


def stop_group(process: "subprocess.Popen[bytes] | subprocess.Popen[str]") -> None:
    """Kill a child that still runs, and what it started even when it does not: strays would hold its output open."""
    kill_group(process)
    process.wait()


def kill_group(process: "subprocess.Popen[bytes] | subprocess.Popen[str]") -> None:
    """Kill a child and what it started; whoever runs it waits for its end."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def tail_of(text: str) -> str:
    """The last lines of `text`."""
    return "\n".join(text.splitlines()[-TAIL_LINES:])


def shorten(words: Sequence[str]) -> str:
    """A command line that fits a message: long scripts are cut."""
    line = shlex.join(words)
    return line if len(line) <= 160 else line[:157] + "..."
