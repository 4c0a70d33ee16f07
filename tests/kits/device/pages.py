"""Pages of counters as a runtime would leave them, without one."""

import contextlib
import dataclasses
import os
import struct
from collections.abc import Iterator, Sequence

from neuronspan import spans
from neuronspan_runtime.cores import hardware
from neuronspan_runtime.telemetry import page_layout, page_memory

OFFSETS = {name: offset for name, offset, _ in page_layout.layout()}


def header(
    core: int = 4, span: str = "4-7", *, pid: int = 7, start_ticks: int = 100, tag: str = ""
) -> page_layout.Header:
    """A process that owns 4-7."""
    return page_layout.Header(
        pid=pid,
        core=core,
        first_lock=core,
        span=spans.CoreSpan.parse(span),
        start_ticks=start_ticks,
        tag=tag or str(pid),
        runtime_version="0.1.0",
        host="serve-1",
        namespace="shop",
    )


def model(id_: int = 10001, *, size: int = 4096, subgraph: int = 0, first_core: int = 0) -> page_layout.LoadedModel:
    """A loaded model."""
    return page_layout.LoadedModel(id_, size, subgraph, first_core, "ab" * 16, "ResNet")


def content(
    head: page_layout.Header | None = None,
    counters: page_layout.Counters | None = None,
    *,
    calls: Sequence[int] = (),
    models: Sequence[page_layout.LoadedModel] = (),
) -> bytes:
    """The bytes of a page; `calls` are durations in nanoseconds, on the device and in total."""
    page = bytearray(page_layout.encode(head or header()))
    for name, value in dataclasses.asdict(counters or page_layout.Counters()).items():
        struct.pack_into("<q", page, OFFSETS[name], value)
    for duration in calls:
        for name in ("total_latency", "device_latency"):
            at = OFFSETS[name] + 8 * page_layout.bucket_of(duration)
            struct.pack_into("<q", page, at, struct.unpack_from("<q", page, at)[0] + 1)
    for index, each in enumerate(models):
        numbers = (each.id, each.bytes, each.subgraph, each.first_core, each.uuid.encode(), each.name.encode())
        struct.pack_into("<qqii40s112s", page, OFFSETS["models"] + 176 * index, *numbers)
    return bytes(page)


def page(
    head: page_layout.Header | None = None,
    counters: page_layout.Counters | None = None,
    *,
    calls: Sequence[int] = (),
    models: Sequence[page_layout.LoadedModel] = (),
) -> page_layout.Page:
    """A page as a reader gets it."""
    decoded = page_layout.decode(content(head, counters, calls=calls, models=models))
    assert decoded is not None
    return decoded


@contextlib.contextmanager
def memory(*contents: bytes) -> Iterator[int]:
    """Memory such as an owner has its pages in, without seals: the test writes to it at will."""
    descriptor = os.memfd_create(page_memory.NAME)
    try:
        os.pwrite(descriptor, b"".join(contents), 0)
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def published(machine: hardware.Machine, span: str, tag: str = "") -> Iterator[int]:
    """The pages of this very process, for cores that it need not own."""
    descriptor = page_memory.publish(machine, spans.CoreSpan.parse(span), tag)
    assert descriptor is not None
    try:
        yield descriptor
    finally:
        page_memory.withdraw(descriptor)
