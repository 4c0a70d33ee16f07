"""What a physical NeuronCore of each generation does in a second, as AWS publishes it, and what of that is reached.

Peak rates are those of AWS's architecture pages (about-neuron/arch/neuron-hardware), a device's share where only the
device's number is there: `inferentia` (64 TFLOPS, 50 GiB/s for four NeuronCores-v1) with `neuron-core-v1` (256 vector
operations a cycle; a tenth of v2's, says v2's page); `inferentia2`, `trainium` and NKI's Trainium/Inferentia2 guide
(190 TFLOPS, 47.5 in FP32, 820 GB/s for two NeuronCores-v2) with `neuron-core-v2` (2.3 TFLOPS of vectors);
`neuron-core-v3` (158 TFLOPS in cFP8, 79 in BF16, 20 in FP32, as 181 for eight) with NKI's Trainium2 guide (2.9 TB/s for
eight); `neuron-core-v4` (315 in MXFP8, 79, 20, vectors 1.2) with `trainium3` (4.9 TB/s for eight).

What programs reach, the overhead and the link have no published number: they are fitted to a few of AWS's benchmark
rows, which docs/concepts/time.md names, and hold for all generations.

Law: pure; numbers and their sources, no opinion about a program.
"""

import dataclasses
import types
from collections.abc import Mapping

from neuronspan import instance_types

MATRIX_SHARE = 0.39
"""Part of the matrix engine's peak that programs reach. Fitted: BERT base on inf2, batches of 16."""
OVERHEAD_NANOSECONDS = 90_000
"""What an execution takes beyond its work: submitting, descriptors, notification. Fitted: DistilBERT on inf2."""
TO_HOST_BYTES_PER_SECOND = 5.6e9
"""From a core's HBM to the host. Fitted: BERT base in batches of 16 on inf2, with hidden states as outputs (10.97 ms)
and with two numbers for each row (9.85 ms)."""
TO_DEVICE_BYTES_PER_SECOND = 1.2e9
"""From the host to a core's HBM, for tensors that a program passes. Fitted: ResNet-18 on inf2."""


@dataclasses.dataclass(frozen=True)
class CoreRates:
    """One core's rates, per second."""

    matrix_flops: Mapping[str, float]
    """Peak of the matrix engine by the type of the factors, a name of torch's such as `bfloat16`."""
    vector_operations: float
    """Elements of float32 through the vector engine."""
    memory_bytes: float
    """From and to HBM, the core's share of its device."""

    def times(self, cores: int) -> "CoreRates":
        """Return the rates of so many cores that work as one."""
        flops = types.MappingProxyType({kind: cores * rate for kind, rate in self.matrix_flops.items()})
        return CoreRates(flops, cores * self.vector_operations, cores * self.memory_bytes)


def _flops(bf16: float, fp8: float, fp32: float) -> Mapping[str, float]:
    """Return a matrix engine's peaks; types that are not published multiply as bfloat16 does."""
    return types.MappingProxyType({"bfloat16": bf16, "float8_e4m3fn": fp8, "float8_e5m2": fp8, "float32": fp32})


_TERA, _GIGA = 1e12, 1e9

GENERATIONS: Mapping[str, CoreRates] = types.MappingProxyType({
    # Inf1 multiplies no float32: it is cast, whatever the options say
    "v1": CoreRates(_flops(16 * _TERA, 16 * _TERA, 16 * _TERA), 0.23 * _TERA, 50 * 1.073741824 * _GIGA / 4),
    "v2": CoreRates(_flops(95 * _TERA, 95 * _TERA, 23.75 * _TERA), 2.3 * _TERA, 410 * _GIGA),
    "v3": CoreRates(_flops(79 * _TERA, 158 * _TERA, 20 * _TERA), 1.0 * _TERA, 362.5 * _GIGA),
    "v4": CoreRates(_flops(79 * _TERA, 315 * _TERA, 20 * _TERA), 1.2 * _TERA, 612.5 * _GIGA),
})  # fmt: skip
"""By the generation of the NeuronCore, as the catalogue of instance types names it."""

NEWEST = "v4"


def of(hardware: instance_types.Hardware) -> CoreRates:
    """Return the rates of one core as the node shows it: joined ones add up. An unknown type counts as the newest."""
    known = instance_types.INSTANCE_TYPES.get(hardware.instance_type)
    return GENERATIONS[known.architecture if known else NEWEST].times(hardware.logical_core_size)


def copy_nanoseconds_per_byte() -> tuple[float, float]:
    """Return what a byte takes from the host to a core, and back."""
    return 1e9 / TO_DEVICE_BYTES_PER_SECOND, 1e9 / TO_HOST_BYTES_PER_SECOND
