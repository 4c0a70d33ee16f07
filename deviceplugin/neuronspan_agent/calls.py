"""Calls to the API server, one interface each; ``kube.Client`` has them all.

Law: a module names the calls it needs and no others, so that its tests need no more either.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any, Protocol

from neuronspan_agent import resources


class Gets(Protocol):
    """Reads single objects."""

    async def get(self, resource: resources.Resource, name: str, namespace: str = "") -> dict[str, Any]:
        """Read one object."""


class Lists(Protocol):
    """Reads collections."""

    async def list_page(
        self, resource: resources.Resource, selector: resources.Selector, *, limit: int, continuation: str
    ) -> dict[str, Any]:
        """Read one page."""


class Watches(Protocol):
    """Follows collections."""

    def watch(
        self,
        resource: resources.Resource,
        selector: resources.Selector,
        *,
        resource_version: str,
        silence_seconds: float,
        stream_seconds: int,
    ) -> AsyncGenerator[dict[str, Any], None]:
        """Yield events until the stream ends."""


class MergePatches(Protocol):
    """Changes fields of objects."""

    async def merge_patch(
        self, resource: resources.Resource, name: str, patch: dict[str, Any], namespace: str = "", subresource: str = ""
    ) -> dict[str, Any]:
        """Merge fields into one object, by compare-and-swap when the patch carries a resourceVersion."""


class Creates(Protocol):
    """Creates objects."""

    async def create(
        self, resource: resources.Resource, manifest: Mapping[str, Any], namespace: str = ""
    ) -> dict[str, Any]:
        """Create one object; raises Conflict when it exists."""


class Replaces(Protocol):
    """Writes whole objects."""

    async def replace(
        self, resource: resources.Resource, name: str, manifest: dict[str, Any], namespace: str = ""
    ) -> dict[str, Any]:
        """Write one object as a whole, by compare-and-swap; raises Conflict."""


class JsonPatches(Protocol):
    """Writes by operations and tests."""

    async def json_patch(
        self, resource: resources.Resource, name: str, operations: Sequence[dict[str, Any]], namespace: str = ""
    ) -> dict[str, Any]:
        """Apply operations to one object, all or none; raises Invalid when a ``test`` fails."""


class StrategicPatches(Protocol):
    """Merges lists by the key of their items; for built-in kinds only."""

    async def strategic_patch(
        self, resource: resources.Resource, name: str, patch: dict[str, Any], namespace: str = "", subresource: str = ""
    ) -> dict[str, Any]:
        """Merge fields into one object, by compare-and-swap when the patch carries a resourceVersion or a UID."""


class Binds(Protocol):
    """Gives pods their nodes."""

    async def bind(self, name: str, namespace: str, binding: Mapping[str, Any]) -> None:
        """Bind a pod; raises Conflict when it changed since the binding was made, or has a node."""


class Deletes(Protocol):
    """Deletes objects."""

    async def delete(
        self, resource: resources.Resource, name: str, namespace: str = "", *, uid: str = "", resource_version: str = ""
    ) -> None:
        """Delete one object if it still has this UID and version; raises Conflict."""


class Evicts(Protocol):
    """Evicts pods."""

    async def evict(self, name: str, namespace: str, *, uid: str) -> None:
        """Ask for the eviction of a pod; raises Unavailable while a disruption budget forbids it."""
