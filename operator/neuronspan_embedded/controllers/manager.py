"""Runs the controllers, one pass after another while anything changes."""

import asyncio
import http
from typing import Protocol

from neuronspan_embedded.api_server import verbs
from neuronspan_embedded.api_server.rules import refusals
from neuronspan_embedded.controllers import (
    budgets,
    daemon_sets,
    deployments,
    garbage,
    jobs,
    replica_sets,
    scheduler,
    stateful_sets,
)
from neuronspan_embedded.controllers import view as views


class Controller(Protocol):
    """A module of this folder."""

    def run(self, view: views.View) -> None:
        """Bring what is stored nearer to what it says."""


_CONTROLLERS: tuple[Controller, ...] = (
    garbage, deployments, replica_sets, stateful_sets, daemon_sets, jobs, scheduler, budgets
)  # fmt: skip
_MOST_PASSES = 100
"""More than any chain of objects is long: a pass changes something once, and a later one takes it up."""


def settle(calls: verbs.Verbs) -> int:
    """Let all controllers work until none has anything left to do; return how many passes that took."""
    view = views.View(calls)
    for passes in range(1, _MOST_PASSES + 1):
        before = calls.store.version
        for each in _CONTROLLERS:
            _run(each, view)
        if calls.store.version == before:
            return passes
    raise AssertionError(f"the controllers still write after {_MOST_PASSES} passes: two of them disagree")


def _run(controller: Controller, view: views.View) -> None:
    try:
        controller.run(view)
    except refusals.Refusal as refusal:
        if refusal.code != http.HTTPStatus.CONFLICT:
            raise
        # it looked at an object before it changed it itself: the next pass sees the object as it is


async def run(calls: verbs.Verbs) -> None:
    """Let the controllers answer every change, for ever."""
    changed = asyncio.Event()
    calls.store.listeners.add(changed.set)
    try:
        while True:
            changed.clear()
            settle(calls)
            changed.clear()  # what the controllers wrote themselves is settled
            await changed.wait()
    finally:
        calls.store.listeners.discard(changed.set)
