"""Calls to the API server, one interface each; ``kube.Client`` has them all.

Law: a module names the calls it needs and no others, so that its tests need no more either.
"""

from collections.abc import AsyncGenerator
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
