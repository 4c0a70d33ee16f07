"""The catalogue of EC2 instance types with Neuron devices, and the hardware one node shows.

Source of the numbers: the AWS Neuron hardware pages (about-neuron/arch/neuron-hardware) and, for which devices are
wired to each other, the tables of the Neuron kernel driver. Names and versions of devices are those that the tools
print: neuron-monitor's user guide (trainium2, v4), its output on a trn1.2xlarge (trainium, v2), and the driver's
architecture strings.
"""

import dataclasses
import types
from collections.abc import Mapping
from typing import Any, Final, Self

from neuronspan import errors, spans, topologies

_GIB = 1024**3


@dataclasses.dataclass(frozen=True, slots=True)
class InstanceType:
    """What one EC2 instance type is made of; cores are physical NeuronCores here."""

    name: str
    family: str
    architecture: str  # generation of the NeuronCore: v1 ... v4
    device_type: str  # what neuron-monitor calls the device, such as trainium2
    device_version: str  # and its version, which is not that of its NeuronCores
    devices: int
    cores_per_device: int
    hbm_bytes_per_device: int
    topology: topologies.Topology
    logical_core_sizes: tuple[int, ...] = (1,)  # physical cores that may be joined into one logical core
    default_logical_core_size: int = 1


@dataclasses.dataclass(frozen=True, slots=True)
class Hardware:
    """What one node shows; cores are logical NeuronCores, numbered from 0 across all devices.

    Raises InvalidHardware.
    """

    instance_type: str
    devices: int
    cores_per_device: int
    logical_core_size: int
    hbm_bytes_per_core: int
    topology: topologies.Topology

    def __post_init__(self) -> None:
        if not self.instance_type or type(self.instance_type) is not str:
            raise errors.InvalidHardware(f"instance type is {self.instance_type!r}: give a name like trn1.32xlarge")
        for field in ("devices", "cores_per_device", "hbm_bytes_per_core"):
            value = getattr(self, field)
            if type(value) is not int or value < 1:
                raise errors.InvalidHardware(
                    f"{field} of {self.instance_type} is {value!r}: give a whole number of at least 1"
                )
        if type(self.logical_core_size) is not int or self.logical_core_size not in {1, 2}:
            raise errors.InvalidHardware(
                f"logical core size of {self.instance_type} is {self.logical_core_size!r}: it is 1 or 2"
            )
        if not isinstance(self.topology, topologies.Topology):
            raise errors.InvalidHardware(
                f"topology of {self.instance_type} is {self.topology!r}: it is one of {', '.join(topologies.Topology)}"
            )

    @property
    def cores(self) -> int:
        """Logical NeuronCores of the node."""
        return self.devices * self.cores_per_device

    @property
    def can_join_cores(self) -> bool:
        """Whether neighbouring physical cores can be joined into one logical NeuronCore here, as on Trn2 and later."""
        known = INSTANCE_TYPES.get(self.instance_type)
        return self.logical_core_size > 1 or (known is not None and len(known.logical_core_sizes) > 1)

    def device_of(self, core: int) -> int:
        """Return the device that core ``core`` belongs to; raises InvalidHardware when there is no such core."""
        if not 0 <= core < self.cores:
            raise errors.InvalidHardware(f"core {core} does not exist: {self.instance_type} has 0-{self.cores - 1}")
        return core // self.cores_per_device

    def cores_of_device(self, device: int) -> spans.CoreSpan:
        """Return the cores of one device; raises InvalidHardware when there is no such device."""
        return self.cores_of_devices(device, 1)

    def cores_of_devices(self, first: int, count: int) -> spans.CoreSpan:
        """Return the cores of ``count`` consecutive devices; raises InvalidHardware when one of them does not exist."""
        if first < 0 or count < 1 or first + count > self.devices:
            raise errors.InvalidHardware(
                f"{count} devices from device {first} do not exist: {self.instance_type} has 0-{self.devices - 1}"
            )
        return spans.CoreSpan(first * self.cores_per_device, count * self.cores_per_device)

    def devices_of(self, span: spans.CoreSpan) -> range:
        """Return the devices that the span touches; raises InvalidHardware when the span leaves the node."""
        return range(self.device_of(span.first), self.device_of(span.last) + 1)

    def is_device_aligned(self, span: spans.CoreSpan) -> bool:
        """Whether the span is made of whole devices: it starts and ends on a device boundary."""
        return span.first % self.cores_per_device == 0 and span.count % self.cores_per_device == 0

    def connected_to(self, device: int) -> tuple[int, ...]:
        """Return the devices wired to this one, in the order neuron-ls lists them on Inf2 and Trn instances.

        Raises InvalidHardware when there is no such device.
        """
        self.cores_of_device(device)
        return topologies.neighbours(self.topology, device, self.devices)

    def to_dict(self) -> dict[str, Any]:
        """Return the camelCase form used in API objects and in the node's hardware file."""
        return {key: getattr(self, field) for key, field in _KEYS.items()} | {"topology": str(self.topology)}

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Self:
        """Read the form of ``to_dict``; further keys are ignored. Raises InvalidHardware."""
        missing = [key for key in _KEYS if key not in raw]
        if missing:
            raise errors.InvalidHardware(f"hardware lacks {', '.join(missing)}: give all of {', '.join(_KEYS)}")
        values = {field: raw[key] for key, field in _KEYS.items()}
        try:
            values["topology"] = topologies.Topology(values["topology"])
        except ValueError as error:
            raise errors.InvalidHardware(
                f"topology is {values['topology']!r}: it is one of {', '.join(topologies.Topology)}"
            ) from error
        return cls(**values)


_KEYS: Mapping[str, str] = types.MappingProxyType(
    {
        "instanceType": "instance_type",
        "devices": "devices",
        "coresPerDevice": "cores_per_device",
        "logicalCoreSize": "logical_core_size",
        "hbmBytesPerCore": "hbm_bytes_per_core",
        "topology": "topology",
    }
)


def _inf1(size: str, devices: int, topology: topologies.Topology) -> InstanceType:
    return InstanceType(f"inf1.{size}", "inf1", "v1", "inferentia", "v1", devices, 4, 8 * _GIB, topology)


def _inf2(size: str, devices: int, topology: topologies.Topology) -> InstanceType:
    return InstanceType(f"inf2.{size}", "inf2", "v2", "inferentia2", "v3", devices, 2, 32 * _GIB, topology)


def _trn1(family: str, size: str, devices: int, topology: topologies.Topology) -> InstanceType:
    return InstanceType(f"{family}.{size}", family, "v2", "trainium", "v2", devices, 2, 32 * _GIB, topology)


def _trn2(family: str, size: str, devices: int, topology: topologies.Topology) -> InstanceType:
    return InstanceType(f"{family}.{size}", family, "v3", "trainium2", "v4", devices, 8, 96 * _GIB, topology, (1, 2), 2)


def _trn3(family: str, size: str, devices: int, topology: topologies.Topology) -> InstanceType:
    return InstanceType(
        f"{family}.{size}", family, "v4", "trainium3", "v5", devices, 8, 144 * _GIB, topology, (1, 2), 2
    )


# the chart's checks, enums and table are written from this: after a change run `make generate`
INSTANCE_TYPES: Mapping[str, InstanceType] = types.MappingProxyType(
    {
        entry.name: entry
        for entry in (
            _inf1("xlarge", 1, topologies.Topology.NONE),
            _inf1("2xlarge", 1, topologies.Topology.NONE),
            _inf1("6xlarge", 4, topologies.Topology.LINE),
            _inf1("24xlarge", 16, topologies.Topology.LINE),
            _inf2("xlarge", 1, topologies.Topology.NONE),
            _inf2("8xlarge", 1, topologies.Topology.NONE),
            _inf2("24xlarge", 6, topologies.Topology.LINE),  # documented as a ring, a line in the driver's table
            _inf2("48xlarge", 12, topologies.Topology.RING),
            _trn1("trn1", "2xlarge", 1, topologies.Topology.NONE),
            _trn1("trn1", "32xlarge", 16, topologies.Topology.TORUS),
            _trn1("trn1n", "32xlarge", 16, topologies.Topology.TORUS),
            _trn2("trn2", "3xlarge", 1, topologies.Topology.NONE),
            _trn2("trn2", "48xlarge", 16, topologies.Topology.TORUS),
            _trn2("trn2u", "48xlarge", 16, topologies.Topology.TORUS),
            # names from the driver's platform table, sizes of one server from the Trn3 UltraServer page (Gen2, Gen1)
            _trn3("trn3pd98", "3xlarge", 1, topologies.Topology.NONE),
            _trn3("trn3e", "24xlarge", 4, topologies.Topology.SWITCH),
            _trn3("trn3", "48xlarge", 16, topologies.Topology.SWITCH),
        )
    }
)
DETECT: Final = "detect"
"""What a NeuronPool says in place of an instance type: its nodes have real devices, and each is asked what it has."""
MOST_CORES: Final = max(each.devices * each.cores_per_device for each in INSTANCE_TYPES.values())
"""Physical NeuronCores of the largest instance type: what one node could give at the most."""
MOST_DEVICES: Final = max(each.devices for each in INSTANCE_TYPES.values())
"""Neuron devices of the largest instance type."""


def hardware_of(instance_type: str, logical_core_size: int | None = None) -> Hardware:
    """Return the hardware a node of this type shows; ``logical_core_size`` defaults to the type's own.

    Raises UnknownInstanceType, and InvalidHardware when the type does not have that logical core size.
    """
    entry = INSTANCE_TYPES.get(instance_type)
    if entry is None:
        raise errors.UnknownInstanceType(
            f"instance type {instance_type!r} is not known: use one of {', '.join(INSTANCE_TYPES)}",
            instance_type=instance_type,
        )
    size = entry.default_logical_core_size if logical_core_size is None else logical_core_size
    if size not in entry.logical_core_sizes:
        allowed = " or ".join(map(str, entry.logical_core_sizes))
        raise errors.InvalidHardware(f"{instance_type} has no logical core size {size!r}: use {allowed}")
    return Hardware(
        instance_type=entry.name,
        devices=entry.devices,
        cores_per_device=entry.cores_per_device // size,
        logical_core_size=size,
        hbm_bytes_per_core=entry.hbm_bytes_per_device * size // entry.cores_per_device,
        topology=entry.topology,
    )
