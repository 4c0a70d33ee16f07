"""Pod groups: all n pods get cores, or none does. Pure bookkeeping over one snapshot.

Law: grants of a group are written first, on however many nodes; no member is bound before all n have theirs stored, so
a crash between two nodes leaves unplaced pods only. A group that was served once has its later members served one by
one.
"""

import collections
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


def of(snapshot_pods: Iterable[pods.PodView]) -> Mapping[Key, Group]:
    """Return the groups that living pods name."""
    found: dict[Key, Group] = collections.defaultdict(lambda: Group(""))
    for pod in snapshot_pods:
        if not pod.pod_group:
            continue
        group = found[pod.namespace, pod.pod_group]
        group.name = pod.pod_group
        if not (pod.terminal or pod.deleted):
            group.size = max(group.size, pod.pod_group_size)
            group.present += 1
            group.started += not pod.unplaced
        elif pod.owner is not None and not pod.unplaced and pod.grant_annotation is not None:
            group.served_controllers.add(pod.owner.uid)
    return dict(found)
