"""Whose end makes room for a pod on one node. Pure.

Law: the best victims are those whose most important is least important; of equal ones the fewest, then the lowest in
sum, then those with fewest cores. Where cores alone are lacking the answer is the best one; where more is lacking it is
the best one while at most ``EFFORT`` sets of victims have to be tried, else one of which nobody could be spared.
"""

import dataclasses
import itertools
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Final

from neuronspan_operator.objects import pods
from neuronspan_operator.planning.drafting import placements
from neuronspan_operator.planning.preemption import allowances, trials

EFFORT: Final = 300
"""Sets of victims tried on one node: all sets of eight pods, or all pairs of twenty-four."""

_Cost = tuple[int, int, int, int]


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class Candidate:
    """Victims that make room; smaller is better."""

    cost: _Cost  # highest priority, number, sum of priorities, cores
    node: str
    victims: tuple[pods.PodView, ...] = dataclasses.field(compare=False)
    spans: placements.Spans = dataclasses.field(compare=False)


def best(
    trial: trials.Trial, pod: pods.PodView, allowance: allowances.Allowance, spared: Collection[str]
) -> Candidate | None:
    """Return the victims on this node, None when no allowed ones would let the pod fit."""
    return _Search(trial, pod, allowance, spared).run()


class _Search:
    def __init__(
        self, trial: trials.Trial, pod: pods.PodView, allowance: allowances.Allowance, spared: Collection[str]
    ) -> None:
        self._trial = trial
        self._allowance = allowance
        self._able = {
            each.uid: each for each in trial.state.pods.values() if _may_end(each, trial, pod, spared, allowance)
        }
        self._cores = dict.fromkeys(self._able, 0)
        for grant in trial.grants:
            if grant.pod_uid in self._cores:
                self._cores[grant.pod_uid] += grant.span.count

    def run(self) -> Candidate | None:
        if not self._able or self._trial.fits() is not None or self._trial.fits(frozenset(self._able)) is None:
            return None
        if len(self._trial.requests) == 1:
            found, is_best = self._by_windows()
            if is_best:
                return found
        return self._by_sets()

    def cost(self, uids: Iterable[str]) -> _Cost:
        ended = [self._able[uid] for uid in uids]
        priorities = [each.priority for each in ended]
        return max(priorities), len(ended), sum(priorities), sum(self._cores[each.uid] for each in ended)

    def _by_windows(self) -> tuple[Candidate | None, bool]:
        """Return the best holders of one window, and whether nothing else can be better.

        Who makes room ends all holders of some window, so the holders of the cheapest one are the best answer, unless
        for one that is as cheap something else than cores is lacking.
        """
        holders = {frozenset(grant.pod_uid for grant in held) for _, held in self._trial.windows()}
        possible = [each for each in holders if each <= self._able.keys() and self._is_allowed(each)]
        if frozenset() in possible:  # the cores are free: something else is lacking
            return None, False
        for uids in sorted(possible, key=lambda each: (self.cost(each), sorted(each))):
            found = self._candidate(uids)
            return found, found is not None
        return None, True

    def _by_sets(self) -> Candidate | None:
        """Return the best of all sets of victims, of the lowest priorities first."""
        pool = self._pool()
        tried = 0
        for highest in sorted({each.priority for each in pool}):
            upto = [each for each in pool if each.priority <= highest]
            if self._trial.fits(frozenset(each.uid for each in upto)) is None:
                continue
            for sets in _by_size(upto, highest):
                found = None
                for uids in sets:
                    tried += 1
                    if tried > EFFORT:
                        return self._irreducible(upto) or self._irreducible(pool)
                    found = _better(found, self._candidate(uids) if self._is_allowed(uids) else None)
                if found is not None:
                    return found
        return None

    def _pool(self) -> Sequence[pods.PodView]:
        """Return who can be of use: pods without cores are none where only cores are lacking."""
        holders = [each for uid, each in self._able.items() if self._cores[uid]]
        only_cores = self._trial.fits(frozenset(each.uid for each in holders)) is not None
        return sorted(holders if only_cores else self._able.values(), key=lambda each: (each.priority, each.uid))

    def _irreducible(self, pool: Sequence[pods.PodView]) -> Candidate | None:
        """Return victims of whom none can be spared: from all that may end together, the most important first."""
        ended: set[str] = set()
        for each in pool:
            if self._is_allowed({*ended, each.uid}):
                ended.add(each.uid)
        if self._trial.fits(frozenset(ended)) is None:
            return None
        for each in sorted(pool, key=lambda each: (-each.priority, -self._cores[each.uid], each.uid)):
            if each.uid in ended and self._trial.fits(frozenset(ended - {each.uid})) is not None:
                ended.discard(each.uid)
        return self._candidate(frozenset(ended))

    def _is_allowed(self, uids: Iterable[str]) -> bool:
        return self._allowance.permits([self._able[uid] for uid in uids])

    def _candidate(self, uids: frozenset[str]) -> Candidate | None:
        found = self._trial.fits(uids)
        if found is None or not uids:
            return None
        ended = tuple(self._able[uid] for uid in sorted(uids))
        return Candidate(self.cost(uids), self._trial.node.name, ended, found)


def _may_end(
    victim: pods.PodView,
    trial: trials.Trial,
    pod: pods.PodView,
    spared: Collection[str],
    allowance: allowances.Allowance,
) -> bool:
    """Whether the victim may be ended for the pod: it is there, is less important, and nobody forbids it."""
    return (
        victim.node_name == trial.node.name
        and not victim.static
        and victim.priority < pod.priority
        and victim.uid not in trial.ending
        and victim.uid not in spared
        and allowance.permits([victim])
    )


def _by_size(pool: Sequence[pods.PodView], highest: int) -> Iterator[Iterator[frozenset[str]]]:
    """Yield the sets of UIDs of each size, smallest first, that have somebody of the highest priority."""
    for size in range(1, len(pool) + 1):
        yield (
            frozenset(each.uid for each in some)
            for some in itertools.combinations(pool, size)
            if any(each.priority == highest for each in some)
        )


def _better(one: Candidate | None, other: Candidate | None) -> Candidate | None:
    return min((each for each in (one, other) if each is not None), default=None, key=_order)


def _order(candidate: Candidate) -> tuple[_Cost, list[str]]:
    return candidate.cost, [each.uid for each in candidate.victims]
