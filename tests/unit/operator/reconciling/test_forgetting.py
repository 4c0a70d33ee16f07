"""Pods that come and go leave nothing behind: whatever the loop and its planner keep by pod is forgotten with it."""

import asyncio
import random
import types
from collections.abc import Iterator
from typing import Any

from kits.manifests import builders, clusters
from kits.world import rehearsal
from neuronspan import names
from neuronspan_agent import errors, resources
from neuronspan_operator import metrics

NODES = "w1", "w2", "w3"
_LEAVES = str, bytes, int, float, type(None), type, types.ModuleType, types.FunctionType, random.Random
_FOREIGN = asyncio.AbstractEventLoop, asyncio.Future, metrics.Metrics
_KINDS: list[dict[str, Any]] = [
    {},
    {"cores": 64},
    {"priority": 5},
    dict(builders.GUEST),
    {"annotations": {names.POD_GROUP_ANNOTATION: "g", names.POD_GROUP_SIZE_ANNOTATION: "2"}},
    {"owner": "rs"},
    {"affinity": clusters.affinity(far=[clusters.term("zone", {"app": "a"})])},
]
_FAILING = "bind pods", "strategic_patch pods", "merge_patch neuronnodes", "evict pods", "get pods"


def _known(root: object, but: object) -> Iterator[str]:
    """Yield every text that is a key, or in a set, of anything that can be reached from here."""
    seen, left = {id(but)}, [root]
    while left:
        found = left.pop()
        if id(found) in seen or isinstance(found, (*_LEAVES, *_FOREIGN)):
            continue
        seen.add(id(found))
        if isinstance(found, dict):
            yield from (key for key in found if isinstance(key, str))
            left += [*found, *found.values()]
        elif isinstance(found, set | frozenset | list | tuple):
            yield from (each for each in found if isinstance(each, str) and isinstance(found, set | frozenset))
            left += found
        elif isinstance(found, types.MethodType):
            left.append(found.__self__)
        else:
            slots = [name for base in type(found).__mro__ for name in getattr(base, "__slots__", ())]
            left += [getattr(found, name, None) for name in slots] + list(getattr(found, "__dict__", {}).values())


async def _come_and_go(play: rehearsal.Rehearsal, draw: random.Random, number: int) -> None:
    made = [f"p{number}-{index}" for index in range(4)]
    for name in made:
        play.add_pod(name, labels={"app": "a"}, **{"cores": 2} | draw.choice(_KINDS))
    refusal = errors.Forbidden("no", status=403)
    play.server.fail(draw.choice(_FAILING), refusal, refusal)
    await asyncio.sleep(draw.choice((0.1, 3)))
    for name in made:
        play.server.remove(resources.PODS, name, "default", silently=draw.random() < 0.2)
    play.server.end_streams(errors.Gone("too old", status=410))
    await asyncio.sleep(1)


def _report(play: rehearsal.Rehearsal) -> None:
    """Let the plugins report that nothing is left of whom the ledger releases, and forget whom it does not name."""
    for name in NODES:
        node = play.server.stored(resources.NEURON_NODES, name)
        released = sorted({each["podUID"] for each in node["spec"]["grants"] if each["state"] == "Releasing"})
        if node["status"]["released"] != released:
            node["status"]["released"] = released
            play.server.put(resources.NEURON_NODES, node)


async def test_pods_that_come_and_go_leave_nothing_behind() -> None:
    play, draw = rehearsal.Rehearsal(), random.Random(1)  # noqa: S311 - repeatable on purpose
    for name in NODES:
        play.add_node(name, labels={"zone": name})
    async with play.running():
        parts = [asyncio.create_task(each.run()) for each in (play.loop, play.events, play.conditions)]
        for number in range(12):
            await _come_and_go(play, draw, number)
            _report(play)
        play.server.faults.clear()
        for _ in range(12):  # what failed last is forgotten later
            await asyncio.sleep(70)
            _report(play)
        play.add_pod("last", cores=64)
        await asyncio.sleep(30)
        left = {key for key in _known(play, play.server) if "uid-p" in key}
        for part in parts:
            part.cancel()
    assert play.count("neuronspan_bindings_total", {"outcome": "done"}) > 5
    assert left == set()
