"""Certificates and keys for the ssl module, which reads them from files alone.

Law: what is written is gone when the context ends, and no directory is needed where the system can do without one: the
root of a container is often read-only.
"""

import contextlib
import os
import tempfile
from collections.abc import Iterator

_NAME = "neuronspan"


@contextlib.contextmanager
def holding(content: bytes) -> Iterator[str]:
    """Yield the path of a file with this content that only this user can read."""
    if hasattr(os, "memfd_create"):
        with os.fdopen(os.memfd_create(_NAME), "wb") as memory:
            memory.write(content)
            memory.flush()
            yield f"/proc/self/fd/{memory.fileno()}"
        return
    with tempfile.NamedTemporaryFile(prefix=_NAME) as file:  # macOS, where only the command line runs
        file.write(content)
        file.flush()
        yield file.name
