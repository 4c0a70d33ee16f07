"""A NeuronNode on the embedded API server, as its plugin calls it; the test is the operator, and may take it away."""

import asyncio
import copy
from collections.abc import AsyncGenerator, Callable, Iterable
from typing import Any

from kits.embedded import in_memory
from kits.manifests import builders
from neuronspan import grants, ledger
from neuronspan_agent import errors, resources, signals

Manifest = dict[str, Any]
PATIENCE = 30.0

_KIND = resources.NEURON_NODES


class NeuronNodeStore:
    """One object; a test is the operator, the plugin makes the calls."""

    def __init__(self, manifest: Manifest | None = None) -> None:
        self.changed = signals.Signal()
        self.writes = 0
        self.down = False
        """While set, every call fails."""
        self._server = in_memory.ApiServer()
        self._server.on_write(self.changed.raised)
        self._name = ""
        if manifest is not None:
            self.put(manifest)

    # --- the operator's side -------------------------------------------------------------------------------------

    @property
    def status(self) -> Manifest:
        """The stored status."""
        return dict(self._stored().get("status") or {}) if self._is_there else {}

    def put(self, manifest: Manifest) -> None:
        """Create the object, or write it as a whole."""
        self._name = manifest["metadata"]["name"]
        self._server.put(_KIND, manifest)

    def remove(self) -> None:
        """Delete the object."""
        self._server.remove(_KIND, self._name)

    def edit(self, **spec: Any) -> None:
        """Change fields of the spec."""
        found = self._stored()
        self.put({**found, "spec": {**found["spec"], **spec}})

    def write_ledger(self, entries: Iterable[grants.Grant]) -> None:
        """Replace the grants, by the rules of a ledger."""
        self.edit(grants=ledger.Ledger(self._stored()["spec"]["cores"], tuple(entries)).to_list())

    def book(self) -> ledger.Ledger:
        """Return the ledger."""
        spec = self._stored()["spec"]
        return ledger.Ledger.from_list(spec["cores"], spec["grants"])

    def condition(self, name: str) -> Manifest:
        """Return a condition of the status, empty when it is not there."""
        found = (each for each in self.status.get("conditions") or () if each["type"] == name)
        return next(found, {})

    def write_status(self, status: Manifest) -> None:
        """Write fields of the status, as another plugin may."""
        self.writes += 1
        self.put({**self._stored(), "status": {**self.status, **copy.deepcopy(status)}})

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until it holds of the stored object; fails the test when it never does."""
        async with asyncio.timeout(PATIENCE):
            while not condition():
                await self.changed.beyond(self.changed.version)

    def deafen(self) -> None:
        """Let watches get nothing: the plugin's copy falls behind."""
        self._server.mute()

    def go_down(self) -> None:
        """Let every call fail, those under way too."""
        self.down = True
        self._server.end_streams(errors.Unavailable("watch: connection reset"))

    def come_back(self) -> None:
        """Answer again."""
        self.down = False
        self.changed.raised()

    # --- the plugin's side: own_node.Client ----------------------------------------------------------------------

    async def list_page(
        self, resource: resources.Resource, selector: resources.Selector, *, limit: int, continuation: str
    ) -> Manifest:
        self._fail_if_down(f"list {resource}")
        return await self._server.list_page(resource, selector, limit=limit, continuation=continuation)

    async def watch(
        self,
        resource: resources.Resource,
        selector: resources.Selector,
        *,
        resource_version: str,
        silence_seconds: float,
        stream_seconds: int,
    ) -> AsyncGenerator[dict[str, Any], None]:
        self._fail_if_down(f"watch {resource}")
        async for event in self._server.watch(
            resource,
            selector,
            resource_version=resource_version,
            silence_seconds=silence_seconds,
            stream_seconds=stream_seconds,
        ):
            yield event

    async def get(self, resource: resources.Resource, name: str, namespace: str = "") -> Manifest:
        self._fail_if_down(f"get {resource} {name}")
        return await self._server.get(resource, name, namespace)

    async def merge_patch(
        self, resource: resources.Resource, name: str, patch: Manifest, namespace: str = "", subresource: str = ""
    ) -> Manifest:
        self._fail_if_down(f"patch {resource} {name}")
        assert subresource == "status"
        self.writes += 1
        return await self._server.merge_patch(resource, name, patch, namespace, subresource)

    # --- inside --------------------------------------------------------------------------------------------------

    @property
    def _is_there(self) -> bool:
        return bool(self._name) and self._server.has(_KIND, self._name)

    def _stored(self) -> Manifest:
        return self._server.stored(_KIND, self._name)

    def _fail_if_down(self, call: str) -> None:
        if self.down:
            raise errors.Unavailable(f"{call}: connection refused")


def neuron_node(entries: Iterable[grants.Grant] = (), *, instance_type: str = builders.LARGE) -> Manifest:
    """Return a NeuronNode as the operator creates it: no status yet."""
    manifest = builders.make_neuron_node(entries=entries, instance_type=instance_type)
    del manifest["status"]
    return manifest
