"""Pod groups: all n pods get cores, or none does. Pure bookkeeping over one snapshot.

Law: grants of a group are written first, on however many nodes; no member is bound before all n have theirs stored, so
a crash between two nodes leaves unplaced pods only. A group that was served once has its later members served one by
one.
"""

import dataclasses
from collections.abc import Iterable, Mapping

from neuronspan_operator.objects import pods

Key = tuple[str, str]  # namespace, group name


@dataclasses.dataclass(slots=True)
class Group:
    """One group during a pass."""

    name: str
    size: int = 0  # what the largest pod-group-size says
    present: int = 0  # pods that live
    started: int = 0  # living pods that were let go to their nodes
    granted: set[str] = dataclasses.field(default_factory=set)  # unplaced pods whose grants are stored and can be used
    served_controllers: set[str] = dataclasses.field(default_factory=set)  # UIDs; pods of theirs were let go, and ended

    @property
    def served(self) -> int:
        """Members that have their cores."""
        return self.started + len(self.granted)

    @property
    def complete(self) -> bool:
        """Whether all n members have their cores."""
        return self.served >= self.size

    def was_served(self, pod: pods.PodView) -> bool:
        """Whether this pod comes after others with which the group was served in full.

        Nobody starts before all n have their cores; so one that was started, and be it over, is proof. Those that ended
        count for pods of the same controller only: another one may use the name of a group again.
        """
        return self.started > 0 or (pod.owner is not None and pod.owner.uid in self.served_controllers)

    def __str__(self) -> str:
        return f"pod group {self.name}: {self.present} of {self.size} pods exist, {self.served} have cores"


class Groups:
    """The groups that living pods name, kept by what changes about their pods."""

    def __init__(self) -> None:
        self._groups: dict[Key, Group] = {}
        self._served: dict[Key, frozenset[str]] = {}  # who had grants to go on with in the pass before

    def get(self, key: Key) -> Group | None:
        """Return a group, None when no pod names it."""
        return self._groups.get(key)

    def renew(self, key: Key, members: Iterable[pods.PodView]) -> None:
        """Find out anew what there is of a group; ``members`` are all pods that name it."""
        found = list(members)
        if found:
            self._groups[key] = _group(key, found)
        else:
            self._groups.pop(key, None)

    def begin(self) -> None:
        """Start a pass: nobody has grants to go on with until that is found out."""
        for key in self._served:
            if key in self._groups:
                self._groups[key].granted.clear()

    def go_on(self, granted: Mapping[Key, Iterable[str]]) -> set[Key]:
        """Take who has grants to go on with; return the groups of which these are others than in the pass before."""
        now = {key: frozenset(uids) for key, uids in granted.items()}
        changed = {key for key in now.keys() | self._served.keys() if now.get(key) != self._served.get(key)}
        self._served = now
        return changed


def _group(key: Key, members: Iterable[pods.PodView]) -> Group:
    group = Group(key[1])
    for pod in members:
        if not (pod.terminal or pod.deleted):
            group.size = max(group.size, pod.pod_group_size)
            group.present += 1
            group.started += not pod.unplaced
        elif pod.owner is not None and not pod.unplaced and pod.grant_annotation is not None:
            group.served_controllers.add(pod.owner.uid)
    return group
