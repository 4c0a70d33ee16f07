"""What Slurm's slurmd says of the devices that its plugin gpu/nrt finds (`slurm-devices` in the readers' image)."""

import dataclasses
import re
from collections.abc import Mapping

PROGRAM = "slurm-devices"

_FOUND = re.compile(r"^Found gpu:(?P<type>\S+):(?P<count>\d+) with Autodetect=nrt", re.MULTILINE)
_DEVICE = re.compile(
    r"^slurmd: Gres Name=gpu Type=(?P<type>\S+) Count=1 Index=(?P<index>\d+) .*"
    r"File=/dev/neuron(?P<file>\d+) Links=(?P<links>\S+)",
    re.MULTILINE,
)
_NO_NODE = re.compile(r"stat\(/dev/neuron(\d+)\): No such file")


@dataclasses.dataclass(frozen=True)
class Found:
    """What it counts, of which type, and each device's row of links: 1 where one is, -1 for the device itself."""

    kind: str
    count: int
    links: Mapping[int, tuple[int, ...]]
    without_node: frozenset[int]  # devices of the tree that have no node in /dev

    def connected_to(self, device: int) -> set[int]:
        """Return the devices to which this one has a link."""
        return {other for other, link in enumerate(self.links[device]) if link == 1}


def parse(said: str) -> Found:
    """Read what the program printed; raises ValueError when it found nothing, or contradicts itself."""
    found, devices = _FOUND.search(said), list(_DEVICE.finditer(said))
    if found is None or not devices:
        raise ValueError(f"slurmd found no device:\n{said}")
    if any(each["index"] != each["file"] or each["type"] != found["type"] for each in devices):
        raise ValueError(f"slurmd mixes up devices, files or types:\n{said}")
    return Found(
        found["type"],
        int(found["count"]),
        {int(each["index"]): tuple(map(int, each["links"].split(","))) for each in devices},
        frozenset(map(int, _NO_NODE.findall(said))),
    )
