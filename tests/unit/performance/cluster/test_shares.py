"""What is read out of a printed profile."""

import pytest

from performance.cluster import shares

PRINTED = """File: kube-apiserver
Duration: 10s, Total samples = 6.44s (64.39%)
      flat  flat%   sum%        cum   cum%
     0.01s  0.16%  0.16%      2.34s 36.34%  k8s.io/apiserver/pkg/endpoints/handlers.CreateResource.createHandler.func1.2
         0     0%  0.31%      1.22s 18.94%  k8s.io/apiserver/pkg/admission/plugin/policy/mutating.(*Plugin).Admit
         0     0%  0.31%      900ms 13.94%  k8s.io/apiserver/pkg/admission/plugin/policy/generic.(*Plugin[...]).Dispatch
         0     0%  2.17%      600ms  9.32%  runtime.gcBgMarkWorker (inline)
"""


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ("all", 6440),
        ("creating pods, bindings and Events", 2340),
        ("… of it the mutating policy", 1220),
        ("garbage collector", 600),
        ("watches", 0),
    ],
)
def test_a_part_of_a_profile_has_the_time_of_its_function(part: str, expected: float) -> None:
    """In milliseconds, whatever unit pprof chose; what has no line took none."""
    assert shares.parsed(PRINTED)[part] == pytest.approx(expected)
