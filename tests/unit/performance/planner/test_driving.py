"""The loop around a planner: own writes come back, pods live and end."""

from neuronspan_operator.planning import facts
from performance.planner import driving, scenes


def _loop(nodes: int = 2) -> driving.Loop:
    return driving.Loop(driving.kept(), scenes.Scene(nodes).changes())


def test_pods_are_bound_where_there_is_room() -> None:
    bound = _loop().settle(facts.Changes(pods=scenes.waiting(8)))
    assert len(bound) == 8
    assert set(bound.values()) == {scenes.node_name(0), scenes.node_name(1)}


def test_cores_of_pods_that_ended_are_given_away_again() -> None:
    loop = _loop()
    for number in range(3):
        bound = loop.settle(facts.Changes(pods=scenes.waiting(8, prefix=f"round{number}")))
        assert len(bound) == 8
        loop.settle(loop.confirmed(bound))
        loop.settle(loop.ended(bound))


def test_a_pod_that_fits_nowhere_waits() -> None:
    pod = scenes.whole_node("large")
    assert _loop().settle(facts.Changes(pods={pod.uid: pod})) == {}
