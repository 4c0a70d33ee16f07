"""The embedded API server, of which one call goes wrong: it fails, its answer is lost, or others were quicker.

It refuses a ledger that overlaps, as any does, and fails the test at once when a member of a group starts before all
have their cores.
"""

import dataclasses
import functools
from collections.abc import Awaitable, Callable
from typing import Any

from kits.embedded import in_memory
from kits.manifests import builders
from neuronspan import ledger, names
from neuronspan_agent import errors, resources
from neuronspan_operator.objects import neuron_nodes, pods


class ProcessDiedError(Exception):
    """The operator's process is no more: none of its calls is answered."""


@dataclasses.dataclass(frozen=True)
class Mishap:
    """What happens to one call: it is made or not, and then fails; or others are quicker, and it is made."""

    name: str
    change: Callable[[in_memory.ApiServer], None] | None = None  # what others do just before
    lands: bool = False
    error: errors.KubernetesError | None = None  # None: the process ends

    def __str__(self) -> str:
        return self.name


MISHAPS = (
    Mishap("the process dies before"),
    Mishap("the process dies after", lands=True),
    Mishap("the answer is lost", lands=True, error=errors.Unavailable("no answer in time")),
    Mishap("a proxy tries twice", lands=True, error=errors.Conflict("409 changed", status=409)),
    Mishap("forbidden", error=errors.Forbidden("403 no", status=403)),
    Mishap("not found", error=errors.NotFound("404 no such thing", status=404)),
    Mishap("conflict", error=errors.Conflict("409 changed", status=409)),
    Mishap("invalid", error=errors.Invalid("422 no", status=422)),
    Mishap("unavailable", error=errors.Unavailable("500 etcd", status=500)),
)


def _made_anew(server: in_memory.ApiServer) -> None:
    """Delete every pod that has no node, and make another one of the same name."""
    for manifest in server.all(resources.PODS):
        metadata = manifest["metadata"]
        if not manifest["spec"].get("nodeName") and not metadata["uid"].endswith("-again"):
            server.remove(resources.PODS, metadata["name"], "default")
            again = {**metadata, "uid": f"{metadata['uid']}-again", "annotations": metadata.get("annotations", {})}
            server.put(
                resources.PODS, {**manifest, "metadata": again, "status": {"phase": "Pending", "conditions": []}}
            )


def _bound_by_others(server: in_memory.ApiServer) -> None:
    """Bind a pod without asking anybody, to a node that it may have no grant on."""
    waiting = [each for each in server.all(resources.PODS) if not each["spec"].get("nodeName")]
    for manifest in waiting[:1] if not _members(server) else ():
        manifest["spec"]["nodeName"] = max(each["metadata"]["name"] for each in server.all(resources.NODES))
        server.put(resources.PODS, manifest)


def _annotated(server: in_memory.ApiServer) -> None:
    """Change what every pod without a node says, in a way that makes its grant another one."""
    for manifest in server.all(resources.PODS):
        if not manifest["spec"].get("nodeName"):
            manifest["metadata"].setdefault("annotations", {})[names.ENV_ANNOTATION] = "count"
            server.put(resources.PODS, manifest)


def _cordoned(server: in_memory.ApiServer) -> None:
    """Cordon the first node; another one comes instead."""
    first = server.stored(resources.NODES, "w1")
    first["spec"]["unschedulable"] = True
    server.put(resources.NODES, first)
    server.put(resources.NODES, builders.make_node("w9"))
    server.put(resources.NEURON_NODES, builders.make_neuron_node("w9"))


CHANGES = (
    Mishap("pods are made anew", change=_made_anew),
    Mishap("somebody else binds a pod", change=_bound_by_others),
    Mishap("annotations change", change=_annotated),
    Mishap("a node is cordoned", change=_cordoned),
)


class FrailServer(in_memory.ApiServer):
    """Lets its call of number ``countdown`` meet the ``mishap``; ``made`` are all calls.

    Once the process is ``dead`` no call is answered; a new process needs it to be set back.
    """

    def __init__(self) -> None:
        super().__init__()
        self.mishap: Mishap | None = None
        self.countdown = -1
        self.dead = False
        self.made: list[str] = []
        self.on_write(lambda: _gang_is_granted_before_any_starts(self))

    async def _frail(self, name: str, call: Callable[[], Awaitable[Any]]) -> Any:
        if self.dead:
            raise ProcessDiedError(name)
        self.made.append(name)
        self.countdown -= 1
        if self.countdown or self.mishap is None:
            return await call()
        if self.mishap.change is not None:
            self.mishap.change(self)
            return await call()
        if self.mishap.error is None:
            self.dead = True
        if self.mishap.lands:
            await call()
        raise self.mishap.error or ProcessDiedError(name)

    async def get(self, *args: Any, **options: Any) -> Any:
        return await self._frail(f"get {args[:2]}", functools.partial(super().get, *args, **options))

    async def create(self, *args: Any, **options: Any) -> Any:
        return await self._frail(f"create {args[0]}", functools.partial(super().create, *args, **options))

    async def merge_patch(self, *args: Any, **options: Any) -> Any:
        return await self._frail(f"merge_patch {args[:2]}", functools.partial(super().merge_patch, *args, **options))

    async def strategic_patch(self, *args: Any, **options: Any) -> Any:
        return await self._frail(f"patch {args[:2]}", functools.partial(super().strategic_patch, *args, **options))

    async def bind(self, *args: Any, **options: Any) -> Any:
        return await self._frail(f"bind {args[0]}", functools.partial(super().bind, *args, **options))


def books(server: in_memory.ApiServer) -> dict[str, ledger.Ledger]:
    """Return the stored ledgers by node."""
    found = {}
    for manifest in server.all(resources.NEURON_NODES):
        view = neuron_nodes.read(manifest)
        assert view.ledger is not None, view.problem
        found[view.name] = view.ledger
    return found


def _members(server: in_memory.ApiServer) -> list[pods.PodView]:
    known = [pods.read(manifest) for manifest in server.all(resources.PODS)]
    return [pod for pod in known if pod.pod_group]


def _gang_is_granted_before_any_starts(server: in_memory.ApiServer) -> None:
    members = _members(server)
    if any(pod.node_name for pod in members):
        granted = {grant.pod_uid for book in books(server).values() for grant in book.grants}
        assert all(pod.uid in granted for pod in members), "a member starts before all have their cores"
