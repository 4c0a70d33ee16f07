"""The IDs the device plugin gives kubelet: ``nc-4`` is NeuronCore 4, ``nd-1`` is Neuron device 1.

Law: no ID belongs to both resources, and a set of IDs always means one CoreSpan.
"""

import re
from collections.abc import Iterable

from neuronspan import errors, instance_types, names, spans

_CORE_PREFIX = "nc-"
_DEVICE_PREFIX = "nd-"
_ID = re.compile(r"(?P<prefix>nc-|nd-)(?P<index>0|[1-9][0-9]{0,8})")  # one spelling per core: no leading zeros


def core_id(core: int) -> str:
    """Return the ID of a NeuronCore, unit of the resource aws.amazon.com/neuroncore."""
    return f"{_CORE_PREFIX}{core}"


def device_id(device: int) -> str:
    """Return the ID of a Neuron device, unit of the resource aws.amazon.com/neuron."""
    return f"{_DEVICE_PREFIX}{device}"


def ids_of(resource: str, span: spans.CoreSpan, hardware: instance_types.Hardware) -> tuple[str, ...]:
    """Return the IDs that together are the span, ascending.

    Raises InvalidDeviceId when the resource is not ours, when the span leaves the node, or when it is not made of
    whole devices and the resource counts devices.
    """
    if span.end > hardware.cores:
        raise errors.InvalidDeviceId(f"no IDs for cores {span}: the node has cores 0-{hardware.cores - 1}")
    if resource == names.CORE_RESOURCE:
        return tuple(map(core_id, span))
    if resource != names.DEVICE_RESOURCE:
        raise errors.InvalidDeviceId(f"no IDs for resource {resource!r}: use one of {', '.join(names.RESOURCES)}")
    if not hardware.is_device_aligned(span):
        raise errors.InvalidDeviceId(
            f"no device IDs for cores {span}: they are not whole devices of {hardware.cores_per_device} cores each"
        )
    return tuple(map(device_id, hardware.devices_of(span)))


def all_ids(resource: str, hardware: instance_types.Hardware) -> tuple[str, ...]:
    """Return every ID of the node for this resource, ascending; raises InvalidDeviceId when it is not ours."""
    return ids_of(resource, spans.CoreSpan(0, hardware.cores), hardware)


def span_of(ids: Iterable[str], hardware: instance_types.Hardware) -> spans.CoreSpan:
    """Return the cores that these IDs, all of one kind, mean; order and repetition do not matter.

    Raises InvalidDeviceId for an ID that is not the node's, for both kinds at once, and for no ID at all;
    NotContiguous when a core between them is missing.
    """
    wanted = tuple(ids)
    parts = [_cores_of(each, hardware) for each in wanted]
    if len({each[: len(_CORE_PREFIX)] for each in wanted}) != 1:
        raise errors.InvalidDeviceId(f"IDs {', '.join(wanted) or '(none)'} are not of one kind: give cores or devices")
    return spans.CoreSpan.of_cores(core for part in parts for core in part)


def _cores_of(text: str, hardware: instance_types.Hardware) -> spans.CoreSpan:
    found = _ID.fullmatch(text)
    if found is None:
        raise errors.InvalidDeviceId(
            f"ID {text!r} is neither a NeuronCore nor a Neuron device: it looks like {core_id(4)} or {device_id(1)}"
        )
    index = int(found["index"])
    is_core = found["prefix"] == _CORE_PREFIX
    total = hardware.cores if is_core else hardware.devices
    if index >= total:
        last = core_id(total - 1) if is_core else device_id(total - 1)
        raise errors.InvalidDeviceId(f"ID {text!r} does not exist on this node: the last one is {last}")
    return spans.CoreSpan(index, 1) if is_core else hardware.cores_of_device(index)
