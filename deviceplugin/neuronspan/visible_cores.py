"""The syntax of NEURON_RT_VISIBLE_CORES, NEURON_RT_NUM_CORES and NEURONCORE_GROUP_SIZES, and the runtime's own words.

Sources: the Neuron runtime's configuration, developer and troubleshooting guides; where they leave a choice, the
strict reading is taken: indices must increase by one.
"""

import itertools
import re

from neuronspan import errors, names, spans

STATUS_INVALID = 2  # NRT_INVALID

_ALLOCATION_SOURCE = "NRT:nrt_allocate_neuron_cores"  # component and function, as in every line of the runtime's log
NOT_CONTIGUOUS_TEXT = f"{_ALLOCATION_SOURCE}  Neuron cores are not contiguous"
NO_DEVICE_TEXT = "TDRV:tdrv_get_dev_info  No neuron device available"
INIT_FAILED_TEXT = "nrt_init failed. Status = 2"  # no text is published for a malformed value
_DRIVER_CORES = 512  # the driver's table of core owners: 64 devices with at most 8 cores

_NUMBER = re.compile(r"\s*([0-9]{1,9})\s*")
_RANGE = re.compile(r"\s*([0-9]{1,9})\s*(?:-\s*([0-9]{1,9})\s*)?")
_GROUP = re.compile(r"\s*(?:([0-9]{1,9})\s*x\s*)?([0-9]{1,9})\s*")


def parse_visible_cores(text: str, limit: int, *, cores_per_device: int | None = None) -> spans.CoreSpan:
    """Read a NEURON_RT_VISIBLE_CORES value: an index, an inclusive range, or a comma list of both.

    ``limit`` is the number of cores that exist; ``cores_per_device`` lets the error text name the device file.
    Raises InvalidCoreSet with the runtime's text and status; nothing is reserved then.
    """
    if limit < 1:
        raise errors.InvalidCoreSet(
            f"{names.VISIBLE_CORES_ENV}={text!r} cannot be met: there is no NeuronCore here; run on a Neuron node",
            text=NO_DEVICE_TEXT,
            status=STATUS_INVALID,
        )
    tokens = [_visible_token(text, token) for token in text.split(",")]
    for token in tokens:
        if token.last >= limit:
            raise _not_accessible(text, max(token.first, limit), limit, cores_per_device)
    for before, after in itertools.pairwise(tokens):
        if after.first != before.end:
            raise errors.InvalidCoreSet(
                f"{names.VISIBLE_CORES_ENV}={text!r} is not contiguous: {after.first} follows {before.last}; "
                f"list consecutive cores in increasing order, like 4-7",
                text=NOT_CONTIGUOUS_TEXT,
                status=STATUS_INVALID,
            )
    return spans.CoreSpan(tokens[0].first, sum(token.count for token in tokens))


def print_visible_cores(span: spans.CoreSpan) -> str:
    """Return the NEURON_RT_VISIBLE_CORES value of a span, like ``4-7``."""
    return str(span)


def parse_num_cores(text: str, *, cores_per_device: int | None = None) -> int:
    """Read a NEURON_RT_NUM_CORES value; 0, its default, means every core in reach.

    With ``cores_per_device`` the rule of Trn2 and later holds too: one core, or whole devices.
    Raises InvalidCoreSet with the runtime's text and status.
    """
    found = _NUMBER.fullmatch(text)
    if found is None:
        raise _malformed(names.NUM_CORES_ENV, text, "give the number of cores, like 4")
    count = int(found[1])
    if cores_per_device is not None and count > 1 and count % cores_per_device:
        raise errors.InvalidCoreSet(
            f"{names.NUM_CORES_ENV}={count} is neither one core nor whole devices: "
            f"use 1 or a multiple of {cores_per_device}",
            text=f"`{names.NUM_CORES_ENV}` must request one core, or the whole device (multiple of {cores_per_device})",
            status=STATUS_INVALID,
        )
    return count


def print_num_cores(count: int) -> str:
    """Return the NEURON_RT_NUM_CORES value of a number of cores; raises InvalidCoreSet when it is negative."""
    if count < 0:
        raise _malformed(names.NUM_CORES_ENV, str(count), "give the number of cores, like 4")
    return str(count)


def parse_group_sizes(text: str) -> tuple[int, ...]:
    """Read a NEURONCORE_GROUP_SIZES value: the cores of each group, like ``3,4,1``; ``4x1`` is four groups of one.

    Raises InvalidCoreSet when it is malformed, has a group without cores, or more cores than any node.
    """
    sizes: list[int] = []
    for token in text.split(","):
        found = _GROUP.fullmatch(token)
        repeat, size = (int(found[1] or 1), int(found[2])) if found else (0, 0)
        if not repeat or not size:
            raise _malformed(names.GROUP_SIZES_ENV, text, "give the cores of each group, like 3,4,1")
        if sum(sizes) + repeat * size > _DRIVER_CORES:
            raise _malformed(names.GROUP_SIZES_ENV, text, f"no node has more than {_DRIVER_CORES} cores")
        sizes.extend([size] * repeat)
    return tuple(sizes)


def not_available_text(requested: int | spans.CoreSpan, available: int, *, logical_core_size: int | None = None) -> str:
    """Return what the runtime logs when the cores it asks for, a number of them or a given run, are busy.

    ``available`` is the longest free run, not the number of free cores: the driver reports it so. Without
    ``logical_core_size`` the form is that of runtimes before logical cores.
    """
    logical = logical_core_size is not None
    wanted = str(requested)
    ending = f" Logical Core size {logical_core_size}" if logical else ""
    if isinstance(requested, spans.CoreSpan):
        unit = "lnc" if logical else "nc"
        wanted = f"{unit}{requested.first}-{unit}{requested.last}"
        ending = f" Logical Core size:{logical_core_size} (cores busy, ret=-16)" if logical else ""
    what = "Logical Neuron Core(s)" if logical else "NeuronCore(s)"
    return f"{_ALLOCATION_SOURCE:<44}{what} not available - Requested:{wanted} Available:{available}{ending}"


def _visible_token(text: str, token: str) -> spans.CoreSpan:
    found = _RANGE.fullmatch(token)
    if found is None:
        raise _malformed(names.VISIBLE_CORES_ENV, text, "give an index, a range or a list of both, like 3 or 4-7")
    first, last = int(found[1]), int(found[2] or found[1])
    if last < first:
        raise _malformed(names.VISIBLE_CORES_ENV, text, f"write {last}-{first}")
    return spans.CoreSpan(first, last - first + 1)


def _malformed(variable: str, text: str, way_out: str) -> errors.InvalidCoreSet:
    return errors.InvalidCoreSet(
        f"{variable}={text!r} cannot be read: {way_out}", text=INIT_FAILED_TEXT, status=STATUS_INVALID
    )


def _not_accessible(text: str, core: int, limit: int, cores_per_device: int | None) -> errors.InvalidCoreSet:
    runtime_text = (
        INIT_FAILED_TEXT
        if cores_per_device is None
        else f"Specified core not accessible! is /dev/neuron{core // cores_per_device} visible to process?"
    )
    return errors.InvalidCoreSet(
        f"{names.VISIBLE_CORES_ENV}={text!r} names core {core}, which does not exist: use cores 0-{limit - 1}",
        text=runtime_text,
        status=STATUS_INVALID,
    )
