"""The writes of a pod's life up to its binding: by the operator's rules, and of a plain pod."""

from collections.abc import Callable, Mapping
from typing import Any

from kits.api_server import admission as admission_kit
from kits.api_server import api_client
from neuronspan import names
from performance.writes import turns

_ASKED = {"cpu": "100m", "memory": "500Mi"}  # as the pods of scheduler_perf
_CORES = {names.CORES_ANNOTATION: "4"}
_GRANT = {names.GRANT_ANNOTATION: '{"node":"w1","containers":{"app":"4-7"}}'}


def calls(admission: admission_kit.Admission) -> Mapping[str, Callable[[int], turns.Call]]:
    """Return the creation and the binding of a plain pod, and of one that asks for NeuronCores."""
    admin, operator = admission.admin, admission.operator
    return {
        "create_plain": lambda _: _creation(admin, admission.unique("plain"), {}),
        "create_cores": lambda _: _creation(admin, admission.unique("cores"), _CORES),
        "bind_plain": lambda _: _binding(admin, admin, admission.unique("plain"), {}),
        "bind_cores": lambda _: _binding(admin, operator, admission.unique("cores"), _CORES),
    }


def _creation(client: api_client.Client, name: str, annotations: Mapping[str, str]) -> turns.Call:
    container = {"name": "app", "image": "none", "resources": {"limits": _ASKED, "requests": _ASKED}}
    pod = {"metadata": {"name": name, "annotations": dict(annotations)}, "spec": {"containers": [container]}}
    return lambda: client.create(admission_kit.PODS, pod)


def _binding(
    admin: api_client.Client, binder: api_client.Client, name: str, annotations: Mapping[str, str]
) -> turns.Call:
    _creation(admin, name, annotations)()
    stored = admin.get(f"{admission_kit.PODS}/{name}")["metadata"]
    planned: dict[str, Any] = {"uid": stored["uid"], "resourceVersion": stored["resourceVersion"]}
    if annotations:
        planned["annotations"] = _GRANT
    binding = admission_kit.binding(name, **planned)
    return lambda: binder.create(f"{admission_kit.PODS}/{name}/binding", binding)
