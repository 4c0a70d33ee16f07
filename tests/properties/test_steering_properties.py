"""On any ledger and any sequence of events: answers are exact, contiguous and harm nobody; no core ever serves two."""

from collections.abc import Callable, Iterable
from typing import Any

import hypothesis
from hypothesis import strategies as st

from kits.manifests import domain
from kits.world import simulated_node
from neuronspan import grants, ledger, names, spans
from neuronspan_deviceplugin import reasons
from neuronspan_deviceplugin.allocation import pod_devices, steering

HARDWARE = simulated_node.HARDWARE
CORES = range(HARDWARE.cores)


@st.composite
def books(draw: st.DrawFn) -> ledger.Ledger:
    """Ledgers with some of the cores granted, each grant to a pod of its own, in any state."""
    entries: list[grants.Grant] = []
    first = 0
    while first < HARDWARE.cores:
        size = draw(st.integers(1, 5))
        if first + size <= HARDWARE.cores and draw(st.booleans()):
            state = draw(st.sampled_from(list(grants.GrantState)))
            init = draw(st.sampled_from([(), ("init",)]))
            span = str(spans.CoreSpan(first, size))
            entries.append(domain.grant(span, f"p{first}", state=state, init_containers=init))
        first += size
    return ledger.Ledger(HARDWARE.cores, tuple(entries))


@st.composite
def calls(draw: st.DrawFn) -> steering.Call:
    """Calls as kubelet makes them: at least as many cores available as asked for, what must be included among them."""
    available = draw(st.sets(st.sampled_from(CORES), min_size=1))
    count = draw(st.integers(1, len(available)))
    included = draw(st.sets(st.sampled_from(sorted(available)), max_size=count)) if draw(st.booleans()) else set()
    return steering.Call(names.CORE_RESOURCE, frozenset(available), frozenset(included), count)


@st.composite
def listings(draw: st.DrawFn, book: ledger.Ledger) -> list[pod_devices.PodDevices] | None:
    """What PodResources may say of the pods in the ledger: not listed, without devices, with devices; or no answer."""
    if draw(st.integers(0, 5)) == 0:
        return None
    listed = []
    for grant in book.grants:
        state = draw(st.sampled_from(["missing", "waiting", "served"]))
        ids = {names.CORE_RESOURCE: frozenset(map(str, grant.span))} if state == "served" else {}
        if state != "missing":
            container = pod_devices.ContainerDevices(grant.container, ids)
            listed.append(pod_devices.PodDevices(grant.namespace, grant.pod, (container,)))
    return listed


@hypothesis.given(st.data(), books(), calls())
def test_answer_is_exact_and_avoids_everything_that_is_not_its_own(
    data: st.DataObject, book: ledger.Ledger, call: steering.Call
) -> None:
    pods = data.draw(listings(book))
    avoid = data.draw(st.lists(st.builds(spans.CoreSpan, st.integers(0, 8), st.integers(1, 3)), max_size=2))
    choice = steering.choose(call, HARDWARE, book, pods, allocated=(), avoid=avoid)

    if choice.span is None:
        assert choice.outcome is reasons.SteeringOutcome.NONE
        assert choice.why
        return
    assert len(choice.span) == call.count
    assert call.must_include <= set(choice.span) <= call.available | call.must_include
    others = [each.span for each in book.grants if each != choice.grant]
    fair = set(choice.span) - call.must_include
    assert not fair & {core for span in others for core in span}
    if choice.outcome is reasons.SteeringOutcome.GRANT:
        assert choice.grant is not None
        assert steering.covers(choice.grant, choice.span)
        assert choice.grant.state is not grants.GrantState.RELEASING
    else:
        assert not fair & {core for span in avoid for core in span}


@hypothesis.given(books(), calls())
def test_pod_that_waits_alone_gets_its_grant_whenever_kubelet_offers_it(
    book: ledger.Ledger, call: steering.Call
) -> None:
    for grant in book.grants:
        asked = steering.Call(call.resource, call.available, frozenset(), grant.span.count)
        waiting = pod_devices.PodDevices(
            grant.namespace, grant.pod, (pod_devices.ContainerDevices(grant.container, {}),)
        )
        choice = steering.choose(asked, HARDWARE, book, [waiting], allocated=(), avoid=())
        offered = grant.state is not grants.GrantState.RELEASING and asked.available >= set(grant.span)
        assert (choice.outcome is reasons.SteeringOutcome.GRANT and choice.span == grant.span) is offered


sizes = st.integers(1, 4)
some = st.integers(0, 20)
OPERATIONS = st.one_of(
    st.tuples(st.just("submit"), st.lists(sizes, min_size=1, max_size=3), st.booleans()),
    st.tuples(st.just("chain"), sizes, sizes),
    st.tuples(st.just("stray"), sizes),
    st.tuples(st.sampled_from(["start", "finish", "force", "kill"]), some),
    st.tuples(st.sampled_from(["poll", "plugin", "amnesia", "kubelet"])),
)
Operation = tuple[Any, ...]


def _apply(node: simulated_node.SimulatedNode, number: int, operation: Operation) -> None:
    name, (kind, *values) = f"n{number}", operation
    steps: dict[str, Callable[..., object]] = {
        "submit": lambda sizes, devices: node.submit(name, sizes, devices=devices),
        "chain": lambda one, other: node.submit_chain(name, min(one, other), max(one, other)),
        "stray": lambda size: node.stray(name, size),
        "start": lambda which: _to_one(node.start, node.pods, which),
        "finish": lambda which: _to_one(node.finish, node.pods, which),
        "force": lambda which: _to_one(node.force_delete, node.pods, which),
        "kill": lambda which: _to_one(node.kill, {each.uid for each in node.uses} - node.pods.keys(), which),
        "poll": node.poll,
        "plugin": node.restart_plugin,
        "amnesia": lambda: node.restart_plugin(record_kept=False),
        "kubelet": node.restart_kubelet,
    }
    steps[kind](*values)


def _to_one(step: Callable[[str], object], uids: Iterable[str], which: int) -> None:
    ordered = sorted(uids)
    if ordered:
        step(ordered[which % len(ordered)])


@hypothesis.settings(max_examples=150)
@hypothesis.given(st.integers(0, 2**16), st.booleans(), st.lists(OPERATIONS, min_size=5, max_size=60))
def test_no_core_serves_two_whatever_happens(seed: int, obedient: bool, operations: list[Operation]) -> None:
    node = simulated_node.SimulatedNode(seed, obedient=obedient)
    for number, operation in enumerate(operations):
        _apply(node, number, operation)
        assert node.shared_cores() == []
        assert node.renamed == []


@hypothesis.settings(max_examples=150)
@hypothesis.given(
    st.integers(0, 2**16), st.lists(st.one_of(st.tuples(sizes, st.none()), st.tuples(sizes, sizes)), max_size=12)
)
def test_every_granted_container_lands_exactly_and_starts(seed: int, wishes: list[tuple[int, int | None]]) -> None:
    node = simulated_node.SimulatedNode(seed)
    for number, (size, app) in enumerate(wishes):
        if app is None:
            node.submit(f"n{number}", [size])
        else:
            node.submit_chain(f"n{number}", min(size, app), max(size, app))
    node.poll()
    for grant in node.book.grants:
        assert node.given(*grant.key) == grant.span
        for init in grant.init_containers:
            beginning = node.given(grant.pod_uid, init)
            assert beginning is not None
            assert steering.covers(grant, beginning)
        node.start(grant.pod_uid)
    assert node.refusals == []


@hypothesis.settings(max_examples=50)
@hypothesis.given(st.integers(0, 2**16), st.lists(sizes, min_size=2, max_size=8))
def test_cores_of_a_pod_that_is_over_are_reported_as_the_next_ones(seed: int, lives: list[int]) -> None:
    node = simulated_node.SimulatedNode(seed)
    for number, size in enumerate(lives):
        node.submit(f"n{number}", [size])
        node.poll()
        node.start(f"uid-n{number}")
        node.finish(f"uid-n{number}")
        node.poll()
    assert node.renamed == []


def _upgraded(node: simulated_node.SimulatedNode, how: str) -> None:
    """Replace the former plugin: at once, with its record or without, or between two containers of the next pod."""
    if how == "midway":
        node.upgrade_after_next_answer = True
    else:
        node.upgrade_plugin(record_kept=how == "kept")


@hypothesis.settings(max_examples=150)
@hypothesis.given(
    st.integers(0, 2**16),
    st.booleans(),
    st.lists(OPERATIONS, min_size=3, max_size=30),
    st.sampled_from(["kept", "lost", "midway"]),
    st.lists(OPERATIONS, min_size=5, max_size=30),
)
def test_no_core_serves_two_when_ids_change_under_running_pods(
    seed: int, obedient: bool, before: list[Operation], how: str, after: list[Operation]
) -> None:
    """Kubelet counts former and present IDs apart: it offers each core of a pod of before once more."""
    node = simulated_node.SimulatedNode(seed, obedient=obedient)
    node.begin_before_the_upgrade()
    for number, operation in enumerate(before):
        _apply(node, number, operation)
    running = [(each.uid, each.container, each.span) for each in node.uses]
    _upgraded(node, how)
    assert [(each.uid, each.container, each.span) for each in node.uses] == running
    for number, operation in enumerate(after, start=len(before)):
        _apply(node, number, operation)
        assert node.shared_cores() == []


@hypothesis.given(
    st.integers(0, 2**16), st.lists(sizes, min_size=1, max_size=4), st.lists(sizes, min_size=1, max_size=4)
)
def test_pods_of_before_an_upgrade_start_again_and_those_after_it_get_present_ids(
    seed: int, old: list[int], new: list[int]
) -> None:
    node = simulated_node.SimulatedNode(seed)
    node.begin_before_the_upgrade()
    kept = [f"uid-o{number}" for number, size in enumerate(old) if node.submit(f"o{number}", [size])]
    node.upgrade_plugin()
    for uid in kept:
        node.start(uid)
    fresh = [f"uid-n{number}" for number, size in enumerate(new) if node.submit(f"n{number}", [size])]
    for uid in fresh:
        node.start(uid)

    assert node.refusals == []
    assert {each.uid for each in node.uses} == {*kept, *fresh}
    spelled = {uid: node.kubelet.devices(uid, "c0", names.CORE_RESOURCE) or frozenset() for uid in (*kept, *fresh)}
    assert all(each.startswith("nc-") for uid in kept for each in spelled[uid])
    assert all(each.isdigit() for uid in fresh for each in spelled[uid])
