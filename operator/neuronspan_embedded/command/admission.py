"""Brings requests for NeuronCores into their common form, as the chart's mutating policy does. Pure.

What is asked for is read by the operator's own reader; a pod that it cannot read is refused with the reader's words.
"""

from collections.abc import Mapping
from typing import Any

from neuronspan import names
from neuronspan_embedded.api_server import admitting
from neuronspan_embedded.api_server.rules import refusals
from neuronspan_operator.objects import pod_requests

Manifest = dict[str, Any]

_CLUSTERS_OWN = "default-scheduler"
"""What the API server writes where a pod names no scheduler (SetDefaults_PodSpec in kubernetes/pkg/apis/core/v1)."""


class Requests:
    """Admission of pods that are created."""

    def admitted(self, write: admitting.Write) -> Manifest:
        """Return the object as it is to be stored; raises Refusal with the words for the user."""
        if write.kind.name != "Pod" or write.operation != admitting.CREATE:
            return write.new
        pod = write.new
        written = pod["metadata"].get("annotations") or {}
        if not pod_requests.asks(written, pod["spec"]):
            return pod
        reading = pod_requests.read(written, pod["spec"])
        if reading.problems:
            raise refusals.Refusal(422, f"pod {pod['metadata']['name']}: {'; '.join(reading.problems)}")
        other = pod["spec"].get("schedulerName", _CLUSTERS_OWN)
        if other not in (_CLUSTERS_OWN, names.SCHEDULER):
            where = "there is none here: leave schedulerName out, or try this pod on a cluster"
            raise refusals.Refusal(422, f"pod {pod['metadata']['name']} names the scheduler {other}, and {where}")
        labels = {**(pod["metadata"].get("labels") or {}), names.MANAGED_LABEL: names.MANAGED_VALUE}
        limits = {each.container: {each.resource: str(each.count)} for each in reading.requests}
        spec = {**pod["spec"], "schedulerName": names.SCHEDULER}
        for field in ("initContainers", "containers"):
            if field in spec:
                spec[field] = [_limited(each, limits, reading.unlimited) for each in spec[field]]
        return {**pod, "metadata": {**pod["metadata"], "labels": labels}, "spec": spec}


def _limited(container: Manifest, limits: Mapping[str, Mapping[str, str]], unlimited: tuple[str, ...]) -> Manifest:
    if container["name"] not in unlimited or container["name"] not in limits:
        return container
    amounts = limits[container["name"]]
    asked = container.get("resources") or {}
    merged = {part: {**(asked.get(part) or {}), **amounts} for part in ("limits", "requests")}
    return {**container, "resources": {**asked, **merged}}
