"""What the HBM of a core is used for, in the words of AWS's tools.

Law: pure; a page's counters in, bytes by purpose out. Weights are `constants` and the microcode of a core is its
`model_code`: nothing here takes memory for the other purposes.
"""

from neuronspan_runtime.telemetry import page_layout

PURPOSES = ("constants", "model_code", "model_shared_scratchpad", "runtime_memory", "tensors")
"""What the HBM of a core is used for."""


def by_purpose(counters: page_layout.Counters) -> dict[str, int]:
    """Return the bytes of HBM in use on one core by purpose."""
    return {
        **dict.fromkeys(PURPOSES, 0),
        "constants": counters.model_bytes,
        "model_code": counters.code_bytes,
        "tensors": counters.tensor_bytes,
    }
