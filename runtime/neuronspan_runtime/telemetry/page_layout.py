"""The page of counters that a process keeps for each of its NeuronCores, as bytes.

Python writes the header before the C++ library counts into the rest; csrc/reporting/telemetry.h states the same layout,
and a test compares the two. A reader meets pages that change under it, and pages of other versions: it takes what is
whole.

Law: pure; bytes in, values out. The layout changes only together with its version.
"""

import dataclasses
import struct
from collections.abc import Iterator, Sequence

from neuronspan import spans

MAGIC = b"NSPAGE\x00\x02"
VERSION = 2
PAGE_BYTES = 16384
HEADER_BYTES = 576

_HEADER = struct.Struct("<8sIIqqqqQq256s32s128s64s")
_COUNTERS_AT = HEADER_BYTES
_RESERVED = 1
BUCKETS = 208
"""Of a latency histogram: 16 of 1.024 us each, then eight for each power of two."""
_FINE_BUCKETS = 16
_STEPS = 8
_UNIT_NANOSECONDS = 1024
_DRIVER_PAGE = 4096
MODELS = 64
"""Loaded models that one core's table can list."""


@dataclasses.dataclass(frozen=True)
class Header:
    """Who counts on this page; no command line, which may hold secrets: the kernel tells it to those who may know."""

    pid: int
    """In the process's own PID namespace."""
    core: int
    """The core that the page is for, as its process numbers the node's."""
    first_lock: int
    """Number of the core's first lock file: what finds the page for readers who join cores in another way."""
    span: spans.CoreSpan
    """All cores of the process, node numbering."""
    start_ticks: int
    """When the process began, in clock ticks since boot: the same in every PID namespace."""
    tag: str
    """NEURON_PROCESS_TAG, or the PID."""
    runtime_version: str
    host: str
    """Host name: in a pod, the pod's name."""
    namespace: str
    """Kubernetes namespace, empty outside a pod."""


@dataclasses.dataclass(frozen=True)
class Counters:
    """The numbers of one core, in the page's order; they only grow, but for the memory, `running_since` and models."""

    completed: int = 0
    completed_with_error: int = 0
    completed_with_numerical_error: int = 0
    timed_out: int = 0
    incorrect_input: int = 0
    failed_to_queue: int = 0
    executions: int = 0
    busy_nanoseconds: int = 0
    running_since: int = 0
    """Nanoseconds of the monotonic clock, 0 while the core is idle."""
    tensor_bytes: int = 0
    model_bytes: int = 0
    peak_bytes: int = 0
    capacity_bytes: int = 0
    host_to_device_bytes: int = 0
    device_to_host_bytes: int = 0
    device_to_device_bytes: int = 0
    allocation_failures: int = 0
    models_loaded: int = 0
    model_loads: int = 0
    models_sequence: int = 0
    code_bytes: int = 0
    simulated_nanoseconds: int = 0
    """What executions were to last, of models whose time is a NeuronCore's; 0 without NEURONSPAN_TIME=device."""
    computing_nanoseconds: int = 0
    """What the CPU needed for them."""


_NUMBERS = struct.Struct(f"<{len(dataclasses.fields(Counters))}q")
_TOTAL_AT = _COUNTERS_AT + _NUMBERS.size + 8 * _RESERVED
_HISTOGRAM = struct.Struct(f"<{BUCKETS}q")
_DEVICE_AT = _TOTAL_AT + _HISTOGRAM.size
_MODELS_AT = _DEVICE_AT + _HISTOGRAM.size
_MODEL = struct.Struct("<qqii40s112s")


@dataclasses.dataclass(frozen=True)
class LoadedModel:
    """One loaded model's part on one core."""

    id: int
    """The same on all cores of a replica."""
    bytes: int
    """Of this core's HBM, in whole pages of the driver."""
    subgraph: int
    """Position of the core in the replica."""
    first_core: int
    """The replica's first core, counted from the process's first."""
    uuid: str
    name: str


@dataclasses.dataclass(frozen=True)
class Page:
    """One core's page at one moment."""

    header: Header
    counters: Counters
    total_latency: tuple[int, ...]
    """Calls by duration, the wait for the core included; see bucket_nanoseconds."""
    device_latency: tuple[int, ...]
    models: tuple[LoadedModel, ...]

    @property
    def whole(self) -> bool:
        """Whether no model was being listed or removed at that moment."""
        return self.counters.models_sequence % 2 == 0


def encode(header: Header) -> bytes:
    """Return a page on which nothing has been counted yet."""
    packed = _HEADER.pack(
        MAGIC,
        VERSION,
        PAGE_BYTES,
        header.pid,
        header.core,
        header.span.first,
        header.span.count,
        header.start_ticks,
        header.first_lock,
        *(_cut(text, size) for text, size in zip(_texts(header), (256, 32, 128, 64), strict=True)),
    )
    return packed.ljust(PAGE_BYTES, b"\x00")


def decode(content: bytes) -> Page | None:
    """Read a page; None when it is not one, is cut off, or has another version's layout."""
    if len(content) < PAGE_BYTES or content[: len(MAGIC)] != MAGIC:
        return None
    _, version, _, pid, core, first, count, start_ticks, lock, *texts = _HEADER.unpack_from(content)
    if version != VERSION or first < 0 or count < 1 or not first <= core < first + count:
        return None
    header = Header(pid, core, lock, spans.CoreSpan(first, count), start_ticks, *map(_text, texts))
    return Page(
        header,
        Counters(*_NUMBERS.unpack_from(content, _COUNTERS_AT)),
        _HISTOGRAM.unpack_from(content, _TOTAL_AT),
        _HISTOGRAM.unpack_from(content, _DEVICE_AT),
        tuple(_models(content)),
    )


def bucket_of(nanoseconds: int) -> int:
    """Return the bucket of a latency histogram that counts this duration."""
    units = max(nanoseconds, 0) // _UNIT_NANOSECONDS
    if units < _FINE_BUCKETS:
        return units
    exponent = units.bit_length() - 1
    step = (units >> (exponent - 3)) % _STEPS
    return min(_FINE_BUCKETS + (exponent - 4) * _STEPS + step, BUCKETS - 1)


def bucket_nanoseconds(bucket: int) -> tuple[int, int]:
    """Return the shortest duration that a bucket counts, and the shortest that the next one does."""
    return _bucket_begin(bucket), _bucket_begin(bucket + 1)


def layout() -> Iterator[tuple[str, int, int]]:
    """Yield the name, offset and size of every field, as the C++ library tells its own."""
    yield "header", 0, HEADER_BYTES
    names = [field.name for field in dataclasses.fields(Counters)]
    yield from ((name, _COUNTERS_AT + 8 * index, 8) for index, name in enumerate(names))
    yield "reserved", _COUNTERS_AT + 8 * len(names), 8 * _RESERVED
    yield "total_latency", _TOTAL_AT, _HISTOGRAM.size
    yield "device_latency", _DEVICE_AT, _HISTOGRAM.size
    yield "models", _MODELS_AT, MODELS * _MODEL.size
    at = 0
    for name, size in (("id", 8), ("bytes", 8), ("subgraph", 4), ("first_core", 4), ("uuid", 40), ("name", 112)):
        yield name, at, size
        at += size


def _bucket_begin(bucket: int) -> int:
    if bucket < _FINE_BUCKETS:
        return bucket * _UNIT_NANOSECONDS
    exponent, step = divmod(bucket - _FINE_BUCKETS, _STEPS)
    return ((_STEPS + step) << (exponent + 1)) * _UNIT_NANOSECONDS


def _models(content: bytes) -> Iterator[LoadedModel]:
    for index in range(MODELS):
        id_, size, subgraph, first_core, uuid, name = _MODEL.unpack_from(content, _MODELS_AT + index * _MODEL.size)
        if id_ > 0:
            yield LoadedModel(id_, _in_pages(size), subgraph, first_core, _text(uuid), _text(name))


def _in_pages(size: int) -> int:
    """Round up as the driver does with every request, so that models add up to what their core says is in use."""
    return -(-size // _DRIVER_PAGE) * _DRIVER_PAGE


def _texts(header: Header) -> Sequence[str]:
    return header.tag, header.runtime_version, header.host, header.namespace


def _cut(text: str, size: int) -> bytes:
    """Shorten to what fits with an end mark, not in the middle of a character."""
    return text.encode(errors="replace")[: size - 1].decode(errors="ignore").encode()


def _text(field: bytes) -> str:
    """Read a text up to its end mark; what cannot be printed is made visible, for terminals obey control characters."""
    text = field.split(b"\x00", 1)[0].decode(errors="replace")
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
