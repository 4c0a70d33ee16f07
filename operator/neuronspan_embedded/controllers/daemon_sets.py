"""DaemonSets: a pod on each node that its template may be on, bound by whoever schedules that pod."""

from typing import Any

from neuronspan_embedded.controllers import view as views
from neuronspan_operator.objects import nodes, pods
from neuronspan_operator.scheduling import cluster_state, screening

Manifest = dict[str, Any]

_HASH = "controller-revision-hash"
_FIELD = "metadata.name"
_TOLERATED = ("not-ready", "unreachable", "disk-pressure", "memory-pressure", "pid-pressure", "unschedulable")


def run(view: views.View) -> None:
    """Bring each DaemonSet nearer to a pod of its template on each of its nodes."""
    for each in view.all("daemonsets"):
        if not views.is_leaving(each):
            _spread(view, each)
        _report(view, each)


def _spread(view: views.View, workload: Manifest) -> None:
    wanted = _nodes(view, workload)
    revision = views.fingerprint(workload["spec"]["template"])
    seen: set[str] = set()
    for pod in view.owned("pods", workload):
        node = _node_of(pod)
        is_old = pod["metadata"]["labels"].get(_HASH) != revision
        if node not in wanted or node in seen or is_old or views.phase(pod) in {"Failed", "Succeeded"}:
            view.delete("pods", pod)
        seen.add(node)
    for node in sorted(wanted - seen):
        made = _pod(workload, node, revision)
        if view.create("pods", made, workload) is None:
            return


def _pod(workload: Manifest, node: str, revision: str) -> Manifest:
    template = workload["spec"]["template"]
    metadata = {"generateName": f"{workload['metadata']['name']}-", "labels": {_HASH: revision}}
    spec = template["spec"]
    mine = [
        {"key": f"node.kubernetes.io/{each}", "operator": "Exists", "effect": effect}
        for each in _TOLERATED
        for effect in (("NoExecute",) if each in _TOLERATED[:2] else ("NoSchedule",))
    ]
    tolerations = [*(spec.get("tolerations") or ()), *mine]
    return views.pod_of(
        workload, template, metadata, affinity=_on(spec.get("affinity") or {}, node), tolerations=tolerations
    )


def _on(affinity: Manifest, node: str) -> Manifest:
    """Return an affinity for this node alone, as ReplaceDaemonSetPodNodeNameNodeAffinity does."""
    this = {"matchFields": [{"key": _FIELD, "operator": "In", "values": [node]}]}
    of_nodes = {
        **(affinity.get("nodeAffinity") or {}),
        "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [this]},
    }
    return {**affinity, "nodeAffinity": of_nodes}


def _node_of(pod: Manifest) -> str:
    required = pod["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    return str(required["nodeSelectorTerms"][0]["matchFields"][0]["values"][0])


def _nodes(view: views.View, workload: Manifest) -> set[str]:
    """Return the nodes whose labels and taints let a pod of the template be there, whatever is free on them."""
    found = list(map(nodes.read, view.all("nodes")))
    template = workload["spec"]["template"]
    result = set()
    for node in found:
        made = _pod(workload, node.name, "")
        required = (template["spec"].get("affinity") or {}).get("nodeAffinity") or {}
        metadata = {**made["metadata"], "name": "new", "namespace": workload["metadata"]["namespace"], "uid": "new"}
        metadata |= {"resourceVersion": "0", "creationTimestamp": view.calls.now}
        spec = {**made["spec"], "affinity": {"nodeAffinity": required}, "containers": _without_requests(template)}
        pod = pods.read({"metadata": metadata, "spec": spec, "status": {"phase": "Pending"}})
        if screening.verdicts(pod, cluster_state.Cluster([node], {})).get(node.name) is None:
            result.add(node.name)
    return result


def _without_requests(template: Manifest) -> list[Manifest]:
    return [{"name": each["name"], "image": each["image"]} for each in template["spec"]["containers"]]


def _report(view: views.View, workload: Manifest) -> None:
    owned = view.owned("pods", workload)
    ready = sum(map(views.is_ready, owned))
    wanted = len(_nodes(view, workload))
    status = {
        "currentNumberScheduled": len({_node_of(pod) for pod in owned}),
        "desiredNumberScheduled": wanted,
        "numberAvailable": ready,
        "numberMisscheduled": 0,
        "numberReady": ready,
        "numberUnavailable": wanted - ready,
        "observedGeneration": workload["metadata"]["generation"],
        "updatedNumberScheduled": len(owned),
    }
    view.report("daemonsets", workload, status)
