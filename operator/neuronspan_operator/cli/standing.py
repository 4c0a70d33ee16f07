"""Says where a pod stands: which cores it has, or why it has none. Pure.

Law: only what the cluster's objects show is said. That the operator runs, or holds a pod back after failures, is in
none of the objects that are read, so nothing is promised in its name.
"""

import datetime as dt
from collections.abc import Iterator

from neuronspan import names
from neuronspan_operator.objects import pods
from neuronspan_operator.planning import planner, plans


def of(snapshot: plans.Snapshot, pod: pods.PodView, now: dt.datetime) -> str:
    """Return in words where a pod of the snapshot stands at that moment (timezone-aware)."""
    return f"pod {pod.key} {_predicate(snapshot, pod, now)}"


def _predicate(snapshot: plans.Snapshot, pod: pods.PodView, now: dt.datetime) -> str:
    granted = list(_granted(snapshot, pod))
    if granted:
        return "; ".join([f"is {_phase(pod)}", *granted, *_what_keeps_it(snapshot, pod, now)])
    if not (pod.requests or pod.problems or pod.unplaced):
        return "asks for no NeuronCores"
    if pod.terminal:
        return f"has {pod.phase.lower()} and gets no NeuronCores: create it again to run it again"
    if pod.deleted:
        return "is being deleted and gets no NeuronCores"
    if not pod.unplaced:
        return _beyond_us(pod)
    return _before_us(snapshot, pod, now)


def _phase(pod: pods.PodView) -> str:
    return f"{pod.phase}, being deleted" if pod.deleted else pod.phase


def _granted(snapshot: plans.Snapshot, pod: pods.PodView) -> Iterator[str]:
    for view in snapshot.neuron_nodes.values():
        for grant in () if view.ledger is None else view.ledger.of_pod(pod.uid):
            where = f"cores {grant.span} of node {view.name}"
            yield f"container {grant.container}: {where} ({grant.state} since {grant.since})"


def _what_keeps_it(snapshot: plans.Snapshot, pod: pods.PodView, now: dt.datetime) -> Iterator[str]:
    """Yield why a pod that has grants does not go to its node."""
    waiting = planner.plan(snapshot, now).waiting.get(pod.uid)
    if waiting is not None:
        yield f"it waits ({waiting.reason}): {waiting.message}"


def _beyond_us(pod: pods.PodView) -> str:
    if pod.problems:
        return f"can get no cores: {'; '.join(pod.problems)}"
    if pod.node_name:
        return (
            f"is {pod.phase} on node {pod.node_name} without a grant: the operator enters its cores into the ledger "
            "when the node's device plugin reports that a container holds them"
        )
    if pod.grant_annotation is not None:
        return (
            f"has the grant annotation {pod.grant_annotation} and no ledger has cores of it: if that stays so, delete "
            "it and create it again"
        )
    words = "" if pod.unscheduled is None else f" Its scheduler says: {pod.unscheduled.message}"
    return (
        f"has scheduler {pod.scheduler_name or 'default-scheduler'} and no gate {names.SCHEDULING_GATE}, so the "
        "operator grants it nothing: it was created before neuronspan was installed, or the admission policies did "
        f"not see it. Create it again to have cores granted to it.{words}"
    )


def _before_us(snapshot: plans.Snapshot, pod: pods.PodView, now: dt.datetime) -> str:
    plan = planner.plan(snapshot, now)
    waiting = plan.waiting.get(pod.uid)
    if waiting is not None:
        return f"waits ({waiting.reason}): {waiting.message}"
    # nothing in the snapshot keeps it: every unplaced pod that is not explained has been granted in the plan
    departure = next(each for each in plan.departures if each.pod.uid == pod.uid)
    room = ", ".join(f"cores {span} for container {container}" for container, span in sorted(departure.spans.items()))
    return (
        f"has no cores yet, and nothing in the cluster's ledgers keeps it: node {departure.node} has room now "
        f"({room}). {_who_may_keep_it(snapshot, pod)}"
    )


def _who_may_keep_it(snapshot: plans.Snapshot, pod: pods.PodView) -> str:
    operator = "If it keeps waiting, look whether the operator runs and what it says in the pod's Events"
    failed = [other.name for other in snapshot.pods.values() if _is_failed_sibling(other, pod)]
    if not failed or pod.owner is None:
        return f"{operator}."
    return (
        f"{operator}: it may hold the pod back for a while (BackOff), because pods of {pod.owner.kind} "
        f"{pod.owner.name} have failed: {plans.listed(sorted(failed))}."
    )


def _is_failed_sibling(other: pods.PodView, pod: pods.PodView) -> bool:
    return (other.namespace, other.owner, other.phase) == (pod.namespace, pod.owner, "Failed")
