"""Deployments: a ReplicaSet for each template they had, and the step from the old ones to the newest."""

import math
from typing import Any

from neuronspan_embedded.controllers import view as views

Manifest = dict[str, Any]

_HASH = "pod-template-hash"


def run(view: views.View) -> None:
    """Bring each Deployment nearer to its template."""
    for each in view.all("deployments"):
        if not views.is_leaving(each):
            if not each["spec"].get("paused"):
                _roll(view, each)
            _report(view, each)


def _roll(view: views.View, deployment: Manifest) -> None:
    spec = deployment["spec"]
    digest = views.fingerprint(spec["template"])
    sets = view.owned("replicasets", deployment)
    newest = next((each for each in sets if each["metadata"]["labels"].get(_HASH) == digest), None)
    old = [each for each in sets if each is not newest]
    if spec["strategy"]["type"] == "Recreate":
        for each in old:
            _rescale(view, each, 0)
        if any(view.owned("pods", each) for each in old):
            return
        surge, unavailable = 0, 0
    else:
        surge, unavailable = _allowances(spec)
    room = spec["replicas"] + surge - views.replicas(old)
    wanted = max(0, min(spec["replicas"], room))
    if newest is None:
        newest = view.create("replicasets", _made(deployment, digest, wanted), deployment)
    elif newest["spec"]["replicas"] < wanted or newest["spec"]["replicas"] > spec["replicas"]:
        _rescale(view, newest, wanted)
    _shrink(view, old, newest, spec["replicas"] - unavailable)


def _shrink(view: views.View, old: list[Manifest], newest: Manifest | None, needed: int) -> None:
    """Take away what the old ones need not serve any more, those first that do not serve."""
    sets = [*old, *([newest] if newest else [])]
    serving = {each["metadata"]["uid"]: _ready(view, each) for each in sets}
    spare = max(0, sum(serving.values()) - needed)
    for each in old:
        ready, now = serving[each["metadata"]["uid"]], each["spec"]["replicas"]
        kept = ready - min(ready, spare)
        spare -= ready - kept
        if kept < now:
            _rescale(view, each, kept)


def _allowances(spec: Manifest) -> tuple[int, int]:
    """Return how many pods there may be more, and how many fewer, while templates change; one of them at least."""
    rolling, count = spec["strategy"]["rollingUpdate"], spec["replicas"]
    surge = portion(rolling["maxSurge"], count, up=True)
    unavailable = portion(rolling["maxUnavailable"], count, up=False)
    return surge, unavailable if surge or unavailable else 1


def portion(amount: int | str, whole: int, *, up: bool) -> int:
    """Return a number, or a percentage of a whole, rounded ``up`` or down."""
    if isinstance(amount, int):
        return amount
    exact = whole * int(amount.rstrip("%")) / 100
    return math.ceil(exact) if up else math.floor(exact)


def _made(deployment: Manifest, digest: str, replicas: int) -> Manifest:
    spec, own = deployment["spec"], {_HASH: digest}
    template = spec["template"]
    labels = {**(template["metadata"].get("labels") or {}), **own}
    selector = {**spec["selector"], "matchLabels": {**(spec["selector"].get("matchLabels") or {}), **own}}
    return {
        "metadata": {
            "name": f"{deployment['metadata']['name']}-{digest}",
            "labels": labels,
            "ownerReferences": [views.reference(deployment)],
        },
        "spec": {
            "replicas": replicas,
            "selector": selector,
            "template": {**template, "metadata": {**template["metadata"], "labels": labels}},
        },
    }


def _rescale(view: views.View, workload: Manifest, replicas: int) -> None:
    if workload["spec"]["replicas"] != replicas:
        view.update("replicasets", {**workload, "spec": {**workload["spec"], "replicas": replicas}})


def _ready(view: views.View, workload: Manifest) -> int:
    return sum(views.is_active(pod) and views.is_ready(pod) for pod in view.owned("pods", workload))


def _report(view: views.View, deployment: Manifest) -> None:
    digest, wanted = views.fingerprint(deployment["spec"]["template"]), deployment["spec"]["replicas"]
    sets = view.owned("replicasets", deployment)
    newest = [each for each in sets if each["metadata"]["labels"].get(_HASH) == digest]
    total, updated = (sum(each["status"]["replicas"] for each in some) for some in (sets, newest))
    ready = sum(_ready(view, each) for each in sets)
    _, unavailable = _allowances(deployment["spec"]) if deployment["spec"]["strategy"]["type"] != "Recreate" else (0, 0)
    enough = ready >= wanted - unavailable
    words = ("MinimumReplicasAvailable", "") if enough else ("MinimumReplicasUnavailable", "not")
    message = f"Deployment does{f' {words[1]}' if words[1] else ''} have minimum availability."
    now = view.calls.now
    counts = {
        "replicas": total,
        "updatedReplicas": updated,
        "readyReplicas": ready,
        "availableReplicas": ready,
        "unavailableReplicas": max(0, wanted - ready),
    }
    status = {field: count for field, count in counts.items() if count}
    status["observedGeneration"] = deployment["metadata"]["generation"]
    told = views.condition(deployment["status"], "Available", str(enough), words[0], message, now)
    view.report("deployments", deployment, {**status, "conditions": list(told)})
