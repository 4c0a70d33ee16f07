"""What kube-apiserver forbids in names, pods and workloads, as far as it would mislead whoever runs them here. Pure.

The words are those of k8s.io/kubernetes/pkg/apis/core/validation and k8s.io/apimachinery/pkg/util/validation.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from neuronspan_embedded.api_server.rules import kinds, selectors

Manifest = Mapping[str, Any]

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(rf"{_LABEL.pattern}(\.{_LABEL.pattern})*")
_LONGEST_LABEL, _LONGEST_NAME = 63, 253
_CHARACTERS = "and must start and end with an alphanumeric character"
_LABEL_WORDS = f"a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', {_CHARACTERS}"
_SUBDOMAIN_WORDS = (
    f"a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', {_CHARACTERS}"
)
_QUANTITY = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+|[numkMGTPE]|[KMGTPE]i)?")
_QUANTITY_WORDS = "quantities must be numbers, with a unit as in 500m, 2Gi or 1e3 behind them if any"
_PATH_WORDS = "may not be '.' or '..', and may not contain '/' or '%'"
_POSITIVE = "must be greater than or equal to 0"
_OF_LABELS = frozenset({"Namespace", "Service"})
_RBAC = "rbac.authorization.k8s.io"
_RESTARTS = ("Always", "OnFailure", "Never")
_SELECTING = frozenset({"Deployment", "ReplicaSet", "StatefulSet", "DaemonSet"})
_REFERENCES: Mapping[str, tuple[str, ...]] = {
    "configMapKeyRef": ("name", "key"),
    "secretKeyRef": ("name", "key"),
    "fieldRef": ("fieldPath",),
    "resourceFieldRef": ("resource",),
}
_SOURCES: Mapping[str, str] = {"configMap": "name", "secret": "secretName", "hostPath": "path"}


def problems(kind: kinds.Kind, manifest: Manifest) -> Iterator[str]:
    """Yield what forbids to store an object, after its defaults are there: field, value, and why."""
    yield from _name(kind, manifest["metadata"]["name"])
    spec = manifest.get("spec") or {}
    if kind.name == "Pod":
        yield from _pod(spec, "spec")
    elif kind.name in _SELECTING or kind.name == "Job":
        yield from _workload(kind, spec)
    elif kind.name == "CronJob":
        yield from _template((spec.get("jobTemplate") or {}).get("spec") or {}, "spec.jobTemplate.spec")


def _name(kind: kinds.Kind, name: str) -> Iterator[str]:
    where = "metadata.name"
    if kind.group == _RBAC:
        if name in {".", ".."} or "/" in name or "%" in name:
            yield _invalid(where, name, _PATH_WORDS)
    elif kind.name in _OF_LABELS:
        yield from _label(name, where)
    elif not _SUBDOMAIN.fullmatch(name):
        yield _invalid(where, name, _SUBDOMAIN_WORDS)
    elif len(name) > _LONGEST_NAME:
        yield _invalid(where, name, f"must be no more than {_LONGEST_NAME} bytes")


def _workload(kind: kinds.Kind, spec: Manifest) -> Iterator[str]:
    for field in ("replicas", "parallelism", "completions"):
        if (spec.get(field) or 0) < 0:
            yield _invalid(f"spec.{field}", spec[field], _POSITIVE)
    labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels") or {}
    if kind.name in _SELECTING:
        selector = spec.get("selector") or {}
        if not (selector.get("matchLabels") or selector.get("matchExpressions")):
            yield "spec.selector: Required value"
        elif not selectors.matches(selector, labels):
            why = "`selector` does not match template `labels`"
            yield _invalid("spec.template.metadata.labels", dict(labels), why)
    yield from _template(spec, "spec")


def _template(spec: Manifest, path: str) -> Iterator[str]:
    yield from _pod((spec.get("template") or {}).get("spec") or {}, f"{path}.template.spec")


def _pod(spec: Manifest, path: str) -> Iterator[str]:
    if not spec.get("containers"):
        yield f"{path}.containers: Required value"
    policy, seconds = spec.get("restartPolicy") or "Always", spec.get("terminationGracePeriodSeconds") or 0
    if policy not in _RESTARTS:
        supported = ", ".join(f'"{each}"' for each in _RESTARTS)
        yield f'{path}.restartPolicy: Unsupported value: "{policy}": supported values: {supported}'
    if seconds < 0:
        yield _invalid(f"{path}.terminationGracePeriodSeconds", seconds, _POSITIVE)
    volumes = spec.get("volumes") or ()
    yield from _names(volumes, f"{path}.volumes", set())
    for index, each in enumerate(volumes):
        yield from _volume(each, f"{path}.volumes[{index}]")
    known, seen = {each.get("name") for each in volumes}, set[Any]()
    for field in ("initContainers", "containers"):
        listed = spec.get(field) or ()
        yield from _names(listed, f"{path}.{field}", seen)
        for index, each in enumerate(listed):
            yield from _container(each, f"{path}.{field}[{index}]", known)


def _volume(volume: Manifest, path: str) -> Iterator[str]:
    for field, name in _SOURCES.items():
        source = volume.get(field)
        if source is not None:
            yield from _missing(source, (name,), f"{path}.{field}")
            for index, each in enumerate(source.get("items") or ()):
                yield from _missing(each, ("key", "path"), f"{path}.{field}.items[{index}]")


def _container(container: Manifest, path: str, volumes: set[Any]) -> Iterator[str]:
    yield from _missing(container, ("image",), path)
    for part in ("limits", "requests"):
        for resource, amount in ((container.get("resources") or {}).get(part) or {}).items():
            if not _QUANTITY.fullmatch(str(amount)):
                yield _invalid(f"{path}.resources.{part}[{resource}]", str(amount), _QUANTITY_WORDS)
    for index, each in enumerate(container.get("volumeMounts") or ()):
        yield from _mount(each, f"{path}.volumeMounts[{index}]", volumes)
    for index, each in enumerate(container.get("env") or ()):
        inner = f"{path}.env[{index}]"
        yield from _missing(each, ("name",), inner)
        for field, reference in (each.get("valueFrom") or {}).items():
            yield from _missing(reference or {}, _REFERENCES.get(field, ()), f"{inner}.valueFrom.{field}")
    for index, each in enumerate(container.get("envFrom") or ()):
        inner = f"{path}.envFrom[{index}]"
        found = [field for field in ("configMapRef", "secretRef") if each.get(field)]
        if len(found) != 1:
            yield f"{inner}: Invalid value: must specify one of: `configMapRef` or `secretRef`"
        for field in found:
            yield from _missing(each[field], ("name",), f"{inner}.{field}")


def _mount(mount: Manifest, path: str, volumes: set[Any]) -> Iterator[str]:
    yield from _missing(mount, ("mountPath",), path)
    if mount.get("name") not in volumes:
        yield f'{path}.name: Not found: "{mount.get("name") or ""}"'
    sub = mount.get("subPath") or ""
    if sub.startswith("/") or ".." in sub.split("/"):
        yield _invalid(f"{path}.subPath", sub, "must be a relative path and must not contain '..'")


def _missing(value: Manifest, fields: Iterable[str], path: str) -> Iterator[str]:
    yield from (f"{path}.{field}: Required value" for field in fields if not value.get(field))


def _names(listed: Iterable[Manifest], path: str, seen: set[Any]) -> Iterator[str]:
    """Yield what is wrong with names that stand beside those that were ``seen``, and add them there."""
    for index, each in enumerate(listed):
        name, where = each.get("name"), f"{path}[{index}].name"
        if not name:
            yield f"{where}: Required value"
            continue
        yield from _label(name, where)
        if name in seen:
            yield f'{where}: Duplicate value: "{name}"'
        seen.add(name)


def _label(name: str, path: str) -> Iterator[str]:
    if not _LABEL.fullmatch(name):
        yield _invalid(path, name, _LABEL_WORDS)
    elif len(name) > _LONGEST_LABEL:
        yield _invalid(path, name, f"must be no more than {_LONGEST_LABEL} bytes")


def _invalid(path: str, value: Any, why: str) -> str:
    shown = f'"{value}"' if isinstance(value, str) else value
    return f"{path}: Invalid value: {shown}: {why}"
