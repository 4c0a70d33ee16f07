"""How the command is ended from outside: Ctrl-C, SIGTERM, or a terminal that is closed.

Law: the first signal begins the end, and nothing cuts the end short: processes that it leaves would stay for ever.
"""

import asyncio
import contextlib
import signal
from collections.abc import Iterator

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Each of them would otherwise end this process at once, and containers are in sessions of their own."""
_BY_SIGNAL = 128


class Ending:
    """Whether a signal has come; ``code`` is what the process ends with then, 0 before."""

    def __init__(self) -> None:
        self.code = 0

    @contextlib.contextmanager
    def by_signals(self) -> Iterator[None]:
        """Let the first signal cancel the current task while the context lasts, and later ones do nothing."""
        task, loop = asyncio.current_task(), asyncio.get_running_loop()

        def begin(number: signal.Signals) -> None:
            if not self.code and task is not None:
                self.code = _BY_SIGNAL + number
                task.cancel()

        for each in SIGNALS:
            loop.add_signal_handler(each, begin, each)
        try:
            yield
        finally:
            for each in SIGNALS:
                loop.remove_signal_handler(each)
                if self.code:
                    signal.signal(each, signal.SIG_IGN)  # all has ended: another signal must not change how
