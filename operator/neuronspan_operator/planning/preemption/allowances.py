"""How many more pods may be ended under their disruption budgets. Pure.

Law: pods that are ended together are counted together. A pod with two budgets is never ended: the Eviction API refuses
it (Create in kubernetes/pkg/registry/core/pod/storage/eviction.go).
"""

import collections
from collections.abc import Hashable, Iterable, Mapping

from neuronspan_operator.objects import budgets, pods


class Allowance:
    """What the budgets allow, less what was spent."""

    def __init__(self, known: Iterable[budgets.Budget], spent: Iterable[pods.PodView] = ()) -> None:
        self._left: dict[str, int] = {}
        self._in: dict[str, list[budgets.Budget]] = collections.defaultdict(list)
        for budget in known:
            self._left[budget.key] = budget.allowed
            self._in[budget.namespace].append(budget)
        self._of: dict[str, tuple[budgets.Budget, ...]] = {}
        self.spend(spent)

    @property
    def basis(self) -> Hashable:
        """What answers depend on that were given under this allowance."""
        return tuple(self._left.items()), tuple(each for some in self._in.values() for each in some)

    def permits(self, victims: Iterable[pods.PodView]) -> bool:
        """Whether all of these may be ended at once."""
        needed: collections.Counter[str] = collections.Counter()
        for pod in victims:
            covering = self._covering(pod)
            if len(covering) > 1:
                return False
            needed.update(_counted(covering, pod))
        return all(count <= self._left[key] for key, count in needed.items())

    def spend(self, victims: Iterable[pods.PodView]) -> None:
        """Note that these are being ended."""
        for pod in victims:
            for key in _counted(self._covering(pod), pod):
                self._left[key] -= 1

    def _covering(self, pod: pods.PodView) -> tuple[budgets.Budget, ...]:
        if pod.uid not in self._of:
            self._of[pod.uid] = tuple(each for each in self._in.get(pod.namespace, ()) if each.covers(pod))
        return self._of[pod.uid]


def of(known: Mapping[str, budgets.Budget], spent: Iterable[pods.PodView]) -> Allowance:
    """Return what these budgets allow after the end of the pods that are ended anyway."""
    return Allowance(known.values(), spent)


def _counted(covering: Iterable[budgets.Budget], pod: pods.PodView) -> Iterable[str]:
    """Return the budgets that the pod's end is still to be counted in."""
    return (budget.key for budget in covering if pod.name not in budget.disrupted)
