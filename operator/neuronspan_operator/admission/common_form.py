"""The patch that gives a pod its common form: label, scheduler or gate, the container that is meant, limits.

What cannot be read is left alone: ``mistakes`` says what is wrong with it, in words that help.
"""

import collections
from collections.abc import Iterator, Mapping
from typing import Any, Final

from neuronspan import annotations, names
from neuronspan_operator.admission import wishes
from neuronspan_operator.admission.settings import Settings

_POD_WIDE: Final = frozenset(each.name for each in annotations.OF_USERS if each.asks)

Operation = dict[str, Any]
"""One operation of a JSON patch (RFC 6902); all of ours are additions."""


def patch(metadata: Any, spec: Any, settings: Settings) -> tuple[Operation, ...]:
    """Return what a pod lacks; nothing when it does not ask, or has everything."""
    pod = wishes.read(metadata, spec, settings, _first_brought(metadata, spec))
    is_pod = isinstance(metadata, Mapping) and isinstance(spec, Mapping) and bool(pod.containers)
    if not pod.asks or not is_pod:
        return ()
    found = [*_label(pod)]
    if not pod.node:  # the kubelet's mirror pods have one, too: too late to choose
        found += [*_binder(pod), *_container(pod), *_limits(pod, wishes.mapping(spec))]
    return tuple(found)


def _first_brought(metadata: Any, spec: Any) -> str | None:
    """Return the first container that the request brought, None when nobody has noted that.

    Another one may have put its container in front before we are asked. The API server notes the fields of a request
    before it asks anybody (createHandler in apiserver/pkg/endpoints/handlers/create.go).
    """
    fields = [
        wishes.mapping(each.get("fieldsV1")) for each in wishes.items(wishes.mapping(metadata).get("managedFields"))
    ]
    noted = [wishes.mapping(wishes.mapping(each.get("f:spec")).get("f:containers")) for each in fields]
    named = (wishes.text(each.get("name")) for each in wishes.items(wishes.mapping(spec).get("containers")))
    return next((name for name in named if any(f'k:{{"name":"{name}"}}' in each for each in noted)), None)


def _label(pod: wishes.Pod) -> Iterator[Operation]:
    if pod.labels.get(names.MANAGED_LABEL) != names.MANAGED_VALUE:
        yield _added("/metadata/labels", names.MANAGED_LABEL, names.MANAGED_VALUE, is_there=bool(pod.labels))


def _binder(pod: wishes.Pod) -> Iterator[Operation]:
    if not pod.is_guest:
        if pod.scheduler != names.SCHEDULER:
            yield _add("/spec/schedulerName", names.SCHEDULER)
    elif not pod.gates:
        yield _add("/spec/schedulingGates", [{"name": names.SCHEDULING_GATE}])
    elif names.SCHEDULING_GATE not in pod.gates:
        yield _add("/spec/schedulingGates/-", {"name": names.SCHEDULING_GATE})


def _container(pod: wishes.Pod) -> Iterator[Operation]:
    """Fix at first sight which container is meant, so that one which somebody puts in front later changes nothing."""
    named = names.CONTAINER_ANNOTATION in pod.annotations
    if not named and any(wish.by in _POD_WIDE for wish in pod.wishes):
        yield _added("/metadata/annotations", names.CONTAINER_ANNOTATION, pod.main, is_there=True)


def _limits(pod: wishes.Pod, spec: Mapping[str, Any]) -> Iterator[Operation]:
    shares = _shares(pod)
    for field in ("initContainers", "containers"):
        for index, raw in enumerate(wishes.items(spec.get(field))):
            name = wishes.text(raw.get("name"))
            share = shares.get(name)
            if name and share is not None:
                yield from _share(f"/spec/{field}/{index}/resources", wishes.mapping(raw.get("resources")), *share)


def _shares(pod: wishes.Pod) -> dict[str, tuple[str, str]]:
    """Return resource and count of each container whose wishes nothing contradicts and nothing has fulfilled."""
    limited = {each.name for each in pod.containers if each.is_limited}
    wished: Mapping[str, set[tuple[str, int]]] = collections.defaultdict(set)
    for wish in pod.wishes:
        wished[wish.container].add((wish.resource, wish.count))
    return {
        wish.container: (wish.resource, str(wish.count))
        for wish in pod.readable
        if wish.container not in limited and len(wished[wish.container]) == 1
    }


def _share(path: str, resources: Mapping[str, Any], resource: str, count: str) -> Iterator[Operation]:
    if not any(resources.get(part) for part in ("limits", "requests", "claims")):
        yield _add(path, {"limits": {resource: count}, "requests": {resource: count}})
        return
    for part in ("limits", "requests"):
        yield _added(f"{path}/{part}", resource, count, is_there=bool(wishes.mapping(resources.get(part))))


def _added(path: str, key: str, value: str, *, is_there: bool) -> Operation:
    """Return the addition of one entry to an object, or of the object where it is not there yet."""
    escaped = key.replace("~", "~0").replace("/", "~1")
    return _add(f"{path}/{escaped}", value) if is_there else _add(path, {key: value})


def _add(path: str, value: Any) -> Operation:
    return {"op": "add", "path": path, "value": value}
