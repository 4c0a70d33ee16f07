"""An embedded cluster without HTTP, clock or chance: the calls of its API server, and its controllers on demand."""

import datetime as dt
import itertools
from collections.abc import Mapping
from typing import Any

from neuronspan_embedded.api_server import server, store, verbs
from neuronspan_embedded.controllers import manager

Manifest = dict[str, Any]
NOON = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)


def sources() -> verbs.Sources:
    """Return a time that stands still, and identities that count up."""
    numbers = itertools.count(1)
    return verbs.Sources(lambda: NOON, lambda: f"uid-{next(numbers)}", lambda: f"{next(numbers):05}")


class Embedded:
    """A cluster whose controllers work when they are told to."""

    def __init__(self) -> None:
        made = server.Server(sources=sources())
        self.calls: verbs.Verbs = made.calls
        self.store: store.Store = made.store
        self._plurals = {kind.plural: kind for kind in self.calls.served().values()}

    def create(self, plural: str, manifest: Mapping[str, Any]) -> Manifest:
        """Create an object in the namespace ``default``."""
        return self.calls.create(self.target(plural), manifest)

    def target(self, plural: str, name: str = "", subresource: str = "") -> verbs.Target:
        """Return what a call is about."""
        kind = self._plurals[plural]
        return verbs.Target(kind, "default" if kind.namespaced else "", name, subresource)

    def get(self, plural: str, name: str) -> Manifest:
        """Return an object that is there."""
        return self.calls.get(self.target(plural, name))

    def all(self, plural: str) -> list[Manifest]:
        """Return the objects of a kind."""
        return self.store.all(self._plurals[plural].resource)

    def settle(self) -> None:
        """Let the controllers work until they have nothing left to do."""
        manager.settle(self.calls)

    def say(self, pod: Manifest, phase: str, *, ready: bool = False) -> None:
        """Play kubelet: say how a pod is."""
        conditions = [{"type": "Ready", "status": str(ready)}]
        status = {**pod["status"], "phase": phase, "conditions": conditions}
        self.calls.replace(self.target("pods", pod["metadata"]["name"], "status"), {**pod, "status": status})

    def all_ready(self) -> None:
        """Let every pod run and be ready, and the controllers see it."""
        for pod in self.all("pods"):
            self.say(pod, "Running", ready=True)
        self.settle()
