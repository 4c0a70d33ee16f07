"""The plugin's process on a trn1.32xlarge: memory at rest, modules, and the time until kubelet has its devices."""

from performance import sampling
from performance.plugin import measuring

INSTANCE_TYPE = "trn1.32xlarge"
_ROUNDS = 5
_MIB = 2**20


def measure() -> sampling.Samples:
    """Return MiB, seconds and numbers, a round each for a process of its own."""
    found = [measuring.measure(INSTANCE_TYPE) for _ in range(_ROUNDS)]
    return {
        "resident": [each.resident / _MIB for each in found],
        "proportional": [each.proportional / _MIB for each in found],
        "peak": [each.peak / _MIB for each in found],
        "registered": [each.registered_seconds for each in found],
        "threads": [each.threads for each in found],
        "modules": [len(measuring.modules(INSTANCE_TYPE))],
    }
