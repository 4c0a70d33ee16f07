"""Reads Namespaces: pod affinity can select them by their labels. Pure."""

from collections.abc import Mapping
from typing import Any


def read(manifest: Mapping[str, Any]) -> Mapping[str, str]:
    """Return a Namespace's labels."""
    labels: Mapping[str, str] = (manifest.get("metadata") or {}).get("labels") or {}
    return labels
