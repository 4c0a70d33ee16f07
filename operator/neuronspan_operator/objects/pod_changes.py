"""The writes that change a pod: its binding, the patch that lets a guest go, its fence and its grant annotation.

Law: every write tests uid and resourceVersion, so that a decision made on an old pod can never land on a newer one.
"""

import dataclasses
import json
from collections.abc import Mapping
from typing import Any, Final

from neuronspan import names, spans
from neuronspan_operator.objects import pods

_COMPACT: Final = json.JSONEncoder(separators=(",", ":"))


def grant_content(node: str, granted: Mapping[str, spans.CoreSpan]) -> dict[str, Any]:
    """Return the content of the grant annotation."""
    return {"node": node, "containers": {container: str(span) for container, span in sorted(granted.items())}}


def grant_text(node: str, granted: Mapping[str, spans.CoreSpan]) -> str:
    """Return the grant annotation as it is written."""
    return _COMPACT.encode(grant_content(node, granted))


def ungate_patch(
    pod: pods.PodView, node: str, granted: Mapping[str, spans.CoreSpan], hostname: str = ""
) -> list[dict[str, Any]]:
    """Return the one JSON patch that commits a grant: annotation, node, gate away.

    ``hostname`` is the node's kubernetes.io/hostname label where it differs from the node's name.
    """
    gate = f"/spec/schedulingGates/{pod.gate_index}"
    selector = [] if pod.has_node_selector else [_add("/spec/nodeSelector", {})]
    return [
        *_unchanged(pod),
        {"op": "test", "path": f"{gate}/name", "value": names.SCHEDULING_GATE},
        *_annotate(pod, names.GRANT_ANNOTATION, grant_text(node, granted)),
        *selector,
        _add(f"/spec/nodeSelector/{_escaped(names.HOSTNAME_LABEL)}", hostname or node),
        {"op": "remove", "path": gate},
    ]


def binding(pod: pods.PodView, node: str, granted: Mapping[str, spans.CoreSpan]) -> dict[str, Any]:
    """Return the Binding that commits a grant: node and annotation in one write, on the pod as it was planned on.

    Source: BindingREST.setPodNodeAndMetadata in kubernetes/pkg/registry/core/pod/storage/storage.go.
    """
    metadata = {"name": pod.name, "namespace": pod.namespace, "uid": pod.uid, "resourceVersion": pod.resource_version}
    return {
        "apiVersion": "v1",
        "kind": "Binding",
        "metadata": {**metadata, "annotations": {names.GRANT_ANNOTATION: grant_text(node, granted)}},
        "target": {"apiVersion": "v1", "kind": "Node", "name": node},
    }


def bound(pod: pods.PodView, node: str, granted: Mapping[str, spans.CoreSpan]) -> pods.PodView:
    """Return the pod as its binding leaves it; the API server does not say its new resourceVersion."""
    return dataclasses.replace(
        pod, node_name=node, grant_annotation=grant_text(node, granted), has_annotations=True, resource_version=""
    )


def grant_patch(pod: pods.PodView, node: str, granted: Mapping[str, spans.CoreSpan]) -> dict[str, Any]:
    """Return the patch of the pod's status that makes the grant annotation say what the ledger says."""
    return {"metadata": {**_identity(pod), "annotations": {names.GRANT_ANNOTATION: grant_text(node, granted)}}}


def fence_patch(pod: pods.PodView, moment: str, transition: str) -> dict[str, Any]:
    """Return the patch of the pod's status that makes it impossible to carry out grants made up to that moment.

    It changes the pod's resourceVersion, which every binding and every ungate patch tests: one that was computed before
    cannot land, and who computes one later sees the fence. Conditions are merged by their type. ``transition`` is now.
    """
    condition = {
        "type": names.TAKEN_BACK_CONDITION,
        "status": "True",
        "reason": "Revoked",
        "message": moment,
        "lastTransitionTime": transition,
    }
    return {"metadata": _identity(pod), "status": {"conditions": [condition]}}


def _identity(pod: pods.PodView) -> dict[str, str]:
    return {"uid": pod.object_uid, "resourceVersion": pod.resource_version}


def _unchanged(pod: pods.PodView) -> list[dict[str, Any]]:
    return [
        {"op": "test", "path": "/metadata/uid", "value": pod.uid},
        {"op": "test", "path": "/metadata/resourceVersion", "value": pod.resource_version},
    ]


def _annotate(pod: pods.PodView, annotation: str, value: str) -> list[dict[str, Any]]:
    made = [] if pod.has_annotations else [_add("/metadata/annotations", {})]
    return [*made, _add(f"/metadata/annotations/{_escaped(annotation)}", value)]


def _add(path: str, value: Any) -> dict[str, Any]:
    return {"op": "add", "path": path, "value": value}


def _escaped(key: str) -> str:
    """Escape a key for a JSON pointer (RFC 6901)."""
    return key.replace("~", "~0").replace("/", "~1")
