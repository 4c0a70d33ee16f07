"""Preemption against brute force, and the bound on how long a large pod waits under endless small ones."""

import datetime as dt
import itertools
import re
from collections.abc import Sequence
from typing import Any

import hypothesis
from hypothesis import strategies

from kits.manifests import builders, domain, snapshots
from kits.planning import endless, kept_drafts
from neuronspan import grants, placement
from neuronspan.fitting import places
from neuronspan_operator.objects import budgets, pods
from neuronspan_operator.planning import planner, plans
from neuronspan_operator.planning.preemption import allowances, trials, victims

CORES = 12
PRIORITY = 5
APPS = ("a", "b", "c")
SHAPES: tuple[list[dict[str, Any]], ...] = (
    *([builders.container(cores=cores)] for cores in (2, 5, 8, 12)),
    *([builders.container(devices=devices)] for devices in (1, 2, 4)),
    [builders.container("a", cores=4), builders.container("b", cores=3)],
    [builders.container("a", devices=1), builders.container("b", cores=5)],
)


@strategies.composite
def _held(draw: strategies.DrawFn) -> tuple[list[dict[str, Any]], list[grants.Grant]]:
    """Return pods that run on one node, one after the other with gaps, and their grants."""
    running: list[dict[str, Any]] = []
    entries: list[grants.Grant] = []
    first = draw(strategies.integers(0, 2))
    while first < CORES:
        count = min(draw(strategies.integers(1, 4)), CORES - first)
        name = f"p{len(running)}"
        priority, app = draw(strategies.integers(0, 6)), draw(strategies.sampled_from(APPS))
        running.append(
            builders.make_pod(
                name,
                cores=count,
                node="w1",
                phase="Running",
                priority=priority,
                labels={"app": app},
                deleted=draw(strategies.sampled_from([False] * 9 + [True])),
            )
        )
        entries.append(domain.grant(f"{first}-{first + count - 1}", name, state=grants.GrantState.CONFIRMED))
        first += count + draw(strategies.integers(0, 1))
    return running, entries


_PLACE = re.compile(r"It gets NeuronCores (?P<cores>[-0-9, ]+) of w1 ")
_ALLOWED = strategies.fixed_dictionaries({app: strategies.integers(0, 3) for app in APPS})


def _snapshot(running: Sequence[Any], entries: Sequence[grants.Grant], waiting: Sequence[Any], **fields: Any) -> Any:
    node = builders.make_node("w1", cores=CORES, devices=CORES // 2)
    member = builders.make_neuron_node("w1", entries, instance_type=builders.SMALL)
    return snapshots.snapshot([*running, *waiting], [node], [member], **fields)


def _budgets(allowed: dict[str, int]) -> list[budgets.Budget]:
    made = (builders.make_budget(app, allowed=count, labels={"app": app}) for app, count in allowed.items())
    return [budgets.read(each) for each in made]


def _brute_force(
    trial: trials.Trial, able: Sequence[pods.PodView], entries: Sequence[grants.Grant], allowed: dict[str, int]
) -> tuple[int, int, int, int] | None:
    """Try every set of pods: those that end, with all that is ending, must leave room for the pod's cores."""
    best = None
    for size in range(1, len(able) + 1):
        for some in itertools.combinations(able, size):
            uids = {each.uid for each in some} | trial.ending
            left = [entry.span for entry in entries if entry.pod_uid not in uids]
            hardware, packing = trial.node.hardware, trial.node.policy.packing
            if isinstance(places.place_all(hardware, left, trial.requests, packing), placement.Unplaceable):
                continue
            if any(sum(each.labels["app"] == app for each in some) > count for app, count in allowed.items()):
                continue
            priorities = [each.priority for each in some]
            cores = sum(entry.span.count for entry in entries if entry.pod_uid in uids - trial.ending)
            cost = max(priorities), size, sum(priorities), cores
            best = cost if best is None else min(best, cost)
    return best


@hypothesis.given(_held(), strategies.sampled_from(SHAPES), _ALLOWED)
@hypothesis.settings(max_examples=400)
def test_victims_are_the_best_of_all_sets(
    held: tuple[list[dict[str, Any]], list[grants.Grant]], shape: list[dict[str, Any]], allowed: dict[str, int]
) -> None:
    running, entries = held
    snapshot = _snapshot(running, entries, [builders.make_pod("big", containers=shape, priority=PRIORITY)])
    draft = kept_drafts.make_draft(snapshot)
    pod = snapshot.pods["uid-big"]
    trial = trials.Question(draft, pod).trial("w1")
    assert trial is not None
    hypothesis.assume(trial.fits() is None)
    able = [each for each in snapshot.pods.values() if each.node_name and not each.deleted and each.priority < PRIORITY]
    hypothesis.assume(len(able) <= 8)
    found = victims.best(trial, pod, allowances.Allowance(_budgets(allowed)), ())
    expected = _brute_force(trial, able, entries, allowed)
    assert (None if found is None else found.cost) == expected


@hypothesis.given(
    _held(),
    strategies.lists(strategies.tuples(strategies.sampled_from(SHAPES), strategies.integers(0, 7)), max_size=4),
    _ALLOWED,
)
@hypothesis.settings(max_examples=300)
def test_plan_ends_pods_only_where_that_helps_and_is_allowed(
    held: tuple[list[dict[str, Any]], list[grants.Grant]],
    waiting: list[tuple[list[dict[str, Any]], int]],
    allowed: dict[str, int],
) -> None:
    running, entries = held
    waiters = [
        builders.make_pod(f"w{index}", containers=shape, priority=priority)
        for index, (shape, priority) in enumerate(waiting)
    ]
    known = {each.key: each for each in _budgets(allowed)}
    snapshot = _snapshot(running, entries, waiters, budgets=known)
    plan = planner.plan(snapshot, snapshots.NOW)
    _check_budgets(plan, allowed)
    _check_room(snapshot, plan)


def _check_budgets(plan: plans.Plan, allowed: dict[str, int]) -> None:
    for app, count in allowed.items():
        assert sum(each.pod.labels["app"] == app for each in plan.evictions) <= count


def _check_room(snapshot: plans.Snapshot, plan: plans.Plan) -> None:
    """Who ends is less important than somebody who waits for it, and all who wait so fit together then."""
    preemptors = [snapshot.pods[uid] for uid, why in plan.waiting.items() if why.reason == "Preempting"]
    for each in plan.evictions:
        assert any(each.pod.priority < pod.priority and pod.key in each.reason for pod in preemptors)
    ended = {each.pod.uid for each in plan.evictions} | {pod.uid for pod in snapshot.pods.values() if pod.deleted}
    after = {uid: pod for uid, pod in snapshot.pods.items() if uid not in ended}
    view = snapshot.neuron_nodes["w1"]
    assert view.ledger is not None
    assert view.hardware is not None
    stored = next((write.ledger for write in plan.ledgers), view.ledger)
    taken = [grant.span for grant in stored.grants if grant.pod_uid in after]
    for pod in preemptors:
        found = _PLACE.match(plan.waiting[pod.uid].message)
        assert found is not None
        mine = [domain.span(each) for each in found["cores"].split(", ")]
        wanted = sorted(request.cores_on(view.hardware) for request in pod.requests)
        assert sorted(map(len, mine)) == wanted
        assert not any(span.overlaps(other) for span in mine for other in taken), f"{pod.key} has no room"
        taken += mine


@hypothesis.given(strategies.integers(0, 2**32 - 1), strategies.sampled_from([2, 4, 6, 12]))
@hypothesis.settings(max_examples=25)
def test_large_pod_under_endless_small_ones_starts_within_the_bound(seed: int, cores: int) -> None:
    world = endless.World(seed, large=cores)
    bound = dt.timedelta(seconds=endless.STARVATION + endless.LONGEST + endless.PROOF)
    assert world.run_until_started() - world.asked <= bound
