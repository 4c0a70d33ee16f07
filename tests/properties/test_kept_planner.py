"""A planner that is told what changed plans what one does that is told everything: nothing that is kept goes stale."""

import datetime as dt
import os

import pytest

from kits.planning import changing_world
from neuronspan_operator.planning import planner

WORLDS_PER_SEED = int(os.environ.get("PLANNER_WORLDS", "12"))  # noqa: TID251 - the tests have no settings module
"""`make test-planner` plays more."""
CHANGES_PER_WORLD = 60


def _run(seed: int) -> int:
    world = changing_world.ChangingWorld(seed)
    kept = planner.Planner(again=dt.timedelta(), starvation_seconds=20.0)
    plan = kept.plan(world.first(), world.now)
    plans = 0
    for step in range(CHANGES_PER_WORLD):
        known = kept.facts.snapshot()
        assert planner.plan(known, world.now) == plan, f"world {seed}, after {step} changes"
        plans += bool(plan.ledgers)
        plan = kept.plan(world.change(known, plan), world.now)
    return plans


@pytest.mark.parametrize("seed", range(10))
def test_planner_that_keeps_its_work_plans_as_one_that_begins_anew(seed: int) -> None:
    wrote = sum(_run(seed * 1000 + number) for number in range(WORLDS_PER_SEED))
    assert wrote > WORLDS_PER_SEED
