"""What the watching process tells, as it is waited for."""

import pytest

from performance.cluster import watching


def test_moments_are_those_that_were_told() -> None:
    watcher = watching.Watcher()
    watcher.follow(["a 1.5\n", "b 2.5\n", "c 3.5\n"])
    assert watcher.wait(["a", "c"]) == {"a": 1.5, "c": 3.5}


def test_a_watch_that_ended_is_waited_for_no_longer() -> None:
    watcher = watching.Watcher()
    watcher.follow(["a 1.5\n"])
    with pytest.raises(watching.NotBoundError, match="1 of 2 pods are not bound, b for one, and the watch has ended"):
        watcher.wait(["a", "b"])


def test_pods_that_are_not_bound_in_time_are_named() -> None:
    watcher = watching.Watcher()
    with pytest.raises(watching.NotBoundError, match="1 of 1 pods are not bound, a for one, within 0 s"):
        watcher.wait(["a"], seconds=0)
