"""A request as a grant: made, compared and keyed in one place.

A new field of ContainerRequest needs another value in OTHER, and nothing else here.
"""

import dataclasses
from typing import Any

import pytest

from kits.manifests import builders
from neuronspan import annotations, grants, instance_types, names, placement, spans
from neuronspan_operator.objects import container_requests, pods

HARDWARE = instance_types.hardware_of("trn1.32xlarge")
REQUEST = container_requests.ContainerRequest("app", 4, align=placement.Alignment.NONE, group_sizes="3,1")
POD = pods.read(builders.make_pod())
SPAN = spans.CoreSpan(4, 4)
GRANT = REQUEST.granted(POD, SPAN, "2026-01-31T09:00:00Z")
OTHER: dict[str, Any] = {
    "container": "side",
    "count": 3,
    "resource": names.DEVICE_RESOURCE,
    "align": placement.Alignment.DEVICE,
    "first": 8,
    "env": grants.EnvMode.COUNT,
    "group_sizes": "4",
    "init_containers": ("i",),
}


FIELDS = [each.name for each in dataclasses.fields(container_requests.ContainerRequest)]


def _granted(**notes: str) -> dict[str, Any]:
    """The stored grant of a pod with these annotations, without what says which cores."""
    pod = pods.read(builders.make_pod(annotations=notes))
    (request,) = pod.requests
    stored = request.granted(pod, spans.CoreSpan(4, request.cores_on(HARDWARE)), GRANT.since).to_dict()
    return {key: value for key, value in stored.items() if key not in {"first", "count", "resource"}}


@pytest.mark.parametrize("each", annotations.OF_USERS, ids=lambda each: each.name)
def test_grant_carries_the_annotations_that_reach_the_container_and_no_others(each: annotations.Annotation) -> None:
    value = each.example or next(choice.value for choice in each.choices if choice.value != each.default)
    asking = {} if each.asks else {names.CORES_ANNOTATION: "4"}
    carried = _granted(**asking, **{each.name: value}) != _granted(**{names.CORES_ANNOTATION: "4"})
    assert carried == (each.effect is annotations.Effect.REACHES_CONTAINER)


def test_every_field_has_another_value_here() -> None:
    assert sorted(OTHER) == sorted(FIELDS), "give each new field a value in OTHER that differs from that of REQUEST"


@pytest.mark.parametrize("field", FIELDS)
def test_request_is_served_by_a_grant_that_was_made_of_it(field: str) -> None:
    """A field that is compared and not granted would have the pod's grant taken back again and again."""
    asked = dataclasses.replace(container_requests.ContainerRequest("app", 4), **{field: OTHER[field]})
    span = spans.CoreSpan(4 if asked.first is None else asked.first, asked.cores_on(HARDWARE))
    assert asked.is_served_by(asked.granted(POD, span, GRANT.since), HARDWARE)


def test_request_is_granted_with_everything_that_it_says() -> None:
    request = container_requests.ContainerRequest(
        "app", 2, names.DEVICE_RESOURCE, env=grants.EnvMode.COUNT, group_sizes="3,1", init_containers=("i",)
    )
    assert request.granted(POD, SPAN, "2026-01-31T09:00:00Z", grants.GrantState.CONFIRMED) == grants.Grant(
        pod_uid="uid-web",
        namespace="default",
        pod="web",
        container="app",
        span=SPAN,
        resource=names.DEVICE_RESOURCE,
        env=grants.EnvMode.COUNT,
        state=grants.GrantState.CONFIRMED,
        since="2026-01-31T09:00:00Z",
        group_sizes="3,1",
        init_containers=("i",),
    )
    assert GRANT.state is grants.GrantState.GRANTED


def test_grant_serves_the_request_that_it_was_made_for() -> None:
    assert REQUEST.is_served_by(GRANT, HARDWARE)
    assert dataclasses.replace(REQUEST, first=4).is_served_by(GRANT, HARDWARE)


@pytest.mark.parametrize("field", FIELDS)
def test_each_field_decides_the_place_or_the_grant(field: str) -> None:
    """A field that neither key nor comparison knows lets two different pods share a place, or an old grant."""
    changed = dataclasses.replace(REQUEST, **{field: OTHER[field]})
    assert changed.placement_key != REQUEST.placement_key or not changed.is_served_by(GRANT, HARDWARE)


@pytest.mark.parametrize("field", sorted(OTHER.keys() - {"align"}))
def test_grant_does_not_serve_a_request_that_has_changed(field: str) -> None:
    assert not dataclasses.replace(REQUEST, **{field: OTHER[field]}).is_served_by(GRANT, HARDWARE)


@pytest.mark.parametrize("field", ["count", "resource", "align", "first"])
def test_placement_key_tells_apart_what_fits_in_other_places(field: str) -> None:
    assert dataclasses.replace(REQUEST, **{field: OTHER[field]}).placement_key != REQUEST.placement_key
