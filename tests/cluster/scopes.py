"""Steps that run side by side, and the end of all of them when one fails.

Law: a scope that is stopped starts nothing more and ends what it has started; scopes inside it end with it, the one
around it goes on. What runs in no crew belongs to a scope that nobody stops.
"""

import concurrent.futures
import contextlib
import contextvars
import threading
from collections.abc import Callable, Iterator
from typing import ParamSpec, Self, TypeVar

from cluster import errors

Words = ParamSpec("Words")
Made = TypeVar("Made")
MOST_STEPS = 8


class Scope:
    """What was started and can be ended, in this scope and in those inside it."""

    def __init__(self, parent: "Scope | None" = None) -> None:
        self._parent = parent
        self._stopped = False
        self._running: list[Callable[[], None]] = []
        self._guard = threading.Lock()

    def check(self) -> None:
        """Raise Abandoned when this scope, or one around it, is stopped."""
        if self._stopped:
            raise errors.Abandoned
        if self._parent:
            self._parent.check()

    @contextlib.contextmanager
    def holding(self, end: Callable[[], None]) -> Iterator[None]:
        """Know how to end something while it runs; Abandoned, and it is ended, when the scope is stopped already."""
        with contextlib.ExitStack() as stack:
            if self._parent:
                stack.enter_context(self._parent.holding(end))
            with self._guard:
                self._running.append(end)
            stack.callback(self._running.remove, end)
            self.check()
            yield

    def stop(self) -> None:
        """End everything that runs, and let nothing more start."""
        with self._guard:
            self._stopped = True
            running = tuple(self._running)
        for end in running:
            end()


_current: contextvars.ContextVar[Scope] = contextvars.ContextVar("scope", default=Scope())  # noqa: B039 - the outermost


def current() -> Scope:
    """The scope of this thread."""
    return _current.get()


class Crew:
    """Steps side by side; leaving it waits for all, and the first failure, or an interruption, ends the others.

    A step may wait for what another one makes by asking the future that `start` returns.
    """

    def __init__(self) -> None:
        self._scope = Scope(current())
        self._pool = concurrent.futures.ThreadPoolExecutor(MOST_STEPS)
        self._steps: list[concurrent.futures.Future[object]] = []

    def start(
        self, step: Callable[Words, Made], *words: Words.args, **named: Words.kwargs
    ) -> "concurrent.futures.Future[Made]":
        """Begin a step in a thread of its own."""
        context = contextvars.copy_context()
        context.run(_current.set, self._scope)
        future: concurrent.futures.Future[Made] = self._pool.submit(lambda: context.run(step, *words, **named))
        self._steps.append(future)  # type: ignore[arg-type]  # only waited for and asked whether it failed
        return future

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        done = False
        try:
            if kind is None:
                for step in concurrent.futures.as_completed(self._steps):
                    step.result()
                done = True
        finally:
            if not done:
                self._scope.stop()
            self._pool.shutdown(cancel_futures=not done)
