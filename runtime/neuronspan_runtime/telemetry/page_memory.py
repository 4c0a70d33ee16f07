"""Where the pages of counters are: in memory of the process that counts, which the tools find among its descriptors.

The memory is sealed (memfd_create(2)): nobody can cut it off or let it grow, and nobody but the process that mapped it
can write to it, whoever got hold of a descriptor. It ends with its process, so no page is ever another's. Who may read
it is what the kernel says of /proc/<pid>/fd: the same user, and root with CAP_SYS_PTRACE.

Law: pages may be missing without harm; the lock, and never a page, says who owns a core.
"""

import contextlib
import fcntl
import itertools
import os
import pathlib
from collections.abc import Iterable, Iterator, Mapping

from neuronspan import spans
from neuronspan_runtime.cores import hardware
from neuronspan_runtime.telemetry import page_layout, processes

RUNTIME_VERSION = "0.1.0"
"""What the tools print as the version of the runtime; that of this package, which a test compares."""

NAME = "neuronspan-cores"
"""Of the memory, in the owner's list of descriptors."""
_LINK = f"/memfd:{NAME} (deleted)"
_NAMESPACE = pathlib.Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_READS = 5
_DESCRIPTORS = 4096
"""Searched of one process: a runtime starts early, and a program may open millions to keep a reader busy."""


def publish(machine: hardware.Machine, span: spans.CoreSpan, tag: str) -> int | None:
    """Make the pages of this process's cores, one after the other; return their memory's descriptor.

    None when there is no such memory to be had. It is the caller's to count on, and to withdraw.
    """
    try:
        descriptor = os.memfd_create(NAME, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    except OSError:
        return None
    content = b"".join(map(page_layout.encode, _headers(machine, span, tag)))
    try:
        if os.pwrite(descriptor, content, 0) == len(content):  # written whole: no later store needs memory
            fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW)
            return descriptor
    except OSError:
        pass
    os.close(descriptor)
    return None


def withdraw(descriptor: int | None) -> None:
    """Let go of the pages, before the cores are given back; a forked child lets go of its parent's."""
    if descriptor is not None:
        os.close(descriptor)


def read(
    machine: hardware.Machine, pid: int, cores: Iterable[int], proc: pathlib.Path = processes.PROC
) -> Mapping[int, page_layout.Page]:
    """Read a process's pages of these cores, each at a moment when its table of models is whole if there is one.

    Cores without a page, and all when the process is gone or hidden, are left out.
    """
    most = machine.hardware.cores * machine.locks_per_core  # however many its memory claims to have
    with contextlib.ExitStack() as stack:
        try:
            descriptor = stack.enter_context(_opened(pid, proc))
            pages = {page.header.first_lock: page for page in itertools.islice(_pages(descriptor), most)}
        except OSError:
            return {}
    return {core: pages[lock] for core in cores if (lock := machine.first_lock(core)) in pages}


def _headers(machine: hardware.Machine, span: spans.CoreSpan, tag: str) -> Iterator[page_layout.Header]:
    own = os.getpid()
    process = processes.read(own)
    for core in span:
        yield page_layout.Header(
            pid=own,
            core=core,
            first_lock=machine.first_lock(core),
            span=span,
            start_ticks=process.start_ticks if process else 0,
            tag=tag or str(own),
            runtime_version=RUNTIME_VERSION,
            host=os.uname().nodename,
            namespace=_namespace(),
        )


def _namespace() -> str:
    try:
        return _NAMESPACE.read_text(encoding="utf-8").strip()
    except OSError:
        return ""


@contextlib.contextmanager
def _opened(pid: int, proc: pathlib.Path) -> Iterator[int]:
    """Open the memory of a process for reading. Raises OSError when it has none, or none that we may see.

    Another descriptor may have taken the number since it was looked at: a pipe must not make us wait.
    """
    with os.scandir(proc / str(pid) / "fd") as entries:
        path = next((each.path for each in itertools.islice(entries, _DESCRIPTORS) if _is_ours(each.path)), None)
    if path is None:
        raise FileNotFoundError(pid)
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _is_ours(path: str) -> bool:
    try:
        return str(pathlib.Path(path).readlink()) == _LINK
    except OSError:  # closed meanwhile
        return False


def _pages(descriptor: int) -> Iterator[page_layout.Page]:
    """Yield the pages up to the first that is none, as beyond the end."""
    for index in itertools.count():
        page = _page(descriptor, index)
        if page is None:
            return
        yield page


def _page(descriptor: int, index: int) -> page_layout.Page | None:
    page = None
    for _ in range(_READS):
        at = index * page_layout.PAGE_BYTES
        page, again = (page_layout.decode(os.pread(descriptor, page_layout.PAGE_BYTES, at)) for _ in range(2))
        if page is None or again is None:
            return None
        if page.whole and page.counters.models_sequence == again.counters.models_sequence:
            break
    return page
