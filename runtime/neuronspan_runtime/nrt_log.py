"""Lines in the shape of libnrt's log, on standard error, where scripts look for them."""

import datetime as dt
import os
import re
import sys
import threading

_SOURCE = re.compile(r"[A-Z]+:[a-z0-9_]+ ")
_DEFAULT_SOURCE = "NRT:nrt_init"
_SOURCE_WIDTH = 44


def line(text: str, *, now: dt.datetime, process: int, thread: int) -> str:
    """Return one ERROR line; a text that does not begin with `COMPONENT:function ` is logged by `NRT:nrt_init`."""
    stamp = f"{now:%Y-%b-%d %H:%M:%S}.{now.microsecond // 1000:04d}"
    sourced = text if _SOURCE.match(text) else _DEFAULT_SOURCE.ljust(_SOURCE_WIDTH) + text
    return f"{stamp} {process}:{thread} ERROR   {sourced}"


def error(*texts: str) -> None:
    """Write one ERROR line for each text."""
    now = dt.datetime.now(dt.UTC)
    for text in texts:
        sys.stderr.write(line(text, now=now, process=os.getpid(), thread=threading.get_native_id()) + "\n")
    sys.stderr.flush()
