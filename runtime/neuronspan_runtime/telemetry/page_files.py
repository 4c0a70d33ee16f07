"""Where the pages of counters are: one file per NeuronCore beside its lock file, owned by whoever holds the lock.

A process without a place for them works as well; the tools then know its cores and nothing more.

Law: a page may be missing without harm; the lock, and never the page, says who owns a core.
"""

import contextlib
import os
import pathlib
from collections.abc import Mapping

from neuronspan import spans
from neuronspan_runtime.cores import hardware
from neuronspan_runtime.telemetry import page_layout, processes

RUNTIME_VERSION = "0.1.0"
"""What the tools print as the version of the runtime; that of this package, which a test compares."""

_NAMESPACE = pathlib.Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_READS = 5


def publish(machine: hardware.Machine, span: spans.CoreSpan, tag: str) -> Mapping[int, pathlib.Path]:
    """Begin the pages of this process's cores; return the files by core, without those that cannot be written.

    The cores must be owned: their pages may hold what their last owner left.
    """
    files = {core: machine.telemetry_file(core) for core in span}
    return {core: path for core, path in files.items() if _written(path, _header(core, span, tag), machine)}


def withdraw(files: Mapping[int, pathlib.Path]) -> None:
    """Mark the pages as without an owner, before the cores are given back."""
    for path in files.values():
        with contextlib.suppress(OSError), path.open("r+b") as file:
            file.write(bytes(len(page_layout.MAGIC)))


def read(machine: hardware.Machine, core: int) -> page_layout.Page | None:
    """Read the page of a core, at a moment when its table of models is whole if there is one; None without a page."""
    page = None
    for _ in range(_READS):
        try:
            with machine.telemetry_file(core).open("rb") as file:
                page, again = (page_layout.decode(os.pread(file.fileno(), page_layout.PAGE_BYTES, 0)) for _ in range(2))
        except OSError:
            return None
        if page is None or again is None:
            return None
        if page.whole and page.counters.models_sequence == again.counters.models_sequence:
            break
    return page


def _header(core: int, span: spans.CoreSpan, tag: str) -> page_layout.Header:
    own = os.getpid()
    process = processes.read(own)
    return page_layout.Header(
        pid=own,
        core=core,
        span=span,
        start_ticks=process.start_ticks if process else 0,
        tag=tag or str(own),
        command=processes.command(own),
        runtime_version=RUNTIME_VERSION,
        host=os.uname().nodename,
        namespace=_namespace(),
    )


def _namespace() -> str:
    try:
        return _NAMESPACE.read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def _written(path: pathlib.Path, header: page_layout.Header, machine: hardware.Machine) -> bool:
    """Write a page whole, so that no later store into its mapping needs space that the file system does not have."""
    try:
        if not machine.prepared:
            path.parent.mkdir(mode=0o700, exist_ok=True)
        flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | (0 if machine.prepared else os.O_CREAT)
        descriptor = os.open(path, flags, 0o600)
        try:
            content = page_layout.encode(header)
            # never cut off first: the last owner's child may still have it mapped
            os.pwrite(descriptor, bytes(len(page_layout.MAGIC)), 0)
            os.pwrite(descriptor, content[len(page_layout.MAGIC) :], len(page_layout.MAGIC))
            os.pwrite(descriptor, page_layout.MAGIC, 0)
        finally:
            os.close(descriptor)
    except OSError:
        return False
    return True
