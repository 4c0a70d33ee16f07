"""StatefulSets: pods with numbers in their names, one after another unless all at once is asked for."""

from typing import Any

from neuronspan_embedded.controllers import view as views

Manifest = dict[str, Any]

_REVISION = "controller-revision-hash"


def run(view: views.View) -> None:
    """Bring each StatefulSet nearer to its pods."""
    for each in view.all("statefulsets"):
        if not views.is_leaving(each):
            _work(view, each)
            _report(view, each)


def _work(view: views.View, workload: Manifest) -> None:
    spec = workload["spec"]
    pods = {_number(pod): pod for pod in view.owned("pods", workload)}
    first = (spec.get("ordinals") or {}).get("start", 0)
    wanted = range(first, first + spec["replicas"])
    one_by_one = spec["podManagementPolicy"] == "OrderedReady"
    for number in wanted:
        pod = pods.get(number)
        if pod is None:
            view.create("pods", _pod(workload, number), workload)
        elif not views.is_leaving(pod) and views.phase(pod) in {"Failed", "Succeeded"}:
            view.delete("pods", pod)
        if one_by_one and (pod is None or not views.is_active(pod) or not views.is_ready(pod)):
            return
    surplus = sorted((number for number in pods if number not in wanted), reverse=True)
    for number in surplus[:1] if one_by_one else surplus:
        view.delete("pods", pods[number])
    if not surplus:
        _renew(view, workload, [pods[number] for number in wanted if number in pods])


def _renew(view: views.View, workload: Manifest, pods: list[Manifest]) -> None:
    """Give up the last pod of an older template, when all others are ready."""
    strategy = workload["spec"]["updateStrategy"]
    if strategy["type"] != "RollingUpdate" or not all(views.is_active(pod) and views.is_ready(pod) for pod in pods):
        return
    partition, revision = (strategy.get("rollingUpdate") or {}).get("partition", 0), _revision(workload)
    old = [pod for pod in pods if pod["metadata"]["labels"].get(_REVISION) != revision and _number(pod) >= partition]
    for pod in old[-1:]:
        view.delete("pods", pod)


def _number(pod: Manifest) -> int:
    return int(pod["metadata"]["name"].rpartition("-")[2])


def _revision(workload: Manifest) -> str:
    return f"{workload['metadata']['name']}-{views.fingerprint(workload['spec']['template'])}"


def _pod(workload: Manifest, number: int) -> Manifest:
    name = f"{workload['metadata']['name']}-{number}"
    labels = {
        "apps.kubernetes.io/pod-index": str(number),
        "statefulset.kubernetes.io/pod-name": name,
        _REVISION: _revision(workload),
    }
    domain = workload["spec"].get("serviceName")
    place = {"hostname": name, **({"subdomain": domain} if domain else {})}
    return views.pod_of(workload, workload["spec"]["template"], {"name": name, "labels": labels}, **place)


def _report(view: views.View, workload: Manifest) -> None:
    pods = [pod for pod in view.owned("pods", workload) if views.is_active(pod)]
    ready, revision = sum(map(views.is_ready, pods)), _revision(workload)
    updated = sum(pod["metadata"]["labels"].get(_REVISION) == revision for pod in pods)
    counts = {"readyReplicas": ready, "currentReplicas": updated, "updatedReplicas": updated}
    status = {
        "replicas": len(pods),
        "availableReplicas": ready,
        **{field: count for field, count in counts.items() if count},
        "observedGeneration": workload["metadata"]["generation"],
        "currentRevision": revision,
        "updateRevision": revision,
    }
    view.report("statefulsets", workload, status)
