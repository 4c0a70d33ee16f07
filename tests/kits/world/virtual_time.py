"""An event loop whose clock jumps to the next timer instead of waiting for it: hours pass in microseconds.

Real input and output still works, but a test that waits for it while no timer is set fails instead of hanging.
"""

import asyncio
import selectors
from collections.abc import Mapping


class _JumpingSelector(selectors.DefaultSelector):
    """Polls; time that the loop would have spent waiting is added to ``passed``."""

    passed = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            ready = super().select(1.0)  # a thread or a socket may still answer
            if not ready:
                raise AssertionError("every task waits and no timer is set: nothing can happen any more")
            return ready
        self.passed += max(timeout, 0.0)
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Its ``time()`` starts at 1 000 s and advances only through timers."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return 1000.0 + self._jumping.passed


LOOP_FACTORIES: Mapping[str, type[asyncio.AbstractEventLoop]] = {"virtual": VirtualTimeLoop}
"""What a conftest's pytest_asyncio_loop_factories hook returns."""
