"""Samples of stacks as a table."""

import threading

from performance.cluster import profiling


def test_functions_at_work_are_counted_with_their_callers() -> None:
    sampler = profiling.Sampler()
    for _ in range(4):
        sampler.sample(me=-1)
    lines = sampler.report().splitlines()
    assert lines[0] == f"{sampler.samples} samples of threads at work"
    (here,) = [line for line in lines if line.endswith("test_functions_at_work_are_counted_with_their_callers")]
    assert here.split()[0] == "0.0%"  # its callee was at work, it was waiting for it
    assert "unit/performance/cluster/test_profiling.py" in here or "performance/cluster/test_profiling.py" in here


def test_the_thread_that_samples_is_left_out() -> None:
    sampler = profiling.Sampler()
    sampler.sample(me=threading.get_ident())
    assert "test_the_thread_that_samples_is_left_out" not in sampler.report()
