"""What the HBM of a core is used for, by the purposes that AWS's tools name."""

from neuronspan_runtime.telemetry import page_layout
from neuronspan_runtime.tools import memory_use


def test_memory_use_names_every_purpose_and_fills_those_that_are_counted() -> None:
    counters = page_layout.Counters(tensor_bytes=1, model_bytes=2, code_bytes=4, peak_bytes=8)
    used = memory_use.by_purpose(counters)
    assert tuple(used) == memory_use.PURPOSES
    assert {purpose: size for purpose, size in used.items() if size} == {
        "constants": 2,
        "model_code": 4,
        "tensors": 1,
    }
