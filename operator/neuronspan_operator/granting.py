"""Sixth stage: gated pods without cores get a node and spans, in order of priority, creation time and UID.

Law: all containers of a pod on one node; all pods of a group that still need cores at once, or none of them.
"""

import collections
from collections.abc import Iterable, Mapping

from neuronspan import grants
from neuronspan_operator import drafts, groups, node_choice, node_drafts, plans, pods


def run(
    draft: drafts.Draft, pod_groups: Mapping[groups.Key, groups.Group], placements: node_choice.Placements
) -> list[pods.PodView]:
    """Grant what fits; gives the pods that found no place."""
    choice = node_choice.NodeChoice(draft, placements)
    going = {ungate.pod.uid for ungate in draft.ungates}
    candidates = [
        pod
        for uid, pod in draft.snapshot.pods.items()
        if pod.gated and not (pod.deleted or pod.terminal or uid in draft.waiting or uid in going)
    ]
    unserved: list[pods.PodView] = []
    for pod_group, unit in _units(candidates, pod_groups):
        if pod_group is not None:
            unserved += _grant_together(draft, choice, unit, pod_group)
        elif not _grant(draft, choice, unit[0]):
            unserved += unit
        else:
            node = draft.nodes[draft.placed[unit[0].uid]]
            draft.let_go(unit[0], node, node.grants_of(unit[0].uid))
    return unserved


def _rank(pod: pods.PodView) -> tuple[int, str, str]:
    return -pod.priority, pod.created, pod.uid


def _units(
    candidates: Iterable[pods.PodView], pod_groups: Mapping[groups.Key, groups.Group]
) -> list[tuple[groups.Group | None, list[pods.PodView]]]:
    """Give what is granted together, in order; a group stands where its first member does."""
    members: dict[groups.Key, list[pods.PodView]] = collections.defaultdict(list)
    units: list[tuple[groups.Group | None, list[pods.PodView]]] = []
    for pod in sorted(candidates, key=_rank):
        group = pod_groups.get((pod.namespace, pod.pod_group)) if pod.pod_group else None
        if group is None or group.complete:  # a group that is served once has its later members served one by one
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
    before: dict[str, node_drafts.Checkpoint] | None = None,
) -> bool:
    """Grant one pod if it fits anywhere; ``before`` collects what undoes it."""
    found = choice.best(pod, draft.shunned(pod.uid))
    if found is None:
        return False
    node, changed = found.node, found.node.ledger
    if before is not None:
        before.setdefault(node.name, node.checkpoint())
    for request, span in zip(pod.requests, found.spans, strict=True):
        changed = changed.add(
            grants.Grant(
                pod_uid=pod.uid,
                namespace=pod.namespace,
                pod=pod.name,
                container=request.container,
                span=span,
                resource=request.resource,
                env=request.env,
                state=grants.GrantState.GRANTED,
                since=draft.since,
                group_sizes=request.group_sizes,
                init_containers=request.init_containers,
            )
        )
    given = drafts.listed(f"{each.container} {span}" for each, span in zip(pod.requests, found.spans, strict=True))
    node.change(changed, f"{pod.key} is granted {given}")
    node.promise(pod)
    choice.changed(node)
    draft.placed[pod.uid] = node.name
    return True


def _grant_together(
    draft: drafts.Draft, choice: node_choice.NodeChoice, unit: list[pods.PodView], group: groups.Group
) -> list[pods.PodView]:
    """Grant all that the group still needs, or nothing; nobody leaves the gate before all grants are stored."""
    needed = unit[: group.size - group.served]
    if group.served + len(unit) < group.size:
        _wait_for_members(draft, unit, group)
        _take_back(draft, group)
        return []
    before: dict[str, node_drafts.Checkpoint] = {}
    # the hardest first: what is left over is then easier to use
    for pod in sorted(needed, key=lambda pod: (-pod.neuroncores, -pod.neuron_devices, *_rank(pod))):
        if _grant(draft, choice, pod, before):
            continue
        for name, checkpoint in before.items():
            draft.nodes[name].restore(checkpoint)
        choice.forget()
        _take_back(draft, group)
        return unit
    for pod in unit:
        message = f"{group}: the others are written down first, then all of them start."
        draft.waiting[pod.uid] = plans.Waiting("PodGroup", message)
    return []


def _wait_for_members(draft: drafts.Draft, unit: list[pods.PodView], group: groups.Group) -> None:
    for pod in unit:
        message = f"{group}: create the missing pods with the same annotation, or make pod-group-size smaller."
        draft.waiting[pod.uid] = plans.Waiting("PodGroup", message)


def _take_back(draft: drafts.Draft, group: groups.Group) -> None:
    """Let nobody of a group that cannot be served now keep cores; once one has started, the group was served."""
    if group.started:
        return
    for uid in sorted(group.granted & draft.resumable.keys()):
        why = f"Its grant is being taken back: {group}, and the others do not fit now."
        draft.revoke(draft.snapshot.pods[uid], [draft.resumable[uid]], why)
