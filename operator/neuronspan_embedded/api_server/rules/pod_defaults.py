"""What a pod, or the template of one, has when its manifest does not say: as kube-apiserver fills it in."""

from collections.abc import Iterator, Mapping
from typing import Any

Manifest = dict[str, Any]

_SPEC: Mapping[str, Any] = {
    "dnsPolicy": "ClusterFirst",
    "restartPolicy": "Always",
    "terminationGracePeriodSeconds": 30,
    "schedulerName": "default-scheduler",
}
_CONTAINER: Mapping[str, Any] = {
    "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File",
}
_PROBE: Mapping[str, Any] = {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3}
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_MODE = 0o644
_MODES = ("secret", "configMap", "downwardAPI", "projected")
_LEAVING = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
_LEAVING_SECONDS = 300
_HOUR = 3600


def template(spec: Manifest) -> None:
    """Fill in the spec of a pod's template."""
    for field, value in _SPEC.items():
        spec[field] = (
            spec.get(field) or value
            if value != _SPEC["terminationGracePeriodSeconds"]
            else (value if spec.get(field) is None else spec[field])
        )
    if spec.get("securityContext") is None:
        spec["securityContext"] = {}
    _service_account(spec)
    for each in containers(spec):
        _container(each, host_network=bool(spec.get("hostNetwork")))
    for each in spec.get("volumes") or ():
        _volume(each)


def pod(spec: Manifest) -> None:
    """Fill in the spec of a pod that is created: what its template has, and what pods alone have."""
    template(spec)
    spec.setdefault("enableServiceLinks", True)
    spec.setdefault("preemptionPolicy", "PreemptLowerPriority")
    for each in containers(spec):
        limits = each["resources"].get("limits")
        if limits:
            each["resources"]["requests"] = {**limits, **(each["resources"].get("requests") or {})}
    _tolerations(spec)


def quality(spec: Mapping[str, Any]) -> str:
    """Return the quality of service class of a pod."""
    amounts = [_compute(each.get("resources") or {}) for each in containers(spec)]
    if not any(limits or requests for limits, requests in amounts):
        return "BestEffort"
    guaranteed = all(len(limits) == len(_COMPUTE) and limits == requests for limits, requests in amounts)
    return "Guaranteed" if guaranteed else "Burstable"


_COMPUTE = ("cpu", "memory")


def _compute(resources: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, str]]:
    limits, requests = (resources.get(field) or {} for field in ("limits", "requests"))
    return (
        {name: str(limits[name]) for name in _COMPUTE if name in limits},
        {name: str(requests[name]) for name in _COMPUTE if name in requests},
    )


def containers(spec: Mapping[str, Any]) -> Iterator[Manifest]:
    """Yield the containers of a pod, those that start before the others first."""
    yield from spec.get("initContainers") or ()
    yield from spec.get("containers") or ()


def _service_account(spec: Manifest) -> None:
    """Let the old and the new name of one field be equal, as the API server does."""
    name = spec.get("serviceAccountName") or spec.get("serviceAccount")
    if name:
        spec["serviceAccountName"] = spec["serviceAccount"] = name


def _container(container: Manifest, *, host_network: bool) -> None:
    for field, value in _CONTAINER.items():
        container[field] = container.get(field) or value
    if not container.get("imagePullPolicy"):
        container["imagePullPolicy"] = _pull_policy(container.get("image") or "")
    if container.get("resources") is None:
        container["resources"] = {}
    for port in container.get("ports") or ():
        port.setdefault("protocol", "TCP")
        if host_network:
            port.setdefault("hostPort", port["containerPort"])
    for probe in filter(None, (container.get(name) for name in _PROBES)):
        for field, value in _PROBE.items():
            probe[field] = probe.get(field) or value
        _http(probe.get("httpGet"))
    for variable in container.get("env") or ():
        _field_reference((variable.get("valueFrom") or {}).get("fieldRef"))


def _pull_policy(image: str) -> str:
    name, at, _ = image.partition("@")
    _, colon, tag = name.rpartition("/")[2].partition(":")
    latest = tag == "latest" if colon else not at
    return "Always" if latest else "IfNotPresent"


def _http(action: Manifest | None) -> None:
    if action is not None:
        action.setdefault("path", "/")
        action.setdefault("scheme", "HTTP")


def _field_reference(reference: Manifest | None) -> None:
    if reference is not None:
        reference.setdefault("apiVersion", "v1")


def _volume(volume: Manifest) -> None:
    if set(volume) <= {"name"}:
        volume["emptyDir"] = {}
    for source in filter(None, (volume.get(name) for name in _MODES)):
        source.setdefault("defaultMode", _MODE)
        for each in source.get("sources") or ():
            if "serviceAccountToken" in each:
                each["serviceAccountToken"].setdefault("expirationSeconds", _HOUR)
            _items((each.get("downwardAPI") or {}).get("items"))
        _items(source.get("items"))
    if volume.get("hostPath") is not None:
        volume["hostPath"].setdefault("type", "")


def _items(items: list[Manifest] | None) -> None:
    for each in items or ():
        _field_reference(each.get("fieldRef"))


def _tolerations(spec: Manifest) -> None:
    """Let the pod leave a node that is lost five minutes later, unless it says something else of such nodes."""
    own = spec.get("tolerations") or []
    added = [
        {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": _LEAVING_SECONDS}
        for key in _LEAVING
        if not any(_tolerates(each, key) for each in own)
    ]
    if own or added:
        spec["tolerations"] = [*own, *added]


def _tolerates(toleration: Mapping[str, Any], key: str) -> bool:
    return toleration.get("key") in {None, "", key} and toleration.get("effect") in {None, "", "NoExecute"}
