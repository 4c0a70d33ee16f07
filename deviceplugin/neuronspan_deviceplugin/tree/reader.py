"""What a node has, by the tree in which its kernel driver shows it.

Law: pure, and never a guess: the instance type's numbers count, and where the tree says something else, a problem says
what. A device that is missing takes its cores with it and leaves the others their numbers.
"""

import dataclasses
from collections.abc import Iterator, Mapping

from neuronspan import instance_types
from neuronspan_deviceplugin import reasons
from neuronspan_deviceplugin.tree import generating, health, identifying, layout, trees


@dataclasses.dataclass(frozen=True, slots=True)
class Findings:
    """What was found; ``hardware`` is None when one of the problems is blocking."""

    hardware: instance_types.Hardware | None
    nodes: Mapping[int, trees.DeviceNode]
    unhealthy: Mapping[int, str]
    problems: tuple[identifying.Problem, ...]


def read(seen: trees.Seen, label: str = "") -> Findings:
    """Read a tree; ``label`` is the instance type that the Node's label names, "" without one."""
    if not seen.devices:
        return _nothing(
            identifying.Problem(
                reasons.HardwareProblem.NO_DEVICES,
                f"no Neuron device in /{layout.DEVICES}: is the driver (aws-neuronx-dkms) loaded, and sysfsRoot right?",
            )
        )
    hardware = identifying.identify(seen, label)
    if isinstance(hardware, identifying.Problem):
        return _nothing(hardware)
    problems = tuple(_problems(seen, hardware))
    if any(each.kind.is_blocking for each in problems):
        return Findings(None, {}, {}, problems)
    return Findings(hardware, seen.nodes, unhealthy(seen, hardware), problems)


def unhealthy(seen: trees.Seen, hardware: instance_types.Hardware) -> dict[int, str]:
    """Return each core that cannot be used, with the reason."""
    found = health.unhealthy(seen, hardware)
    for device in range(hardware.devices):
        if device not in seen.devices:
            found |= dict.fromkeys(hardware.cores_of_device(device), reasons.CoreReason.DEVICE_MISSING.value)
        elif device not in seen.nodes:
            found |= dict.fromkeys(hardware.cores_of_device(device), reasons.CoreReason.DEVICE_NODE_MISSING.value)
    return found


def _nothing(problem: identifying.Problem) -> Findings:
    return Findings(None, {}, {}, (problem,))


def _problems(seen: trees.Seen, hardware: instance_types.Hardware) -> Iterator[identifying.Problem]:
    there = sorted(seen.devices & set(range(hardware.devices)))
    yield from _contradictions(seen, hardware, there)
    yield from _number_of_devices(seen, hardware)
    yield from _cores(seen, hardware, there)
    yield from _links(seen, hardware, there)
    without = [device for device in there if device not in seen.nodes]
    if without:
        yield identifying.Problem(
            reasons.HardwareProblem.NODES_MISSING,
            f"/{layout.DEVICE_NODES}/neuron{without[0]} {_and_more(without)}is not there: is devRoot the host's /dev?",
        )
    unread = health.unreadable(seen, hardware)
    if unread:
        yield identifying.Problem(
            reasons.HardwareProblem.HEALTH_UNKNOWN,
            f"/{unread[0]} {_and_more(unread)}holds no count: faults that are told there are not seen; a driver from "
            "2.31 on keeps them elsewhere",
        )


def _contradictions(
    seen: trees.Seen, hardware: instance_types.Hardware, there: list[int]
) -> Iterator[identifying.Problem]:
    called = layout.names_of(hardware.instance_type)
    family = called.family if called else ""
    for device in there:
        path = f"{layout.device(device)}/{layout.INSTANCE_TYPE}"
        if seen.text(path) not in {family, ""}:
            yield identifying.Problem(
                reasons.HardwareProblem.TYPE_CONTRADICTED,
                f"/{path} says {seen.text(path)!r}, {hardware.instance_type} has {family!r}: correct what names the "
                "instance type, firmware or label",
            )
            return


def _number_of_devices(seen: trees.Seen, hardware: instance_types.Hardware) -> Iterator[identifying.Problem]:
    wanted = set(range(hardware.devices))
    for devices, what in ((wanted - seen.devices, "missing"), (seen.devices - wanted, "too many")):
        if devices:
            yield identifying.Problem(
                reasons.HardwareProblem.DEVICES_DIFFER,
                f"{hardware.instance_type} has devices 0-{hardware.devices - 1}, and in /{layout.DEVICES} these are "
                f"{what}: {', '.join(map(str, sorted(devices)))}; look at the kernel's log, or replace the node",
            )


def _cores(seen: trees.Seen, hardware: instance_types.Hardware, there: list[int]) -> Iterator[identifying.Problem]:
    wanted = str(generating.physical_cores(hardware))
    paths = [f"{layout.device(device)}/{layout.CORE_COUNT}" for device in there]
    for path in paths:
        if seen.text(path) not in {wanted, ""}:
            yield identifying.Problem(
                reasons.HardwareProblem.CORES_DIFFER,
                f"/{path} says {seen.text(path)!r}, a device of {hardware.instance_type} has {wanted}: correct what "
                "names the instance type, firmware or label",
            )
            return
    unread = [path for path in paths if not seen.text(path)]
    if unread:
        yield identifying.Problem(
            reasons.HardwareProblem.CORES_UNREADABLE,
            f"/{unread[0]} {_and_more(unread)}cannot be read: {wanted} cores are taken for granted, as "
            f"{hardware.instance_type} has them; newer drivers let everybody read it",
        )


def _links(seen: trees.Seen, hardware: instance_types.Hardware, there: list[int]) -> Iterator[identifying.Problem]:
    """Compare what devices say they are connected to; Inf1's driver does not say, and order does not matter."""
    for device in there:
        path = f"{layout.device(device)}/{layout.CONNECTED_DEVICES}"
        stated = {each.strip() for each in seen.text(path).split(",")} - {""}
        if stated and stated != set(map(str, hardware.connected_to(device))):
            yield identifying.Problem(
                reasons.HardwareProblem.LINKS_DIFFER,
                f"/{path} says {', '.join(sorted(stated, key=_number))}, {hardware.instance_type} has "
                f"{', '.join(map(str, hardware.connected_to(device)))}: grants that are aligned to links count on the "
                "latter",
            )
            return


def _number(text: str) -> tuple[int, str]:
    return len(text), text


def _and_more(things: list[str] | list[int]) -> str:
    return f"(and {len(things) - 1} more) " if len(things) > 1 else ""
