"""The parts of objects that have calls of their own: bindings and evictions of pods, scale, the end of namespaces."""

from collections.abc import Callable, Mapping
from typing import Any

from neuronspan_embedded.api_server import deleting, verbs
from neuronspan_embedded.api_server.rules import kinds, refusals, selectors

Manifest = dict[str, Any]

_CREATED = 201
_BUDGETS = kinds.Kind("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget")
_SCALE = {"kind": "Scale", "apiVersion": "autoscaling/v1"}


def bind(calls: verbs.Verbs, target: verbs.Target, binding: Mapping[str, Any], options: verbs.Options) -> Manifest:
    """Give a pod its node and the binding's annotations; raises Refusal when it changed, has one, or is leaving."""
    pod = calls.get(target)
    metadata = binding.get("metadata") or {}
    _refuse_binding(target, pod, metadata)
    node = binding["target"]["name"]
    scheduled = {"type": "PodScheduled", "status": "True", "lastProbeTime": None, "lastTransitionTime": calls.now}
    conditions = [each for each in pod["status"].get("conditions", ()) if each["type"] != "PodScheduled"]
    annotations = {**pod["metadata"].get("annotations", {}), **(metadata.get("annotations") or {})}
    bound = {
        **pod,
        "metadata": {**pod["metadata"], **({"annotations": annotations} if annotations else {})},
        "spec": {**pod["spec"], "nodeName": node},
        "status": {**pod["status"], "conditions": [*conditions, scheduled]},
    }
    if not options.dry_run:
        calls.store_as_is(target.kind, bound)
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": _CREATED}


def _refuse_binding(target: verbs.Target, pod: Manifest, metadata: Mapping[str, Any]) -> None:
    there = pod["metadata"]
    if metadata.get("name") != target.name:
        raise refusals.bad_request(f"name in URL does not match name in Binding object: {metadata.get('name')!r}")
    for field, word in (("uid", "UID"), ("resourceVersion", "ResourceVersion")):
        wanted = metadata.get(field)
        if wanted and wanted != there[field]:
            why = f"Precondition failed: {word} in precondition: {wanted}, {word} in object meta: {there[field]}"
            raise refusals.conflict("pods/binding", target.name, why)
    if "deletionTimestamp" in there:
        raise refusals.conflict(
            "pods/binding", target.name, f"pod {target.name} is being deleted, cannot be assigned to a host"
        )
    if pod["spec"].get("nodeName"):
        why = f'pod {target.name} is already assigned to node "{pod["spec"]["nodeName"]}"'
        raise refusals.conflict("pods/binding", target.name, why)
    if pod["spec"].get("schedulingGates"):
        why = f"pod {target.name} has non-empty .spec.schedulingGates"
        raise refusals.conflict("pods/binding", target.name, why)


def evict(calls: verbs.Verbs, target: verbs.Target, eviction: Mapping[str, Any], options: verbs.Options) -> Manifest:
    """Delete a pod if its disruption budget allows it now; raises Refusal (429) while it does not."""
    pod = calls.get(target)
    wish = deleting.read(eviction.get("deleteOptions") or {}, {})
    running = pod["status"].get("phase") not in {"Pending", "Succeeded", "Failed"}
    budgets = _budgets_of(calls, pod) if running and "deletionTimestamp" not in pod["metadata"] else []
    if len(budgets) > 1:
        raise refusals.Refusal(
            500, "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
        )
    for budget in budgets:
        _spend(calls, budget, pod, options)
    if not options.dry_run:
        deleting.delete(calls, target, wish)
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": _CREATED}


def _budgets_of(calls: verbs.Verbs, pod: Manifest) -> list[Manifest]:
    labels = pod["metadata"].get("labels") or {}
    budgets = calls.store.all(_BUDGETS.resource, pod["metadata"]["namespace"])
    return [each for each in budgets if selectors.matches(each["spec"].get("selector") or {}, labels)]


def _spend(calls: verbs.Verbs, budget: Manifest, pod: Manifest, options: verbs.Options) -> None:
    status = budget["status"]
    if status.get("observedGeneration", 0) < budget["metadata"]["generation"] or status["disruptionsAllowed"] < 1:
        message = "Cannot evict pod as it would violate the pod's disruption budget."
        raise refusals.Refusal(429, message, details={"causes": [_why(budget)]})
    if not options.dry_run:
        disrupted = {**status.get("disruptedPods", {}), pod["metadata"]["name"]: calls.now}
        spent = {**status, "disruptionsAllowed": status["disruptionsAllowed"] - 1, "disruptedPods": disrupted}
        calls.store_as_is(_BUDGETS, {**budget, "status": spent})


def _why(budget: Manifest) -> Manifest:
    status, name = budget["status"], budget["metadata"]["name"]
    need, have = status.get("desiredHealthy", 0), status.get("currentHealthy", 0)
    message = f"The disruption budget {name} needs {need} healthy pods and has {have} currently"
    return {"reason": "DisruptionBudget", "message": message}


def scale(calls: verbs.Verbs, target: verbs.Target) -> Manifest:
    """Return how many replicas a workload has, and shall have."""
    return _scale_of(calls.get(target))


def rescale(
    calls: verbs.Verbs, target: verbs.Target, change: Callable[[Manifest], Mapping[str, Any]], options: verbs.Options
) -> Manifest:
    """Change how many replicas a workload shall have."""
    found = calls.get(target)
    wanted = change(_scale_of(found))
    whole = verbs.Target(target.kind, target.namespace, target.name)
    changed = {**found, "spec": {**found["spec"], "replicas": int((wanted.get("spec") or {}).get("replicas", 0))}}
    return _scale_of(calls.replace(whole, changed, options))


def _scale_of(workload: Manifest) -> Manifest:
    fields = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    labels = workload["spec"].get("selector", {}).get("matchLabels", {})
    return {
        **_SCALE,
        "metadata": {field: workload["metadata"][field] for field in fields},
        "spec": {"replicas": workload["spec"]["replicas"]},
        "status": {
            "replicas": workload.get("status", {}).get("replicas", 0),
            "selector": ",".join(f"{key}={value}" for key, value in sorted(labels.items())),
        },
    }


def finalize(calls: verbs.Verbs, target: verbs.Target, manifest: Mapping[str, Any]) -> Manifest:
    """Take what still keeps a namespace from its end; it goes when nothing is left."""
    found = calls.get(target)
    spec = {**found["spec"], "finalizers": list((manifest.get("spec") or {}).get("finalizers") or ())}
    changed = {**found, "spec": spec}
    if "deletionTimestamp" in found["metadata"] and not spec["finalizers"]:
        return calls.store.remove(target.kind.resource, "", target.name)
    return calls.store_as_is(target.kind, changed)
