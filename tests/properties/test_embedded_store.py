"""The embedded API server's history: versions only grow, and a list with the events after it is what is stored."""

import asyncio
from collections.abc import Callable
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies

from kits.world import virtual_time
from neuronspan_embedded.api_server import store, verbs, watching
from neuronspan_embedded.api_server.rules import kinds, refusals, selectors

Manifest = dict[str, Any]

KINDS = {kind.plural: kind for kind in kinds.BUILT_IN if kind.plural in {"pods", "configmaps"}}
STEPS = strategies.lists(
    strategies.tuples(
        strategies.sampled_from(["put", "put", "remove", "look"]),
        strategies.sampled_from(sorted(KINDS)),
        strategies.sampled_from(["a", "b"]),
        strategies.sampled_from(["x", "y", "z"]),
        strategies.sampled_from(["red", "blue"]),
    ),
    max_size=40,
)
TARGETS: dict[str, Callable[[str], watching.Wanted]] = {
    "all": lambda plural: watching.Wanted(verbs.Target(KINDS[plural])),
    "a namespace": lambda plural: watching.Wanted(verbs.Target(KINDS[plural], "a")),
    "an object": lambda plural: watching.Wanted(verbs.Target(KINDS[plural], "a", "x")),
    "a label": lambda plural: watching.Wanted(verbs.Target(KINDS[plural]), selectors.parsed("colour=red", "")),
}


def _object(namespace: str, name: str, colour: str) -> Manifest:
    return {"metadata": {"namespace": namespace, "name": name, "labels": {"colour": colour}}}


def _do(known: store.Store, step: str, plural: str, namespace: str, name: str, colour: str) -> None:
    if step == "put":
        known.put(plural, _object(namespace, name, colour))
    elif step == "remove" and known.find(plural, namespace, name) is not None:
        known.remove(plural, namespace, name)


def _shown(known: store.Store, wanted: watching.Wanted) -> dict[store.Key, Manifest]:
    target = wanted.target
    found = known.all(target.kind.resource, target.namespace)
    chosen = [each for each in found if wanted.selected(each) and target.name in {"", each["metadata"]["name"]}]
    return {(each["metadata"]["namespace"], each["metadata"]["name"]): each for each in chosen}


def _apply(shown: dict[store.Key, Manifest], event: Manifest) -> None:
    """Take an event as a client does, which knows what may come after what."""
    manifest = event["object"]
    key = manifest["metadata"]["namespace"], manifest["metadata"]["name"]
    assert (event["type"] == "ADDED") is (key not in shown)
    if event["type"] == "DELETED":
        del shown[key]
    else:
        shown[key] = manifest


@pytest.mark.parametrize("make", TARGETS.values(), ids=TARGETS.keys())
@hypothesis.given(STEPS)
def test_list_and_the_events_after_it_are_what_is_stored(
    make: Callable[[str], watching.Wanted], steps: list[tuple[str, str, str, str, str]]
) -> None:
    known = store.Store()
    watches = [(make(plural), 0, dict[store.Key, Manifest]()) for plural in KINDS]
    for step, plural, namespace, name, colour in steps:
        _do(known, step, plural, namespace, name, colour)
        if step == "look":
            watches.append((make(plural), known.version, _shown(known, make(plural))))
    for wanted, since, shown in watches:
        told = since
        for change in known.changes(wanted.target.kind.resource, since):
            assert change.version > told, "versions only grow"
            told = change.version
            event = watching.seen(change, wanted)
            if event is not None:
                assert event["object"]["metadata"]["resourceVersion"] == str(change.version)
                _apply(shown, event)
        assert shown == _shown(known, wanted)


@hypothesis.given(STEPS)
def test_every_write_has_a_version_of_its_own_and_changes_nothing_that_was_read(
    steps: list[tuple[str, str, str, str, str]],
) -> None:
    known = store.Store()
    read: list[tuple[Manifest, Manifest]] = []
    for step in steps:
        before = known.version
        _do(known, *step)
        assert known.version - before in {0, 1}
        read += [(each, {**each, "metadata": dict(each["metadata"])}) for each in known.all(step[1])]
    assert all(now == then for now, then in read)
    versions = [int(each["metadata"]["resourceVersion"]) for plural in KINDS for each in known.all(plural)]
    assert len(set(versions)) == len(versions)
    assert all(version <= known.version for version in versions)


@hypothesis.given(STEPS, strategies.integers(1, 8))
def test_history_is_told_whole_or_refused(steps: list[tuple[str, str, str, str, str]], kept: int) -> None:
    known, complete = store.Store(history=kept), store.Store()
    for step in steps:
        _do(known, *step)
        _do(complete, *step)
    for after in range(known.version + 1):
        for plural in KINDS:
            wanted = [each.version for each in complete.changes(plural, after)]
            if after >= known.version - kept:
                assert [each.version for each in known.changes(plural, after)] == wanted
            else:
                with pytest.raises(refusals.Refusal, match="too old resource version"):
                    list(known.changes(plural, after))


@hypothesis.given(STEPS, strategies.lists(strategies.booleans(), min_size=40, max_size=40))
@hypothesis.settings(max_examples=50, deadline=None)
def test_stream_tells_the_same_however_often_its_reader_gets_a_turn(
    steps: list[tuple[str, str, str, str, str]], turns: list[bool]
) -> None:
    async def play() -> None:
        known = store.Store()
        known.put("configmaps", _object("a", "first", "red"))
        shown: dict[store.Key, Manifest] = {}
        wanted = watching.Wanted(verbs.Target(KINDS["pods"]), after="1", seconds=5.0, bookmarks=True)

        async def follow() -> None:
            told = 0
            async for event in watching.events(known, wanted):
                version = int(event["object"]["metadata"]["resourceVersion"])
                assert version > told or (event["type"] == "BOOKMARK" and version == told)
                told = version
                if event["type"] != "BOOKMARK":
                    _apply(shown, event)

        following = asyncio.create_task(follow())
        for step, turn in zip(steps, turns, strict=False):
            _do(known, *step)
            if turn:
                await asyncio.sleep(0.01)
        await following
        assert shown == _shown(known, wanted)

    with asyncio.Runner(loop_factory=virtual_time.VirtualTimeLoop) as runner:
        runner.run(play())
