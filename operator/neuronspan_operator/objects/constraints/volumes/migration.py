"""Disks of the EBS plugin that Kubernetes had built in, as its CSI driver knows them.

Old clusters have such volumes still, and the scheduler judges them as those of the driver. Other clouds' disks are left
as they are: there are no Neuron devices.
Source: k8s.io/csi-translation-lib/plugins/{aws_ebs,in_tree_volume}.go.
"""

import dataclasses
from collections.abc import Mapping
from typing import Final

from neuronspan_operator.objects.constraints import node_terms, selectors

PLUGIN: Final = "kubernetes.io/aws-ebs"
DRIVER: Final = "ebs.csi.aws.com"
ZONE: Final = "topology.kubernetes.io/zone"
REGION: Final = "topology.kubernetes.io/region"
BETA_ZONE: Final = "failure-domain.beta.kubernetes.io/zone"
BETA_REGION: Final = "failure-domain.beta.kubernetes.io/region"
ZONE_DELIMITER: Final = "__"
"""Between the zones of a volume that is in several, in one label."""

_DRIVER_ZONE: Final = "topology.ebs.csi.aws.com/zone"


def handle(volume_id: str) -> str:
    """Return the driver's name of a disk: the end of ``aws://zone/vol-1``, or all of ``vol-1``."""
    return volume_id.rpartition("/")[2] if volume_id.startswith("aws://") else volume_id


def affinity(selector: node_terms.NodeSelector | None, labels: Mapping[str, str]) -> node_terms.NodeSelector | None:
    """Return a volume's node affinity with the driver's key for the zone; labels say the zone when it does not."""
    used = {each.key for term in (selector.terms if selector else ()) for each in term.labels if each.values}
    zone = next((key for keys in (used, labels) for key in (ZONE, BETA_ZONE) if key in keys), ZONE)
    renamed = {zone: _DRIVER_ZONE} | ({BETA_REGION: REGION} if zone == BETA_ZONE else {})
    terms = tuple(_renamed(term, renamed) for term in (selector.terms if selector else ()))
    if zone not in used and zone in labels:
        added = selectors.Requirement(_DRIVER_ZONE, selectors.Operator.IN, tuple(labels[zone].split(ZONE_DELIMITER)))
        terms = tuple(
            dataclasses.replace(term, labels=(*term.labels, added)) for term in terms or (node_terms.NodeTerm(),)
        )
    return node_terms.NodeSelector(terms) if selector is not None or terms else None


def _renamed(term: node_terms.NodeTerm, names: Mapping[str, str]) -> node_terms.NodeTerm:
    labels = (dataclasses.replace(each, key=names.get(each.key, each.key)) for each in term.labels)
    return dataclasses.replace(term, labels=tuple(labels))
