"""The IDs the device plugin gives kubelet: plain numbers, core 4 is ``4`` of aws.amazon.com/neuroncore.

Law: an ID means something together with its resource only, and a set of IDs always means one CoreSpan.
AWS's monitoring finds the pod of a core or device by exactly this text in PodResources
(opentelemetry-collector-contrib, receiver/awscontainerinsightreceiver/internal/neuron).

The first plugins spelled them ``nc-4`` and ``nd-1``. These former IDs are read and never given out any more: kubelet
remembers what it gave a container until its pod is over, whatever plugin comes meanwhile.
"""

import re
from collections.abc import Iterable

from neuronspan import errors, instance_types, names, spans

_FORMER_PREFIX = {names.CORE_RESOURCE: "nc-", names.DEVICE_RESOURCE: "nd-"}
_UNIT = {names.CORE_RESOURCE: "NeuronCore", names.DEVICE_RESOURCE: "Neuron device"}
_NUMBER = re.compile(r"0|[1-9][0-9]{0,8}")  # one spelling per core: no leading zeros


def ids_of(
    resource: str, span: spans.CoreSpan, hardware: instance_types.Hardware, kept: Iterable[str] = ()
) -> tuple[str, ...]:
    """Return the IDs that together are the span, ascending; ``kept`` are IDs that stay spelled as they are.

    Raises InvalidDeviceId when the resource is not ours, when the span leaves the node, or when it is not made of
    whole devices and the resource counts devices.
    """
    _check_resource(resource)
    if span.end > hardware.cores:
        raise errors.InvalidDeviceId(f"no IDs for cores {span}: the node has cores 0-{hardware.cores - 1}")
    units = span if resource == names.CORE_RESOURCE else _devices_of(span, hardware)
    spelled = {_index_of(resource, each, hardware): each for each in kept}
    return tuple(spelled.get(unit, str(unit)) for unit in units)


def all_ids(resource: str, hardware: instance_types.Hardware) -> tuple[str, ...]:
    """Return every ID of the node for this resource, ascending; raises InvalidDeviceId when it is not ours."""
    return ids_of(resource, spans.CoreSpan(0, hardware.cores), hardware)


def span_of(resource: str, ids: Iterable[str], hardware: instance_types.Hardware) -> spans.CoreSpan:
    """Return the cores that these IDs mean; order and repetition do not matter.

    Raises InvalidDeviceId for an ID that is not the node's, for one core under its present and its former ID, and for
    no ID at all; NotContiguous when a core between them is missing.
    """
    wanted = sorted(set(ids))
    if not wanted:
        raise errors.InvalidDeviceId(f"no ID of {resource} is given: give at least one")
    return spans.CoreSpan.of_cores(_cores_once(resource, wanted, hardware))


def cores_of(resource: str, ids: Iterable[str], hardware: instance_types.Hardware) -> frozenset[int]:
    """Return the cores that any of these IDs means, a run or not; raises InvalidDeviceId for one that is wrong."""
    return frozenset(core for each in ids for core in _cores_of(resource, each, hardware))


def is_former(text: str) -> bool:
    """Whether this is a former ID; kubelet counts it apart from the present ID of the same cores."""
    return text.startswith(tuple(_FORMER_PREFIX.values()))


def _cores_once(resource: str, wanted: Iterable[str], hardware: instance_types.Hardware) -> Iterable[int]:
    named: dict[int, str] = {}
    for each in wanted:
        for core in _cores_of(resource, each, hardware):
            if core in named:
                raise errors.InvalidDeviceId(
                    f"core {core} is named twice, by {named[core]!r} and its former ID {each!r}: give one of them"
                )
            named[core] = each
    return named


def _cores_of(resource: str, text: str, hardware: instance_types.Hardware) -> spans.CoreSpan:
    index = _index_of(resource, text, hardware)
    return spans.CoreSpan(index, 1) if resource == names.CORE_RESOURCE else hardware.cores_of_device(index)


def _index_of(resource: str, text: str, hardware: instance_types.Hardware) -> int:
    _check_resource(resource)
    digits = text.removeprefix(_FORMER_PREFIX[resource])
    if _NUMBER.fullmatch(digits) is None:
        raise errors.InvalidDeviceId(f"ID {text!r} of {resource} is no {_UNIT[resource]}: it is a number, like 4")
    index = int(digits)
    total = hardware.cores if resource == names.CORE_RESOURCE else hardware.devices
    if index >= total:
        raise errors.InvalidDeviceId(
            f"ID {text!r} of {resource} does not exist on this node: its last {_UNIT[resource]} is {total - 1}"
        )
    return index


def _devices_of(span: spans.CoreSpan, hardware: instance_types.Hardware) -> Iterable[int]:
    if not hardware.is_device_aligned(span):
        raise errors.InvalidDeviceId(
            f"no device IDs for cores {span}: they are not whole devices of {hardware.cores_per_device} cores each"
        )
    return hardware.devices_of(span)


def _check_resource(resource: str) -> None:
    if resource not in names.RESOURCES:
        raise errors.InvalidDeviceId(f"no IDs for resource {resource!r}: use one of {', '.join(names.RESOURCES)}")
