"""How the devices of a node are wired to each other.

Source: the AWS Neuron hardware pages (about-neuron/arch/neuron-hardware), and the tables of the Neuron kernel driver.
"""

import enum
import types
from collections.abc import Callable, Mapping
from typing import Final

_TORUS_SIDE: Final = 4  # trn1 and trn2 servers wire their 16 devices as a 4 x 4 torus


class Topology(enum.StrEnum):
    """How the devices of a node are wired to each other."""

    NONE = "none"
    LINE = "line"
    RING = "ring"
    TORUS = "torus"
    SWITCH = "switch"


def neighbours(topology: Topology, device: int, devices: int) -> tuple[int, ...]:
    """Return the devices wired to this one of so many, in the order neuron-ls lists them on Inf2 and Trn instances."""
    return _NEIGHBOURS[topology](device, devices)


def _not_wired(_device: int, _devices: int) -> tuple[int, ...]:
    return ()


def _line(device: int, devices: int) -> tuple[int, ...]:
    return tuple(other for other in (device - 1, device + 1) if 0 <= other < devices)


def _ring(device: int, devices: int) -> tuple[int, ...]:
    return tuple(dict.fromkeys(other % devices for other in (device - 1, device + 1) if other % devices != device))


def _torus(device: int, devices: int) -> tuple[int, ...]:
    """Return who is up, left, down, right in the 4 x 4 torus; the driver lists none unless devices come in sixteens."""
    size = _TORUS_SIDE * _TORUS_SIDE
    if devices % size:
        return ()
    base, place = device - device % size, device % size
    row, column = divmod(place, _TORUS_SIDE)
    steps = ((row - 1, column), (row, column - 1), (row + 1, column), (row, column + 1))
    return tuple(base + (down % _TORUS_SIDE) * _TORUS_SIDE + across % _TORUS_SIDE for down, across in steps)


def _switch(device: int, devices: int) -> tuple[int, ...]:
    return tuple(other for other in range(devices) if other != device)


_NEIGHBOURS: Final[Mapping[Topology, Callable[[int, int], tuple[int, ...]]]] = types.MappingProxyType(
    {
        Topology.NONE: _not_wired,
        Topology.LINE: _line,
        Topology.RING: _ring,
        Topology.TORUS: _torus,
        Topology.SWITCH: _switch,
    }
)
