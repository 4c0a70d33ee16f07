"""Says why a pod has no cores, from verdicts that are kept from one answer to the next.

Law: no pod that waits for us is left without a sentence. It counts the nodes of the whole cluster per reason, as
kube-scheduler's does and in its words, and our own reasons beside them.
"""

import collections
import dataclasses
from collections.abc import Callable, Collection

from neuronspan_operator import reasons
from neuronspan_operator.objects import pods
from neuronspan_operator.planning import plans
from neuronspan_operator.planning.drafting import drafts, kept, placements
from neuronspan_operator.planning.explanations import longest_runs, remedies, standings, verdicts, ways_out
from neuronspan_operator.scheduling import screening

_LISTED = 5
_AILING_SHOWN = 3
"""Runs of unhealthy cores in one sentence: each may come with 256 characters of reason."""
MOST_VERDICTS = 256
MOST_ANSWERS = 500_000
"""Of single nodes, in all verdicts: about 70 bytes each."""
_RESOURCES = reasons.ObjectionKind.RESOURCES
_Hurdle = standings.Hurdle


@dataclasses.dataclass(slots=True)
class _Kept:
    """What is kept for all pods of one shape."""

    verdict: verdicts.Verdict
    judge: standings.Judge
    position: int  # of the journal: what the verdict knows of


@dataclasses.dataclass(frozen=True, slots=True)
class _Later:
    """Why not even the nodes that have the cores free would do."""

    counts: collections.Counter[str]
    kinds: Collection[reasons.ObjectionKind]


class Explainer:
    """Explains pods that found no place; it is kept as long as the draft, and renews what the draft's journal names."""

    def __init__(self, draft: drafts.Draft) -> None:
        self._draft = draft
        self._kept: collections.OrderedDict[placements.Shape, _Kept] = collections.OrderedDict()  # used last, last
        self._runs = longest_runs.LongestRuns()
        self._neuron_hosts: set[str] = set()  # nodes that are there and have a ledger
        self._position = -1
        self.looks = 0  # at single nodes, so far: what explaining costs

    def explain(self, pod: pods.PodView) -> plans.Waiting:
        """Return why the pod waits: one answer for all of equal shape, surroundings, excluded nodes and group."""
        self._catch_up()
        answer = self._answer(pod)
        group = self._draft.group_of(pod)
        if group is not None and not group.complete:
            return plans.Waiting(answer.reason, f"{answer.message} All of a group must fit at once: {group}.")
        return answer

    # --- what is kept --------------------------------------------------------------------------------------------

    def _catch_up(self) -> None:
        """Renew what is kept of nodes for all verdicts."""
        journal = self._draft.journal
        changed: Collection[str] | None = None if self._position < 0 else journal.since(self._position)
        if changed is None:
            self._kept.clear()
            self._runs.clear()
            self._neuron_hosts.clear()
            changed = self._draft.nodes.keys()
        for name in changed:
            self._runs.forget(name)
            node = self._draft.nodes.get(name)
            if node is not None and node.host is not None:
                self._neuron_hosts.add(name)
            else:
                self._neuron_hosts.discard(name)
        self._position = journal.position

    def _verdict(self, pod: pods.PodView, screen: screening.Screen) -> verdicts.Verdict:
        """Return how the nodes stand now for pods of this shape."""
        shape = placements.shape(pod)
        kept = self._kept.get(shape)
        changed: Collection[str] | None = None if kept is None else self._draft.journal.since(kept.position)
        if kept is None or changed is None:
            kept = self._kept[shape] = _Kept(verdicts.Verdict(), standings.Judge(self._draft, pod, shape), 0)
            changed = self._draft.cluster.nodes.keys()
        self.looks += len(changed)
        for name in changed:
            standing = kept.judge.standing(name, screen)
            is_usable = standing is not None and standing.reached >= _Hurdle.USABLE
            longest = len(self._runs.of(self._draft.nodes[name])) if is_usable else 0
            kept.verdict.put(name, standing, longest)
        kept.position = self._position
        self._kept.move_to_end(shape)
        while len(self._kept) > max(1, min(MOST_VERDICTS, MOST_ANSWERS // (len(self._draft.cluster.nodes) or 1))):
            self._kept.popitem(last=False)
        return kept.verdict

    # --- the sentence --------------------------------------------------------------------------------------------

    def _answer(self, pod: pods.PodView) -> plans.Waiting:
        screen = screening.Screen(pod, self._draft.cluster)
        if screen.of_pod is not None:
            about_volumes = screen.of_pod.kind is reasons.ObjectionKind.VOLUMES
            reason = reasons.WaitingReason.VOLUMES if about_volumes else reasons.WaitingReason.NO_NODE_MATCHES
            return self._waiting(reason, screen.of_pod.words, remedies.of([screen.of_pod.kind]))
        verdict = self._verdict(pod, screen)
        if not (self._draft.broken or self._neuron_hosts):
            need = "There is no Neuron node: a NeuronPool has to select nodes that run the device plugin."
            return self._waiting(reasons.WaitingReason.NO_NEURON_NODES, _counted(verdict.objections()), need)
        later = self._later(pod, verdict, screen)
        counted = _counted(verdict.objections() + later.counts)
        asked = f"The pod asks for {plans.listed(map(str, pod.requests))}."
        large_enough, missed = verdict.count(_Hurdle.LARGE_ENOUGH), verdict.nearest_miss()
        if not large_enough and missed is None:
            advice = remedies.of(verdict.kinds())
            return self._waiting(reasons.WaitingReason.NO_NODE_MATCHES, counted, asked, advice)
        if not large_enough and missed is not None:
            never = remedies.impossible(missed[0], self._draft.nodes[missed[1]], pod.requests)
            return self._waiting(reasons.WaitingReason.NEVER_FITS, counted, asked, never)
        waits_for_room = verdict.count(_Hurdle.ROOMY) < large_enough or not later.kinds or _RESOURCES in later.kinds
        reason = reasons.WaitingReason.NO_ROOM if waits_for_room else reasons.WaitingReason.NO_NODE_MATCHES
        return self._waiting(
            reason, counted, asked, self._way_out(pod, verdict), remedies.of(later.kinds), self._ailing(verdict)
        )

    def _waiting(self, reason: reasons.WaitingReason, counted: str, *sentences: str) -> plans.Waiting:
        available = f"0/{len(self._draft.cluster.nodes)} nodes are available"
        start = f"{available}: {counted}." if counted else f"{available}."
        return plans.Waiting(reason, " ".join(filter(None, (start, *sentences))))

    def _later(self, pod: pods.PodView, verdict: verdicts.Verdict, screen: screening.Screen) -> _Later:
        """Return why the pod cannot be on the nodes that have the cores free: one that is plain needs no other look."""
        if screen.is_plain:
            counts = verdict.lacking()
            kinds = {_RESOURCES} if counts else set()
            return _Later(counts + self._alone(pod, verdict.free(), verdict.is_free), kinds)
        counts, kinds, free = collections.Counter(), set(), set()
        for name in verdict.roomy():
            self.looks += 1
            found = screen.objections(self._draft.cluster.nodes[name])
            counts.update(each.words for each in found)
            kinds.update(each.kind for each in found)
            if not found:
                free.add(name)
        return _Later(counts + self._alone(pod, len(free), free.__contains__), kinds)

    def _alone(self, pod: pods.PodView, free: int, is_free: Callable[[str], bool]) -> collections.Counter[str]:
        """Count the nodes to which no filter objects."""
        not_yet = self._draft.winding_up(pod.uid)
        avoided = self._draft.snapshot.avoided.get(pod.uid, frozenset()) - not_yet
        counts = collections.Counter(
            {
                "node(s) where an earlier grant of this pod is still being wound up": sum(map(is_free, not_yet)),
                "node(s) where such a pod was refused lately": sum(map(is_free, avoided)),
            }
        )
        kept_on = self._draft.kept.before(kept.rank(pod)) - not_yet - avoided
        counts["node(s) whose free NeuronCores are kept for pods before this one"] = sum(map(is_free, kept_on))
        counts["node(s) with room for this pod alone"] = free - counts.total()
        return counts

    def _way_out(self, pod: pods.PodView, verdict: verdicts.Verdict) -> str:
        """Say what would make such pods fit."""
        if verdict.count(_Hurdle.ROOMY):
            return f"The NeuronCores are free on {_named(verdict, _Hurdle.ROOMY)}."
        if not verdict.count(_Hurdle.USABLE):
            return f"It would fit on {_named(verdict, _Hurdle.LARGE_ENOUGH)}, could that be used."
        nodes = [self._draft.nodes[name] for name in verdict.longest(ways_out.NODES_TRIED)]
        ways = verdict.ways(nodes, pod.requests)
        return ways_out.sentence(nodes[0], self._runs.of(nodes[0]), pod.requests, ways)

    def _ailing(self, verdict: verdicts.Verdict) -> str:
        """Return the sentence about unhealthy cores of the nodes that are large enough, "" without any."""
        nodes, runs = verdict.ailing(_AILING_SHOWN)
        found = [
            f"{each.span} of {name}{f' ({each.reason})' if each.reason else ''}"
            for name in nodes
            for each in self._draft.nodes[name].view.unhealthy
        ]
        return f"Unhealthy are cores {plans.listed(found, _AILING_SHOWN, runs)}." if found else ""


def _named(verdict: verdicts.Verdict, hurdle: standings.Hurdle) -> str:
    return plans.listed(verdict.first(hurdle, _LISTED), _LISTED, verdict.count(hurdle))


def _counted(counts: collections.Counter[str]) -> str:
    return ", ".join(
        f"{count} {words}" for words, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    )
