"""Pod groups: all n pods get cores, or none does. Pure bookkeeping over one snapshot.

Law: grants of a group are written first, on however many nodes; no member leaves the gate before all n have theirs
stored, so a crash between two nodes leaves gated pods only.
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
    present: int = 0  # pods that live, gated or not
    started: int = 0  # pods that have left the gate
    granted: set[str] = dataclasses.field(default_factory=set)  # gated pods whose grants are stored and can be used

    @property
    def served(self) -> int:
        """Members that have their cores."""
        return self.started + len(self.granted)

    @property
    def complete(self) -> bool:
        """Whether all n members have their cores."""
        return self.served >= self.size

    def __str__(self) -> str:
        return f"pod group {self.name}: {self.present} of {self.size} pods exist, {self.served} have cores"


def of(snapshot_pods: Iterable[pods.PodView]) -> Mapping[Key, Group]:
    """Return the groups that living pods name."""
    found: dict[Key, Group] = collections.defaultdict(lambda: Group(""))
    for pod in snapshot_pods:
        if pod.pod_group and not pod.terminal and not pod.deleted:
            group = found[pod.namespace, pod.pod_group]
            group.name = pod.pod_group
            group.size = max(group.size, pod.pod_group_size)
            group.present += 1
            group.started += not pod.gated
    return dict(found)
