"""However clients come, work, rest and leave: never too many connections, and the newest is always in."""

import asyncio

import hypothesis
import pytest
from hypothesis import strategies

from kits.connecting import sockets
from neuronspan_agent.serving import connections

STEPS = strategies.lists(
    strategies.one_of(
        strategies.just(("connect", 0)),
        strategies.tuples(strategies.sampled_from(["work", "rest", "leave", "wait"]), strategies.integers(0, 9)),
    ),
    max_size=40,
)


@pytest.mark.parametrize("most", [1, 3])
@hypothesis.given(steps=STEPS)
def test_there_are_never_too_many_and_the_newest_is_always_in(most: int, steps: list[tuple[str, int]]) -> None:
    async def play() -> None:
        kept = sockets.Kept(connections.Bounds(connections=most))
        made: list[sockets.Socket] = []
        working = {}
        for step, which in steps:
            if step == "connect":
                made += kept.connect()
                assert not made[-1].broken()
            elif step == "wait":
                await asyncio.sleep(0)
            elif which < len(made):
                if step == "leave" and not made[which].broken():
                    made[which].abort()
                elif step == "work" and which not in working:
                    working[which] = kept.connections.working(kept.answering[which])
                    working[which].__enter__()
                elif step == "rest" and which in working:
                    working.pop(which).__exit__(None, None, None)
            assert len(kept.connections) == sum(not each.broken() for each in made) <= most
        kept.connections.close()

    asyncio.run(play())
