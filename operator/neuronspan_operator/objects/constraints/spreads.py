"""How evenly pods want to be spread: topology spread constraints.

Source: k8s.io/kubernetes/pkg/scheduler/framework/plugins/podtopologyspread/common.go.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from neuronspan_operator.objects.constraints import selectors


@dataclasses.dataclass(frozen=True, slots=True)
class SpreadConstraint:
    """The domains of ``topology_key`` may differ by at most ``max_skew`` matching pods of the pod's own namespace."""

    max_skew: int
    topology_key: str
    selector: selectors.LabelSelector
    required: bool = True  # DoNotSchedule; else ScheduleAnyway
    min_domains: int = 1
    honor_affinity: bool = True  # nodeAffinityPolicy Honor: nodes outside the pod's affinity do not count
    honor_taints: bool = False  # nodeTaintsPolicy Honor: nodes with taints that the pod does not tolerate do not count


def read(raw: Iterable[Mapping[str, Any]] | None, labels: Mapping[str, str]) -> tuple[SpreadConstraint, ...]:
    """Read a pod's ``spec.topologySpreadConstraints``; ``labels`` are the pod's own."""
    return tuple(_constraint(each, labels) for each in raw or ())


def _constraint(raw: Mapping[str, Any], labels: Mapping[str, str]) -> SpreadConstraint:
    # the scheduler merges them with the labels of now, whether or not the API server did so when it stored the pod
    matching = (
        selectors.Requirement(key, selectors.Operator.IN, (labels[key],))
        for key in raw.get("matchLabelKeys") or ()
        if key in labels
    )
    return SpreadConstraint(
        max_skew=raw.get("maxSkew", 1),
        topology_key=raw.get("topologyKey", ""),
        selector=selectors.read(raw.get("labelSelector")).narrowed(matching),
        required=raw.get("whenUnsatisfiable", "DoNotSchedule") != "ScheduleAnyway",
        min_domains=raw.get("minDomains") or 1,
        honor_affinity=raw.get("nodeAffinityPolicy", "Honor") != "Ignore",
        honor_taints=raw.get("nodeTaintsPolicy", "Ignore") == "Honor",
    )
