"""Victims are looked for again after a while, by whatever the clock says then."""

import datetime as dt

from kits.manifests import snapshots
from kits.planning import scenes
from neuronspan_operator.planning import facts, planner

SECOND = dt.timedelta(seconds=1)


def test_clock_that_goes_back_keeps_nobody_from_looking_for_victims_again() -> None:
    """What kept the victim from its end is over, as when the API server would evict nobody for a while."""
    scene = scenes.Scene().node().holder("p1", "0-11", priority=9).node("w2", cordoned=True)
    scene.holder("p2", "0-11", "w2", priority=1).waiting(cores=12)
    kept = planner.Planner(again=SECOND)
    snapshot = scene.snapshot(spared=frozenset({"uid-p1"}))
    assert scenes.ended(kept.begin(snapshot, snapshots.NOW)) == []
    opened = facts.Changes(nodes={"w2": scenes.Scene().node("w2").snapshot().nodes["w2"]})
    assert scenes.ended(kept.plan(opened, snapshots.NOW + SECOND / 2)) == []
    assert scenes.ended(kept.plan(facts.Changes(), snapshots.NOW - 3600 * SECOND)) == ["p2"]
