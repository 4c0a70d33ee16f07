"""For any snapshot whatsoever: what a plan may do, and what it must say."""

import collections
import dataclasses
import random
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies

from kits.manifests import builders, clusters, domain, snapshots
from neuronspan import errors, grants, ledger, names, placement, spans
from neuronspan_operator.objects import neuron_nodes, pools
from neuronspan_operator.planning import planner, plans
from neuronspan_operator.scheduling import cluster_state, screening

INSTANCE_TYPE = builders.SMALL
CORES = 12
MOST_PASSES = 6  # a plan may free what another pod waits for: the later members of a group, best fits that changed
NODES = ("w1", "w2", "w3")
STATES = strategies.sampled_from(grants.GrantState)
AGES = strategies.sampled_from([0.5, 10, 100, 1000])


@strategies.composite
def _pods(draw: strategies.DrawFn, index: int) -> dict[str, Any]:
    name = f"p{index}"
    sizes = strategies.sampled_from([1, 2, 3, 6, 12, 13])
    notes = draw(
        strategies.sampled_from(
            [
                {},
                {},
                {names.CORES_ANNOTATION: "four"},
                {names.POD_GROUP_ANNOTATION: "g", names.POD_GROUP_SIZE_ANNOTATION: "2"},
                {names.VISIBLE_CORES_ANNOTATION: "2-3"},
            ]
        )
    )
    shape = draw(
        strategies.one_of(
            sizes.map(lambda cores: [builders.container(cores=cores, cpu="20")]),
            strategies.integers(1, 3).map(lambda devices: [builders.container(devices=devices)]),
            sizes.map(lambda cores: [builders.container(cores=cores), builders.container("b", cores=1)]),
        )
    )
    if draw(strategies.sampled_from([False, False, True])):
        shape[0]["ports"] = [{"containerPort": 1, "hostPort": 80}]
    far = clusters.affinity(far=[clusters.term(names.HOSTNAME_LABEL, {names.MANAGED_LABEL: names.MANAGED_VALUE})])
    return builders.make_pod(
        name,
        containers=shape,
        affinity=draw(strategies.sampled_from([{}, {}, {}, far])),
        annotations=notes,
        **draw(strategies.sampled_from([{}, {}, builders.GUEST, {"scheduler": "default-scheduler"}])),
        node=draw(strategies.sampled_from(["", "", "", "w1", "w4"])),
        phase=draw(strategies.sampled_from(["Pending", "Pending", "Running", "Failed"])),
        deleted=draw(strategies.booleans()) and draw(strategies.booleans()),
        priority=draw(strategies.integers(0, 1)),
        owner=draw(strategies.sampled_from(["", "rs"])),
        selector=draw(strategies.sampled_from([{}, {}, {names.HOSTNAME_LABEL: "w2"}])),
        grant=draw(strategies.sampled_from([None, {"node": "w1", "containers": {"app": "0"}}])),
    )


@strategies.composite
def _members(draw: strategies.DrawFn, name: str) -> dict[str, Any]:
    book = ledger.Ledger(CORES)
    held = []
    for _ in range(draw(strategies.integers(0, 5))):
        first, count = draw(strategies.integers(0, CORES - 1)), draw(strategies.sampled_from([1, 2, 3, 6]))
        pod, container = f"p{draw(strategies.integers(0, 9))}", draw(strategies.sampled_from(["app", "app", "b"]))
        if first + count > CORES:
            continue
        cores = f"{first}-{first + count - 1}"
        if draw(strategies.booleans()):
            held.append(builders.held(cores, pod, container=container, uid=draw(strategies.sampled_from([None, ""]))))
        entry = domain.grant(cores, pod, container=container, state=draw(STATES), since=snapshots.ago(draw(AGES)))
        try:
            book = ledger.Ledger(CORES, (*book.grants, entry))
        except errors.LedgerError:
            continue
    return builders.make_neuron_node(
        name,
        book.grants,
        instance_type=INSTANCE_TYPE,
        held=held,
        released=draw(strategies.lists(strategies.sampled_from([f"uid-p{index}" for index in range(10)]), max_size=3)),
        unhealthy=draw(strategies.sets(strategies.integers(0, CORES - 1), max_size=2)),
        registered=draw(strategies.sampled_from([True, True, True, False])),
    )


@strategies.composite
def _snapshots(draw: strategies.DrawFn) -> plans.Snapshot:
    nodes = [
        builders.make_node(
            name,
            cores=CORES,
            devices=6,
            cpu="48",
            cordoned=draw(strategies.sampled_from([False, False, True])),
            ready=draw(strategies.sampled_from([True, True, False])),
        )
        for name in NODES[: draw(strategies.integers(0, 3))]
    ]
    members = [draw(_members(name)) for name in NODES[: draw(strategies.integers(0, 3))]]
    pods = [draw(_pods(index)) for index in range(draw(strategies.integers(0, 8)))]
    packing = draw(strategies.sampled_from(placement.Packing))
    return snapshots.snapshot(pods, nodes, members, pools.Policy(packing))


@hypothesis.given(_snapshots())
@hypothesis.settings(deadline=None, max_examples=300)
def test_new_grants_are_what_was_asked_for_on_cores_that_nobody_has(snapshot: plans.Snapshot) -> None:
    plan = planner.plan(snapshot, snapshots.NOW)
    for write in plan.ledgers:
        view = snapshot.neuron_nodes[write.node]
        assert view.ledger is not None
        assert write.resource_version == view.resource_version
        assert write.why
        old = {grant.key for grant in view.ledger.grants}
        for grant in write.ledger.grants:
            if grant.key in old or grant.state is not grants.GrantState.GRANTED:
                continue
            pod = snapshot.pods[grant.pod_uid]
            assert pod.unplaced
            assert pod.uid not in view.released
            (request,) = [each for each in pod.requests if each.container == grant.container]
            assert view.hardware is not None
            assert grant.span.count == request.cores_on(view.hardware)
            assert request.first in {None, grant.span.first}
            assert not any(grant.span.overlaps(each.span) for each in view.unhealthy)
            assert not any(grant.span.overlaps(held.span) for held in view.held)
            assert not any(grant.span.overlaps(span) for span in _kept(view.ledger, write.ledger))


def _kept(before: ledger.Ledger, after: ledger.Ledger) -> list[spans.CoreSpan]:
    """Return the cores of the grants that are where they were."""
    return [grant.span for grant in after.grants if (grant.key, grant.span) in {(g.key, g.span) for g in before.grants}]


@hypothesis.given(_snapshots())
@hypothesis.settings(deadline=None, max_examples=300)
def test_new_grants_are_where_no_filter_objects(snapshot: plans.Snapshot) -> None:
    plan = planner.plan(snapshot, snapshots.NOW)
    books = {name: view.ledger for name, view in snapshot.neuron_nodes.items()}
    books |= {write.node: write.ledger for write in plan.ledgers}
    cluster = cluster_state.Cluster(snapshot.nodes.values(), snapshot.namespaces, snapshot.storage)
    for pod in snapshot.pods.values():
        if pod.node_name and not pod.terminal:
            cluster.add(pod, pod.node_name)
    new = []
    for name, book in books.items():
        stored = snapshot.neuron_nodes[name].ledger
        if book is None or stored is None:
            continue
        for grant in book.grants:
            granted = snapshot.pods.get(grant.pod_uid)
            if granted is None or not granted.waits or grant.state is grants.GrantState.RELEASING:
                continue
            cluster.add(granted, name)
            if not stored.of_pod(granted.uid):
                new.append((granted, name))
    for pod, name in new:
        cluster.remove(pod, name)
        assert screening.Screen(pod, cluster).objection(cluster.nodes[name]) is None
        cluster.add(pod, name)


@hypothesis.given(_snapshots())
@hypothesis.settings(deadline=None, max_examples=300)
def test_every_unplaced_pod_goes_or_has_a_reason_to_wait(snapshot: plans.Snapshot) -> None:
    plan = planner.plan(snapshot, snapshots.NOW)
    going = collections.Counter(each.pod.uid for each in plan.departures)
    assert set(going.values()) <= {1}
    for uid, pod in snapshot.pods.items():
        assert (uid in going) + (uid in plan.waiting) == pod.waits
        if uid in plan.waiting:
            assert plan.waiting[uid].message


@hypothesis.given(_snapshots())
@hypothesis.settings(deadline=None, max_examples=300)
def test_pods_go_only_where_the_ledger_has_their_cores(snapshot: plans.Snapshot) -> None:
    plan = planner.plan(snapshot, snapshots.NOW)
    written = {write.node: write.ledger for write in plan.ledgers}
    for departure in plan.departures:
        assert isinstance(departure, plans.Ungate) == departure.pod.gated
        book = written.get(departure.node) or snapshot.neuron_nodes[departure.node].ledger
        assert book is not None
        # what is being released of it belongs to a container that asks for nothing: it stays taken, and is not told
        stored = [grant for grant in book.of_pod(departure.pod.uid) if grant.state is not grants.GrantState.RELEASING]
        assert {grant.container: grant.span for grant in stored} == departure.spans
        assert {grant.container for grant in stored} == {request.container for request in departure.pod.requests}
        assert {grant.state for grant in stored} == {grants.GrantState.GRANTED}
        node = snapshot.nodes[departure.node]
        assert node.ready
        assert not node.unschedulable


@hypothesis.given(_snapshots(), strategies.randoms(use_true_random=False))
@hypothesis.settings(deadline=None, max_examples=150)
def test_plan_depends_on_the_snapshot_alone(snapshot: plans.Snapshot, shuffler: random.Random) -> None:
    def shuffled(items: Any) -> Any:
        pairs = list(items.items())
        shuffler.shuffle(pairs)
        return dict(pairs)

    same = dataclasses.replace(
        snapshot,
        pods=shuffled(snapshot.pods),
        nodes=shuffled(snapshot.nodes),
        neuron_nodes=shuffled(snapshot.neuron_nodes),
    )
    assert planner.plan(same, snapshots.NOW) == planner.plan(snapshot, snapshots.NOW)


@hypothesis.given(_snapshots())
@hypothesis.settings(deadline=None, max_examples=300)
def test_plans_after_a_stored_one_undo_nothing_and_come_to_rest(snapshot: plans.Snapshot) -> None:
    members = dict(snapshot.neuron_nodes)
    for passed in range(MOST_PASSES):
        plan = planner.plan(dataclasses.replace(snapshot, neuron_nodes=members), snapshots.NOW)
        if not plan.ledgers:
            return
        for write in plan.ledgers:
            if passed:
                _assert_goes_on(members[write.node], write)
            members[write.node] = dataclasses.replace(members[write.node], ledger=write.ledger)
    pytest.fail(f"pass {MOST_PASSES} still writes: {[write.why for write in plan.ledgers]}")


def _assert_goes_on(view: neuron_nodes.NeuronNodeView, write: plans.LedgerWrite) -> None:
    """Grants of before stay as they are, but for those that end, by a proof, and what their cores were needed for."""
    assert view.ledger is not None
    before = {grant.key: grant for grant in view.ledger.grants}
    after = {grant.key: grant for grant in write.ledger.grants}
    gone = before.keys() - after.keys()
    # what was released in an earlier pass may find its proof only now that it is stored
    assert {uid for uid, _ in gone} <= view.released, write.why
    assert gone or [after[key] for key in before] == list(before.values()), write.why
    assert gone or after.keys() - before.keys(), write.why
