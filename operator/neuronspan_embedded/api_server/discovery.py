"""What the server says of itself: versions, groups, resources, and as much OpenAPI as kubectl asks for. Pure."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from neuronspan_embedded.api_server.rules import kinds, patches

Document = dict[str, Any]
Table = Mapping[tuple[str, str, str], kinds.Kind]

VERSION = "1.36"
_VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
_OF_PARTS = {
    "status": ["get", "patch", "update"],
    "scale": ["get", "patch", "update"],
    "binding": ["create"],
    "eviction": ["create"],
    "finalize": ["update"],
    "log": ["get"],
}
_KINDS_OF_PARTS = {
    "scale": {"kind": "Scale", "group": "autoscaling", "version": "v1"},
    "binding": {"kind": "Binding"},
    "eviction": {"kind": "Eviction", "group": "policy", "version": "v1"},
}
_CORE = 3  # "", api, v1


def document(path: str, table: Table) -> Document | None:
    """Return the document that is served at a path, None when that is no path of discovery."""
    steps = path.strip("/").split("/")
    fixed: Mapping[str, Callable[[], Document]] = {
        "version": _version,
        "api": lambda: {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []},
        "apis": lambda: {"kind": "APIGroupList", "apiVersion": "v1", "groups": _groups(table)},
        "openapi/v3": lambda: _openapi_root(table),
    }
    make = fixed.get("/".join(steps))
    if make is not None:
        return make()
    if steps[:2] == ["openapi", "v3"]:
        return _openapi(steps[2:], table)
    if steps[0] == "apis" and len(steps) == _CORE - 1:
        return next((each for each in _groups(table) if each["name"] == steps[1]), None)
    if steps[0] in {"api", "apis"}:
        return _resources("/".join(steps[1:]), table)
    return None


def _version() -> Document:
    major, minor = VERSION.split(".")
    return {"major": major, "minor": minor, "gitVersion": f"v{VERSION}.0+neuronspan", "platform": "embedded"}


def _group_versions(table: Table) -> list[str]:
    return list(dict.fromkeys(kind.api_version for kind in table.values()))


def _groups(table: Table) -> list[Document]:
    groups: dict[str, list[Document]] = {}
    for version in _group_versions(table):
        group, slash, number = version.rpartition("/")
        if slash:
            groups.setdefault(group, []).append({"groupVersion": version, "version": number})
    return [
        {"kind": "APIGroup", "apiVersion": "v1", "name": group, "versions": served, "preferredVersion": served[0]}
        for group, served in groups.items()
    ]


def _resources(version: str, table: Table) -> Document | None:
    served = [kind for kind in table.values() if kind.api_version == version]
    if not served:
        return None
    listed = [each for kind in served for each in _resources_of(kind)]
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": listed}


def _resources_of(kind: kinds.Kind) -> Iterable[Document]:
    short = {"shortNames": list(kind.short)} if kind.short else {}
    sorts = {"categories": list(kind.categories)} if kind.categories else {}
    own = {"singularName": kind.name.lower(), "namespaced": kind.namespaced, "kind": kind.name}
    yield {"name": kind.plural, **own, "verbs": _VERBS, **short, **sorts}
    for part in kind.subresources:
        other = {**own, "singularName": "", **_KINDS_OF_PARTS.get(part, {})}
        yield {"name": f"{kind.plural}/{part}", **other, "verbs": _OF_PARTS[part]}


def _openapi_root(table: Table) -> Document:
    paths = {
        _root(version): {"serverRelativeURL": f"/openapi/v3/{_root(version)}"} for version in _group_versions(table)
    }
    return {"paths": paths}


def _root(version: str) -> str:
    return f"apis/{version}" if "/" in version else f"api/{version}"


def _openapi(steps: list[str], table: Table) -> Document | None:
    """Return the paths of a version with what each kind's patch takes: kubectl looks for nothing else there."""
    served = [kind for kind in table.values() if _root(kind.api_version) == "/".join(steps)]
    if not served:
        return None
    paths = {_path(kind): {"patch": _patch(kind)} for kind in served}
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": VERSION},
        "paths": paths,
        "components": {"schemas": {}},
    }


def _path(kind: kinds.Kind) -> str:
    scope = "/namespaces/{namespace}" if kind.namespaced else ""
    return f"/{_root(kind.api_version)}{scope}/{kind.plural}/{{name}}"


def _patch(kind: kinds.Kind) -> Document:
    named = ("dryRun", "fieldManager", "fieldValidation", "force")
    return {
        "operationId": f"patch{kind.name}",
        "parameters": [{"name": name, "in": "query", "schema": {"type": "string"}} for name in named],
        "requestBody": {
            "content": {form: {} for form in (patches.JSON, patches.MERGE, patches.STRATEGIC, patches.APPLY)}
        },
        "responses": {"200": {"description": "OK"}},
        "x-kubernetes-action": "patch",
        "x-kubernetes-group-version-kind": {"group": kind.group, "version": kind.version, "kind": kind.name},
    }
