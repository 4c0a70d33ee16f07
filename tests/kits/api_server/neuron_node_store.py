"""The node's NeuronNode in memory, with the calls of the API server's client: versions, watches, faults."""

import asyncio
import copy
from collections.abc import AsyncGenerator, Callable, Iterable
from typing import Any

from kits.manifests import builders
from neuronspan import grants, ledger
from neuronspan_agent import errors, resources, signals

Manifest = dict[str, Any]
PATIENCE = 30.0


class NeuronNodeStore:
    """One object; a test is the operator, the plugin makes the calls."""

    def __init__(self, manifest: Manifest | None = None) -> None:
        self.changed = signals.Signal()
        self.writes = 0
        self.deaf = False
        """While set, watches get nothing: the plugin's copy falls behind."""
        self.down = False
        """While set, every call fails."""
        self._manifest = manifest
        self._version = 100
        self._history: list[tuple[int, str, Manifest]] = []
        if manifest is not None:
            manifest["metadata"]["resourceVersion"] = str(self._version)

    # --- the operator's side -------------------------------------------------------------------------------------

    @property
    def status(self) -> Manifest:
        """The stored status."""
        return dict((self._manifest or {}).get("status") or {})

    def put(self, manifest: Manifest) -> None:
        """Create the object."""
        self._manifest = copy.deepcopy(manifest)
        self._stored("ADDED")

    def remove(self) -> None:
        """Delete the object."""
        self._stored("DELETED")
        self._manifest = None

    def edit(self, **spec: Any) -> None:
        """Change fields of the spec."""
        assert self._manifest is not None
        self._manifest["spec"] |= spec
        self._stored("MODIFIED")

    def write_ledger(self, entries: Iterable[grants.Grant]) -> None:
        """Replace the grants, by the rules of a ledger."""
        assert self._manifest is not None
        self.edit(grants=ledger.Ledger(self._manifest["spec"]["cores"], tuple(entries)).to_list())

    def book(self) -> ledger.Ledger:
        """Return the ledger."""
        assert self._manifest is not None
        return ledger.Ledger.from_list(self._manifest["spec"]["cores"], self._manifest["spec"]["grants"])

    def condition(self, name: str) -> Manifest:
        """Return a condition of the status, empty when it is not there."""
        found = (each for each in self.status.get("conditions") or () if each["type"] == name)
        return next(found, {})

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until it holds of the stored object; fails the test when it never does."""
        async with asyncio.timeout(PATIENCE):
            while not condition():
                await self.changed.beyond(self.changed.version)

    # --- the plugin's side: own_node.Client ----------------------------------------------------------------------

    async def list_page(
        self,
        resource: resources.Resource,
        selector: resources.Selector,  # noqa: ARG002 - there is one object only
        *,
        limit: int,  # noqa: ARG002
        continuation: str,  # noqa: ARG002
    ) -> Manifest:
        self._fail_if_down(f"list {resource}")
        items = [] if self._manifest is None else [copy.deepcopy(self._manifest)]
        return {"items": items, "metadata": {"resourceVersion": str(self._version)}}

    async def watch(
        self,
        resource: resources.Resource,
        selector: resources.Selector,  # noqa: ARG002
        *,
        resource_version: str,
        silence_seconds: float,  # noqa: ARG002 - no test lasts that long
        stream_seconds: int,  # noqa: ARG002
    ) -> AsyncGenerator[dict[str, Any], None]:
        self._fail_if_down(f"watch {resource}")
        at = int(resource_version)
        while True:
            seen = self.changed.version
            for version, kind, manifest in [] if self.deaf else self._history:
                if version > at:
                    at = version
                    yield {"type": kind, "object": copy.deepcopy(manifest)}
            await self.changed.beyond(seen)
            self._fail_if_down(f"watch {resource}")

    async def get(self, resource: resources.Resource, name: str, namespace: str = "") -> Manifest:  # noqa: ARG002
        self._fail_if_down(f"get {resource} {name}")
        if self._manifest is None:
            raise errors.NotFound(f"get {resource} {name}: 404", status=404)
        return copy.deepcopy(self._manifest)

    async def merge_patch(
        self,
        resource: resources.Resource,
        name: str,
        patch: Manifest,
        namespace: str = "",  # noqa: ARG002
        subresource: str = "",
    ) -> Manifest:
        self._fail_if_down(f"patch {resource} {name}")
        assert subresource == "status"
        return self.write_status(patch["status"])

    def write_status(self, status: Manifest) -> Manifest:
        """Merge into the status, as the plugin does; another one may be writing too."""
        if self._manifest is None:
            raise errors.NotFound("patch of the NeuronNode: 404", status=404)
        self.writes += 1
        self._manifest["status"] = (self._manifest.get("status") or {}) | copy.deepcopy(dict(status))
        self._stored("MODIFIED")
        return copy.deepcopy(self._manifest)

    def go_down(self) -> None:
        """Let every call fail, those under way too."""
        self.down = True
        self.changed.raised()

    def come_back(self) -> None:
        """Answer again."""
        self.down = False
        self.changed.raised()

    def _fail_if_down(self, call: str) -> None:
        if self.down:
            raise errors.Unavailable(f"{call}: connection refused")

    def _stored(self, kind: str) -> None:
        assert self._manifest is not None
        self._version += 1
        self._manifest["metadata"]["resourceVersion"] = str(self._version)
        self._history.append((self._version, kind, copy.deepcopy(self._manifest)))
        self.changed.raised()


def neuron_node(entries: Iterable[grants.Grant] = (), *, instance_type: str = builders.LARGE) -> Manifest:
    """Return a NeuronNode as the operator creates it: no status yet."""
    manifest = builders.make_neuron_node(entries=entries, instance_type=instance_type)
    del manifest["status"]
    return manifest
