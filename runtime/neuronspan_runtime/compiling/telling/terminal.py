"""The logger `Neuron`, whose lines AWS's compiler for Inf1 shows on the terminal without being asked.

They have the form of Python's own `basicConfig`, as published logs show. A program that handles its log by itself gets
the lines there, once; one that chose a level for the logger keeps it.

Law: writes nothing where somebody else writes it.
"""

import contextlib
import logging
import sys

NAME = "Neuron"


class _Terminal(logging.Handler):
    """Standard error as it is at the time, while no handler of the program is there."""

    def emit(self, record: logging.LogRecord) -> None:
        if logging.getLogger().handlers or sys.stderr is None:
            return
        with contextlib.suppress(OSError, ValueError):  # a full disk, a reader that is gone, a closed file
            sys.stderr.write(self.format(record) + "\n")


def logger() -> logging.Logger:
    """Return the logger; at its first use it gets its handler, and the level INFO unless it has one."""
    log = logging.getLogger(NAME)
    if not log.handlers:
        handler = _Terminal()
        handler.setFormatter(logging.Formatter(logging.BASIC_FORMAT))
        log.addHandler(handler)
        if log.level == logging.NOTSET:
            log.setLevel(logging.INFO)
    return log
