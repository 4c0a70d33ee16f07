"""What is decided for a node or a pod stands until it is decided anew, and its timer with it."""

import datetime as dt

import pytest

from kits.manifests import builders, snapshots
from neuronspan_operator import reasons
from neuronspan_operator.objects import pods
from neuronspan_operator.planning import plans
from neuronspan_operator.planning.drafting import parts

POD, NODE = (parts.Kind.POD, "uid-web"), (parts.Kind.NODE, "w1")
EVICT = plans.Evict(pods.read(builders.make_pod()), "why")
SECOND = dt.timedelta(seconds=1)


@pytest.fixture
def decided() -> parts.Parts:
    """Return parts of which one evicts a pod, in a pass that is over."""
    found = parts.Parts()
    found.open(POD).decisions.append(EVICT)
    assert len(found.standing()) == 1
    return found


def test_decision_stands_until_its_part_is_opened_again(decided: parts.Parts) -> None:
    assert decided.evictions() == [EVICT]
    assert [part.decisions for part in decided.standing()] == [[EVICT]]
    decided.open(POD)
    assert decided.evictions() == []
    assert decided.standing() == []
    assert not decided.any_standing()


def test_part_that_is_dropped_has_nothing_to_do_any_more(decided: parts.Parts) -> None:
    decided.drop(POD)
    assert decided.standing() == []
    assert POD not in decided


def test_empty_part_is_forgotten_unless_it_has_a_timer(decided: parts.Parts) -> None:
    decided.open(POD)
    decided.wake(NODE, snapshots.NOW)
    assert decided.standing() == []
    assert (POD in decided, NODE in decided) == (False, True)


def test_parts_stand_in_the_order_of_nodes_and_then_pods(decided: parts.Parts) -> None:
    drift = plans.Drift("w1", reasons.DriftKind.UNREADABLE_LEDGER, "")
    decided.get(NODE).decisions.append(drift)
    first, second = decided.standing()
    assert (first.decisions, second.decisions) == ([drift], [EVICT])


def test_timer_is_due_once_and_not_before_its_time() -> None:
    found = parts.Parts()
    found.wake(POD, snapshots.NOW + SECOND)
    found.wake(POD, snapshots.NOW + 2 * SECOND)
    assert found.wake_at() == snapshots.NOW + SECOND
    assert found.due(snapshots.NOW) == []
    assert found.due(snapshots.NOW + SECOND) == [POD]
    assert found.wake_at() is None


def test_earlier_timer_takes_the_place_of_a_later_one() -> None:
    found = parts.Parts()
    found.wake(POD, snapshots.NOW + 2 * SECOND)
    found.wake(POD, snapshots.NOW + SECOND)
    assert found.due(snapshots.NOW + 5 * SECOND) == [POD]


def test_timer_of_a_part_that_was_opened_again_wakes_nobody() -> None:
    found = parts.Parts()
    found.wake(POD, snapshots.NOW)
    found.open(POD)
    assert found.wake_at() is None
    assert found.due(snapshots.NOW + SECOND) == []
