"""Victims are looked for again after a while, by whatever the clock says then."""

import dataclasses
import datetime as dt

from kits.manifests import snapshots
from kits.planning import scenes
from neuronspan_operator.planning import facts, planner

SECOND = dt.timedelta(seconds=1)


def test_clock_that_goes_back_keeps_nobody_from_looking_for_victims_again() -> None:
    """By then one became less important than the pod that waits."""
    scene = scenes.Scene().node().holder("p1", "0-11", priority=200).node("w2", cordoned=True)
    snapshot = scene.holder("p2", "0-11", "w2", priority=1).waiting(cores=12).snapshot()
    kept = planner.Planner(again=SECOND)
    assert scenes.ended(kept.begin(snapshot, snapshots.NOW)) == []
    lesser = dataclasses.replace(snapshot.pods["uid-p1"], priority=1)
    change = facts.Changes(pods={lesser.uid: lesser})
    assert scenes.ended(kept.plan(change, snapshots.NOW + SECOND / 2)) == []
    assert scenes.ended(kept.plan(facts.Changes(), snapshots.NOW - 3600 * SECOND)) == ["p1"]
