"""From what became otherwise to which nodes and pods have to be decided about anew. Pure.

Law: whatever a decision was made from leads from its change back to it, through an index and never through a search.
"""

import dataclasses
import operator
from typing import Final

from neuronspan_operator.objects import pods
from neuronspan_operator.planning import facts
from neuronspan_operator.planning.drafting import drafts, parts

_MEANING: Final = operator.attrgetter(
    *(field.name for field in dataclasses.fields(pods.PodView) if field.name not in {"resource_version", "phase"})
)
"""Everything about a pod on its node that anything is decided from; of its phase only whether it has ended is."""


@dataclasses.dataclass(slots=True)
class Work:
    """The nodes, by name, and the pods, by UID, to decide about in this pass."""

    nodes: set[str] = dataclasses.field(default_factory=set)
    pods: set[str] = dataclasses.field(default_factory=set)


def absorb(draft: drafts.Draft, touched: facts.Touched) -> Work:
    """Bring the draft's indices and its cluster up to date, and return what follows from that."""
    work = Work(nodes=set(draft.table.unsettled))
    for kind, name in draft.parts.due(draft.now):
        if kind is parts.Kind.NODE:
            work.nodes.add(name)
        elif kind is parts.Kind.POD:
            work.pods.add(name)
    if touched.namespaces:
        draft.cluster.know(draft.snapshot.namespaces)
    renamed = _absorb_nodes(draft, touched, work)
    if _absorb_neuron_nodes(draft, touched, work) or renamed:
        _absorb_host_names(draft, work)
    work.nodes |= touched.policies
    for uid in touched.gone:
        work.nodes |= draft.indices.mentions.of(uid)
    work.pods |= touched.avoided
    _absorb_pods(draft, touched, work)
    return work


def _absorb_nodes(draft: drafts.Draft, touched: facts.Touched, work: Work) -> bool:
    """Return whether nodes have other host names than before."""
    renamed = False
    for name, (before, after) in touched.nodes.items():
        work.nodes.add(name)
        renamed |= draft.indices.replace_node(name, before, after)
        if after is None:
            draft.cluster.drop_node(name)
        else:
            draft.cluster.put_node(after)
    return renamed


def _absorb_host_names(draft: drafts.Draft, work: Work) -> None:
    """Take it that other names of hosts are known than before: a guest is at home where its host name says."""
    for uid in draft.indices.let_go:
        work.pods.add(uid)
        work.nodes |= draft.indices.mentions.of(uid)


def _absorb_neuron_nodes(draft: drafts.Draft, touched: facts.Touched, work: Work) -> bool:
    """Return whether NeuronNodes of other names are there than before."""
    renamed = False
    for name, (before, after) in touched.neuron_nodes.items():
        work.nodes.add(name)
        work.pods |= draft.indices.replace_neuron_node(name, before, after)
        renamed |= before is None or after is None
    return renamed


def _absorb_pods(draft: drafts.Draft, touched: facts.Touched, work: Work) -> None:
    groups: set[tuple[str, str]] = set()
    for uid, (before, after) in touched.pods.items():
        if before is not None and after is not None and _is_the_same(draft, before, after):
            draft.indices.replace_pod(uid, before, after)
            draft.cluster.replace(after, after.node_name)
            continue
        _count(draft, uid, before, after)
        work.nodes |= draft.indices.mentions.of(uid)
        for pod in (before, after):
            if pod is not None:
                _concern(pod, work, groups)
        if (parts.Kind.POD, uid) in draft.parts or _has_cores(draft, uid, after):
            work.pods.add(uid)
    for key in groups:
        members = draft.indices.groups.of(key)
        draft.groups.renew(key, (draft.snapshot.pods[uid] for uid in members))
        work.pods |= members


def _count(draft: drafts.Draft, uid: str, before: pods.PodView | None, after: pods.PodView | None) -> None:
    """Count a pod on the node that it is on, and promised to none until that is found out."""
    draft.indices.replace_pod(uid, before, after)
    if after is not None and not after.terminal and draft.promises.fulfil(after, after.node_name):
        draft.journal.note(after.node_name)  # it may be ended for others now
        return
    draft.promises.break_all(uid)
    if before is not None and before.node_name:
        draft.cluster.remove(before, before.node_name)
    if after is not None and after.node_name and not after.terminal:
        draft.cluster.add(after, after.node_name)


def _concern(pod: pods.PodView, work: Work, groups: set[tuple[str, str]]) -> None:
    """Add what such a pod concerns: itself, if it asks or waits, its node, and its group."""
    if pod.requests or pod.waits:
        work.pods.add(pod.uid)
    if pod.requests and pod.node_name:
        work.nodes.add(pod.node_name)
    if pod.pod_group:
        groups.add((pod.namespace, pod.pod_group))


def _has_cores(draft: drafts.Draft, uid: str, pod: pods.PodView | None) -> bool:
    """Whether the pod has a grant, or says so: it may have to be sent back, whatever it asks for now."""
    return uid in draft.indices.holders or (pod is not None and pod.grant_annotation is not None)


def _is_the_same(draft: drafts.Draft, before: pods.PodView, after: pods.PodView) -> bool:
    """Whether nothing was or would be decided otherwise: on its node a pod changes often without meaning anything."""
    if not after.node_name or (parts.Kind.POD, after.uid) in draft.parts:
        return False
    if any((parts.Kind.NODE, name) in draft.parts for name in _deciding(draft, after)):
        return False
    if before.terminal is not after.terminal:
        return False
    return _MEANING(before) == _MEANING(after)


def _deciding(draft: drafts.Draft, pod: pods.PodView) -> set[str]:
    """Return the nodes whose decisions may be about a pod that is on a node."""
    named = set(draft.indices.mentions.of(pod.uid))
    return named | {pod.node_name} if pod.requests else named
