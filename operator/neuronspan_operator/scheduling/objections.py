"""Why a node will not do, in kube-scheduler's words: equal reasons are equal texts, and are counted over nodes."""

import dataclasses
from collections.abc import Callable

from neuronspan_operator import reasons
from neuronspan_operator.scheduling.counting import node_states


@dataclasses.dataclass(frozen=True, slots=True)
class Objection:
    """One reason why a pod cannot be on a node.

    ``words`` follow a number of nodes, as in "2 node(s) had untolerated taint(s)"; ``of_pod`` marks a reason that
    concerns the pod as a whole and so every node (a claim that does not exist): it stands without a number.
    """

    kind: reasons.ObjectionKind
    words: str
    of_pod: bool = False


Filter = Callable[[node_states.NodeState], Objection | None]
"""Judges one node for one pod. Made by a module's ``for_pod(pod, cluster)``, which gives None when the pod asks nothing
of the kind; valid until the cluster changes."""

Judgement = Filter | Objection
"""What a module says of one pod: how to judge a node, or an objection ``of_pod`` that makes every look needless."""
