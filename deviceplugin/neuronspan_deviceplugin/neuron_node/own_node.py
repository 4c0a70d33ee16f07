"""This node's NeuronNode at the API server: kept up to date, read at once when asked, its status written.

Law: never shows a state older than one it has shown or returned, unless a list says so: then the API server has another
history, restored from a backup. Needs get, list and watch on neuronnodes and patch on neuronnodes/status.
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from neuronspan_agent import calls, mirror, resources
from neuronspan_deviceplugin import metrics
from neuronspan_deviceplugin.neuron_node import reading

_PACE = mirror.Pace(page=1, resumes=False)

Seen = Callable[[reading.NeuronNode | None], None]
"""Called with every state of the object; None when there is no such object."""


class Client(mirror.Reader, calls.Gets, calls.MergePatches, Protocol):
    """The calls that this module needs."""


class OwnNode:
    """One NeuronNode by name; run ``run`` as a task. Every call raises KubernetesError."""

    def __init__(self, client: Client, name: str, seen: Seen, meters: metrics.Metrics) -> None:
        self._client = client
        self._name = name
        self._seen = seen
        self._shown: reading.NeuronNode | None = None
        self._newest: reading.NeuronNode | None = None
        self._mirror = mirror.Mirror(
            client,
            resources.NEURON_NODES,
            reading.read,
            key_of=resources.name_of,
            on_change=self._changed,
            on_listed=self._listed,
            meters=meters,
            selector=resources.Selector(fields=f"metadata.name={name}"),
            pace=_PACE,
        )

    @property
    def in_touch(self) -> bool:
        """Whether the API server answered when it was last asked, or speaks by itself."""
        return self._mirror.in_touch

    async def run(self) -> None:
        """Follow the object for ever."""
        await self._mirror.run()

    async def fresh(self) -> reading.NeuronNode:
        """Read the object now; raises NotFound. An answer that was overtaken on its way gives way to what is newer."""
        node = reading.read(await self._client.get(resources.NEURON_NODES, self._name))
        if self._newest is None or not _is_older(node, self._newest):
            self._newest = node
        return self._newest

    async def patch_status(self, status: Mapping[str, Any]) -> None:
        """Merge into the object's status; raises NotFound."""
        patch = {"status": status}
        await self._client.merge_patch(resources.NEURON_NODES, self._name, patch, subresource="status")

    def _changed(self, _key: str) -> None:
        node = self._mirror.items.get(self._name)
        if node is None or self._newest is None or not _is_older(node, self._newest):
            self._show(node)

    def _listed(self) -> None:
        node = self._mirror.items.get(self._name)
        if node is None or node is not self._shown:
            self._show(node)

    def _show(self, node: reading.NeuronNode | None) -> None:
        self._shown = self._newest = node
        self._seen(node)


def _is_older(one: reading.NeuronNode, other: reading.NeuronNode) -> bool:
    return resources.is_older(one.resource_version, other.resource_version)
