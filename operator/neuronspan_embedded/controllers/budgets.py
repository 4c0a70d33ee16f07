"""PodDisruptionBudgets: how many of their pods may be evicted now."""

from typing import Any

from neuronspan_embedded.api_server.rules import selectors
from neuronspan_embedded.controllers import deployments
from neuronspan_embedded.controllers import view as views

Manifest = dict[str, Any]

_SCALED = ("replicasets", "statefulsets")


def run(view: views.View) -> None:
    """Say of each budget what it allows."""
    for each in view.all("poddisruptionbudgets"):
        _report(view, each)


def _report(view: views.View, budget: Manifest) -> None:
    namespace, selector = budget["metadata"]["namespace"], budget["spec"].get("selector") or {}
    selected = (pod for pod in view.all("pods", namespace) if selectors.matches(selector, _labels(pod)))
    pods = [pod for pod in selected if views.phase(pod) not in {"Succeeded", "Failed"}]
    names = {pod["metadata"]["name"] for pod in pods if not views.is_leaving(pod)}
    disrupted = {name: when for name, when in budget["status"].get("disruptedPods", {}).items() if name in names}
    healthy = sum(views.is_ready(pod) and views.is_active(pod) for pod in pods) - len(disrupted)
    expected = _expected(view, pods)
    desired = _desired(budget["spec"], expected)
    status = {
        "observedGeneration": budget["metadata"]["generation"],
        **({"disruptedPods": disrupted} if disrupted else {}),
        "disruptionsAllowed": max(0, healthy - desired) if expected else 0,
        "currentHealthy": healthy,
        "desiredHealthy": desired,
        "expectedPods": expected,
    }
    view.report("poddisruptionbudgets", budget, status)


def _labels(pod: Manifest) -> dict[str, str]:
    labels: dict[str, str] = pod["metadata"].get("labels") or {}
    return labels


def _expected(view: views.View, pods: list[Manifest]) -> int:
    """Return how many pods there shall be: what their controllers say, and one for each that has none."""
    owners = {views.controller(pod) for pod in pods}
    known = [each for plural in _SCALED for each in view.all(plural) if each["metadata"]["uid"] in owners]
    scaled = {each["metadata"]["uid"] for each in known}
    return views.replicas(known) + sum(views.controller(pod) not in scaled for pod in pods)


def _desired(spec: Manifest, expected: int) -> int:
    if spec.get("maxUnavailable") is not None:
        return max(0, expected - deployments.portion(spec["maxUnavailable"], expected, up=True))
    return deployments.portion(spec.get("minAvailable", 1), expected, up=True)
