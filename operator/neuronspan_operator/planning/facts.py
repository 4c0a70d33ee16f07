"""What is known of the cluster, kept up to date by what changed. Pure.

Law: facts say what a snapshot of the same moment would; ``take`` costs what changed, never what there is.
"""

import collections
import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Generic, TypeVar

from neuronspan_operator.objects import nodes, pods, pools
from neuronspan_operator.objects.constraints import storage
from neuronspan_operator.planning import plans, snapshot

T = TypeVar("T")


@dataclasses.dataclass(frozen=True, slots=True)
class Changes:
    """What is otherwise than before, by UID of a pod and by name of all else; None stands for what is not there now.

    ``gone`` says of pods whether they are known not to exist any more, ``avoided`` where pods must not be sent now,
    ``held_back`` which waiting pods are not planned for now. Without ``storage`` that is as it was.
    """

    pods: "Mapping[str, pods.PodView | None]" = dataclasses.field(default_factory=dict)
    nodes: "Mapping[str, nodes.NodeView | None]" = dataclasses.field(default_factory=dict)
    members: "Mapping[str, pools.Member | None]" = dataclasses.field(default_factory=dict)
    pools: "Mapping[str, pools.PoolView | None]" = dataclasses.field(default_factory=dict)
    namespaces: Mapping[str, Mapping[str, str] | None] = dataclasses.field(default_factory=dict)
    gone: Mapping[str, bool] = dataclasses.field(default_factory=dict)
    avoided: Mapping[str, frozenset[str]] = dataclasses.field(default_factory=dict)
    held_back: Mapping[str, bool] = dataclasses.field(default_factory=dict)
    storage: "storage.Storage | None" = None

    def __bool__(self) -> bool:
        return any(getattr(self, field.name) for field in dataclasses.fields(self))
