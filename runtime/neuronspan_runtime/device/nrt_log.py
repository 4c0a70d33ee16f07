"""Lines in the shape of libnrt's log, on standard error, where scripts look for them.

Law: writes what it is given and decides only whether the level asks for it; what cannot be written stops nobody.
"""

import contextlib
import datetime as dt
import os
import re
import sys
import threading
from collections.abc import Iterable

_VERBOSITY = {"QUIET": 0, "ERROR": 1, "WARN": 2, "WARNING": 2, "INFO": 3, "DEBUG": 4, "TRACE": 5}
_SOURCE = re.compile(r"[A-Z]+:[a-z0-9_]+ ")
_DEFAULT_SOURCE = "NRT:nrt_init"
_SOURCE_WIDTH = 44


def line(text: str, *, now: dt.datetime, process: int, thread: int, severity: str = "ERROR") -> str:
    """Return one line; a text that does not begin with `COMPONENT:function ` is logged by `NRT:nrt_init`."""
    stamp = f"{now:%Y-%b-%d %H:%M:%S}.{now.microsecond // 1000:04d}"
    sourced = text if _SOURCE.match(text) else _DEFAULT_SOURCE.ljust(_SOURCE_WIDTH) + text
    return f"{stamp} {process}:{thread} {severity:<8}{sourced}"


def error(*texts: str, level: str = "ERROR") -> None:
    """Write one ERROR line for each text, unless the level is QUIET."""
    _write("ERROR", texts, level)


def warning(*texts: str, level: str = "ERROR") -> None:
    """Write one WARN line for each text if the level asks for warnings; like the real one, it does not by default."""
    _write("WARN", texts, level)


def _write(severity: str, texts: Iterable[str], level: str) -> None:
    if _VERBOSITY[severity] > _VERBOSITY[level]:
        return
    if sys.stderr is None:  # a process that was started without one
        return
    now = dt.datetime.now(dt.UTC)
    with contextlib.suppress(OSError, ValueError):  # a full disk, a reader that is gone, a closed file
        for text in texts:
            made = line(text, now=now, process=os.getpid(), thread=threading.get_native_id(), severity=severity)
            sys.stderr.write(made + "\n")
        sys.stderr.flush()
