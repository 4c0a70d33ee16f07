"""The planner in a random world: pods come and go, operators crash and race, reports are late, nodes vanish.

130 000 random operations, each followed by the checks of kits.world.simulated_promises. A failure names its world:
run that one with ``_run(seed, number)``.
"""

import collections

import pytest

from kits.world import simulated_world

SEEDS = range(10)
WORLDS_PER_SEED = 40
OPERATIONS_PER_WORLD = 260
URGENT_WORLDS_PER_SEED = 10


def _run(seed: int, number: int, kind: simulated_world.Kind | None = None) -> simulated_world.World:
    kind = kind or simulated_world.KINDS[number % len(simulated_world.KINDS)]
    world = simulated_world.World(seed * 1000 + number, kind)
    try:
        world.run(OPERATIONS_PER_WORLD)
        world.settle()
        world.promises.check_rest(world.operators[0].plan.waiting)
        world.empty()
    except AssertionError as error:
        error.add_note(f"world {number} of seed {seed}, kind {kind.name}, after {world.done.total()} operations")
        raise
    return world


@pytest.mark.parametrize("seed", SEEDS)
def test_planner_keeps_every_promise_whatever_happens(seed: int) -> None:
    done: collections.Counter[str] = collections.Counter()
    for number in range(WORLDS_PER_SEED):
        done += _run(seed, number).done
    assert done.total() == WORLDS_PER_SEED * OPERATIONS_PER_WORLD
    assert set(done) >= {"create", "create_group", "create_unmanaged", "crash", "tamper", "vanish", "delete_by_force"}


@pytest.mark.parametrize("seed", SEEDS)
def test_planner_keeps_every_promise_while_pods_end_for_others(seed: int) -> None:
    """Large pods of high priority come, budgets forbid some ends, long waits have places kept."""
    worlds = [_run(seed, number, simulated_world.URGENT) for number in range(URGENT_WORLDS_PER_SEED)]
    assert sum(world.promises.victims for world in worlds) > 0
