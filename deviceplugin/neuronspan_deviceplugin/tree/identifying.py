"""Which instance type a node is, and how large its logical NeuronCores are: what its devices do not say themselves.

Source: the driver reads the product name of the firmware, too (neuron_arch.c); the file of the logical core size is in
AWS's guide to logical NeuronCores.
"""

import dataclasses
import re

from neuronspan import errors as domain_errors
from neuronspan import instance_types, names
from neuronspan_deviceplugin import reasons
from neuronspan_deviceplugin.tree import layout, trees

_SETTING = re.compile(rf"(?:export\s+)?{layout.LOGICAL_CORES_VARIABLE}\s*=\s*[\"']?(?P<size>[^\"'\s]*)[\"']?")


@dataclasses.dataclass(frozen=True, slots=True)
class Problem:
    """Something that is not right, with a sentence that says where and what to do."""

    kind: reasons.HardwareProblem
    message: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.message}"


def identify(seen: trees.Seen, label: str) -> instance_types.Hardware | Problem:
    """Return the hardware of the type that firmware or label names; ``label`` is "" where the Node has none."""
    product = seen.text(f"{layout.DMI}/{layout.PRODUCT_NAME}")
    name = next((each for each in (product, label) if each in instance_types.INSTANCE_TYPES), None)
    if name is None:
        return Problem(
            reasons.HardwareProblem.TYPE_UNKNOWN,
            f"the firmware calls this machine {product!r}, its label {names.INSTANCE_TYPE_LABEL} says {label!r}, "
            f"and neither is one of {', '.join(instance_types.INSTANCE_TYPES)}: have the NeuronPool name the instance "
            "type",
        )
    try:
        return instance_types.hardware_of(name, _logical_core_size(seen))
    except (domain_errors.InvalidHardware, ValueError) as error:
        return Problem(
            reasons.HardwareProblem.CORE_SIZE_UNUSABLE,
            f"/{layout.LOGICAL_CORES}: {error}: correct the file, or remove it for the default of {name}",
        )


def _logical_core_size(seen: trees.Seen) -> int | None:
    """Return the size that is configured; None for the type's own. Raises ValueError."""
    if layout.LOGICAL_CORES not in seen.files:
        return None
    text = seen.files[layout.LOGICAL_CORES]
    if text is None:
        raise ValueError("it cannot be read")
    found = [match for match in map(_SETTING.fullmatch, map(str.strip, text.splitlines())) if match]
    if not found:
        return None
    size = found[-1]["size"]
    if not size.isascii() or not size.isdigit():
        raise ValueError(f"{layout.LOGICAL_CORES_VARIABLE} is {size!r}, no number")
    return int(size)
