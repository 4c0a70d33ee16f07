"""Binds the pods that are not our operator's, by the operator's own filters; without preemption, one pod at a time."""

import collections
from typing import Any

from neuronspan_embedded.controllers import view as views
from neuronspan_operator.objects import nodes, pods
from neuronspan_operator.scheduling import cluster_state, objections, screening

Manifest = dict[str, Any]

_OURS = "default-scheduler"


def run(view: views.View) -> None:
    """Bind each pod that waits for the default scheduler, or say why it cannot be anywhere."""
    waiting = [pod for pod in view.all("pods") if _waits(pod)]
    if not waiting:
        return
    cluster = _cluster(view)
    for pod in sorted(
        waiting, key=lambda each: (-each["spec"].get("priority", 0), each["metadata"]["creationTimestamp"])
    ):
        _place(view, cluster, pod)


def _waits(pod: Manifest) -> bool:
    spec = pod["spec"]
    is_ours = spec["schedulerName"] == _OURS and not spec.get("nodeName") and not spec.get("schedulingGates")
    return is_ours and views.is_active(pod)


def _cluster(view: views.View) -> cluster_state.Cluster:
    labels = {each["metadata"]["name"]: each["metadata"].get("labels") or {} for each in view.all("namespaces")}
    cluster = cluster_state.Cluster(map(nodes.read, view.all("nodes")), labels)
    for pod in view.all("pods"):
        known = pods.read_known(pod)
        if known is not None and known.node_name:
            cluster.add(known, known.node_name)
    return cluster


def _place(view: views.View, cluster: cluster_state.Cluster, manifest: Manifest) -> None:
    pod = pods.read(manifest)
    verdicts = screening.verdicts(pod, cluster)
    fitting = [cluster.nodes[name] for name, objection in verdicts.items() if objection is None]
    if not fitting:
        _refuse(view, manifest, _sentence(list(verdicts.values())))
        return
    scores = screening.soft_scores(pod, cluster, fitting)
    best = min(fitting, key=lambda node: (-scores[node.name], len(node.pods), node.name))
    view.bind(manifest, best.name)
    cluster.add(pod, best.name)


def _sentence(verdicts: list[objections.Objection | None]) -> str:
    """Return kube-scheduler's sentence: how many nodes were refused for which reason."""
    counts = collections.Counter(each.words for each in verdicts if each is not None)
    reasons = ", ".join(f"{count} {words}" for words, count in sorted(counts.items()))
    return f"0/{len(verdicts)} nodes are available: {reasons or 'no nodes available to schedule pods'}."


def _refuse(view: views.View, pod: Manifest, message: str) -> None:
    status, now = pod["status"], view.calls.now
    told = views.condition(status, "PodScheduled", "False", "Unschedulable", message, now)
    view.report("pods", pod, {**status, "conditions": list(told)})
