"""Pods without cores get a node and spans, in order of priority, creation time and UID.

Law: all containers of a pod on one node; all pods of a group that still need cores at once, or none of them.
"""

import collections

from neuronspan_operator import reasons
from neuronspan_operator.objects import pods
from neuronspan_operator.planning import drafts, groups, kept, node_choice, node_drafts, plans
from neuronspan_operator.planning.preemption import keeping


def run(draft: drafts.Draft) -> None:
    """Grant what fits; who finds no place is unserved."""
    draft.count_promises()
    choice = node_choice.NodeChoice(draft)
    keeper = keeping.Keeper(draft)
    for group, unit in _units(draft):
        if group is not None:
            draft.unserved += _grant_together(draft, choice, unit, group)
            continue
        (pod,) = unit
        node = _grant(draft, choice, pod)
        if node is None:
            draft.unserved.append(pod)
            keeper.keep(pod)
        else:
            draft.send(pod, node, node.grants_of(pod.uid))


def _units(draft: drafts.Draft) -> list[tuple[groups.Group | None, list[pods.PodView]]]:
    """Return what is granted together, in order; a group stands where its first member does."""
    members: dict[groups.Key, list[pods.PodView]] = collections.defaultdict(list)
    units: list[tuple[groups.Group | None, list[pods.PodView]]] = []
    for pod in sorted(draft.undecided(), key=kept.rank):
        group = draft.group_of(pod)
        if group is None or group.complete or group.was_served(pod):
            units.append((None, [pod]))
            continue
        unit = members[pod.namespace, pod.pod_group]
        if not unit:
            units.append((group, unit))
        unit.append(pod)
    return units


def _grant(
    draft: drafts.Draft,
    choice: node_choice.NodeChoice,
    pod: pods.PodView,
    before: dict[str, node_drafts.Savepoint] | None = None,
) -> node_drafts.NodeDraft | None:
    """Grant one pod if it fits anywhere, and return its node; ``before`` collects what undoes it."""
    found = choice.best(pod, draft.excluded(pod.uid))
    if found is None:
        return None
    node, changed = found.node, found.node.ledger
    if before is not None:
        before.setdefault(node.name, node.savepoint())
    since = draft.since_of(pod)
    for request, span in zip(pod.requests, found.spans, strict=True):
        changed = changed.add(request.granted(pod, span, since))
    given = plans.listed(f"{each.container} {span}" for each, span in zip(pod.requests, found.spans, strict=True))
    node.change(changed, f"{pod.key} is granted {given}")
    draft.cluster.add(pod, node.name)
    choice.changed(node)
    return node


def _grant_together(
    draft: drafts.Draft, choice: node_choice.NodeChoice, unit: list[pods.PodView], group: groups.Group
) -> list[pods.PodView]:
    """Grant all that the group still needs, or nothing; no pod is let go before all grants are stored."""
    needed = unit[: group.size - group.served]
    if group.served + len(unit) < group.size:
        _wait_for_members(draft, unit, group)
        _take_back(draft, group)
        return []
    before: dict[str, node_drafts.Savepoint] = {}
    stored = draft.cluster.storage
    # the hardest first: what is left over is then easier to use
    for pod in sorted(needed, key=lambda pod: (-pod.neuroncores, -pod.neuron_devices, *kept.rank(pod))):
        node = _grant(draft, choice, pod, before)
        if node is not None:
            draft.reserve_volumes(pod, node)  # one that stands alone is sent at once, which does it
            continue
        for name, savepoint in before.items():
            draft.nodes[name].restore(savepoint)
            for granted in needed:
                draft.cluster.remove(granted, name)
        draft.cluster.assume(stored)
        choice.forget()
        _take_back(draft, group)
        return unit
    for pod in unit:
        message = f"{group}: the others are written down first, then all of them start."
        draft.waiting[pod.uid] = plans.Waiting(reasons.WaitingReason.POD_GROUP, message, passing=True)
    return []


def _wait_for_members(draft: drafts.Draft, unit: list[pods.PodView], group: groups.Group) -> None:
    way_out = "create the missing pods with the same annotation, or make pod-group-size smaller"
    if group.present >= group.size:
        way_out = "the others cannot be considered now; their own conditions and Events say why"
    for pod in unit:
        message = f"{group}: {way_out}."
        draft.waiting[pod.uid] = plans.Waiting(reasons.WaitingReason.POD_GROUP, message)


def _take_back(draft: drafts.Draft, group: groups.Group) -> None:
    """Take the cores back from a group that cannot be served now; once one pod has started, the group was served."""
    if group.started:
        return
    for uid in sorted(group.granted & draft.resumable):
        pod = draft.snapshot.pods[uid]
        why = f"Its grant is being taken back: {group}, and the others do not fit now."
        draft.revoke(pod, (grant for _, granted in draft.granted_on(pod) for grant in granted), why)
