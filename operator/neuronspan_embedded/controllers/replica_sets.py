"""ReplicaSets: as many pods of one template as they say."""

from typing import Any

from neuronspan_embedded.controllers import view as views

Manifest = dict[str, Any]


def run(view: views.View) -> None:
    """Bring each ReplicaSet nearer to its number of pods."""
    for each in view.all("replicasets"):
        if not views.is_leaving(each):
            _scale(view, each)
        _report(view, each)


def _scale(view: views.View, workload: Manifest) -> None:
    active = [pod for pod in view.owned("pods", workload) if views.is_active(pod)]
    missing = workload["spec"]["replicas"] - len(active)
    for _ in range(missing):
        named = {"generateName": f"{workload['metadata']['name']}-"}
        if view.create("pods", views.pod_of(workload, workload["spec"]["template"], named), workload) is None:
            return
    for pod in views.expendable(active)[: max(0, -missing)]:
        view.delete("pods", pod)


def _report(view: views.View, workload: Manifest) -> None:
    active = [pod for pod in view.owned("pods", workload) if views.is_active(pod)]
    ready = sum(map(views.is_ready, active))
    counts = {"fullyLabeledReplicas": len(active), "readyReplicas": ready, "availableReplicas": ready}
    status = {
        "replicas": len(active),
        **{field: count for field, count in counts.items() if count},
        "observedGeneration": workload["metadata"]["generation"],
    }
    view.report("replicasets", workload, status)
