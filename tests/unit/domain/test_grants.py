import dataclasses
import itertools
from typing import Any

import pytest

from kits.manifests import domain
from neuronspan import errors, grants, names

GRANTED, CONFIRMED, RELEASING = grants.GrantState.GRANTED, grants.GrantState.CONFIRMED, grants.GrantState.RELEASING

STORED = {
    "podUID": "uid-web",
    "container": "app",
    "namespace": "default",
    "pod": "web",
    "first": 4,
    "count": 4,
    "resource": "aws.amazon.com/neuroncore",
    "env": "visible",
    "state": "Granted",
    "since": "2026-01-31T09:00:00Z",
}
OF_OLDER_VERSIONS = {"groupSizes": "", "initContainers": []}


def test_grant_is_stored_as_published() -> None:
    assert domain.grant().to_dict() == STORED


@pytest.mark.parametrize(
    "grant",
    [
        domain.grant(),
        domain.grant("31", pod="job", state=RELEASING, resource=names.DEVICE_RESOURCE),
        domain.grant("0-7", env=grants.EnvMode.COUNT, group_sizes="3,4,1", init_containers=("setup", "warm")),
        domain.grant(since="2026-01-31T09:00:00.123456+01:00"),
    ],
    ids=["plain", "device", "groups", "offset"],
)
def test_grant_reads_what_it_stores(grant: grants.Grant) -> None:
    assert grants.Grant.from_dict(grant.to_dict() | {"later": True}) == grant


def test_grant_stores_what_only_some_grants_have() -> None:
    grant = domain.grant("0-7", group_sizes="3,4,1", init_containers=("setup",))
    assert grant.to_dict().items() >= {"groupSizes": "3,4,1", "initContainers": ["setup"]}.items()


def test_grant_reads_the_form_of_older_versions() -> None:
    assert grants.Grant.from_dict(STORED | OF_OLDER_VERSIONS) == domain.grant()


def test_grant_key_is_pod_and_container() -> None:
    assert domain.grant().key == ("uid-web", "app")
    assert str(domain.grant()) == "default/web[app] 4-7"


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        ("pod_uid", "", "pod_uid of the grant of default/web[app] is '': give a name"),
        ("namespace", None, "namespace of the grant of None/web[app] is None: give a name"),
        ("pod", "", "pod of the grant of default/[app] is '': give a name"),
        ("container", 3, "container of the grant of default/web[3] is 3: give a name"),
        ("span", "4-7", "span of the grant of default/web[app] is '4-7': give a CoreSpan"),
        (
            "resource",
            "nvidia.com/gpu",
            f"resource of the grant of default/web[app] is 'nvidia.com/gpu': it is one of {', '.join(names.RESOURCES)}",
        ),
        ("env", "visible", "env of the grant of default/web[app] is 'visible': it is one of visible, count"),
        (
            "state",
            "Granted",
            "state of the grant of default/web[app] is 'Granted': it is one of Granted, Confirmed, Releasing",
        ),
        (
            "since",
            "yesterday",
            "since of the grant of default/web[app] is 'yesterday': give an RFC 3339 time like 2026-01-31T09:00:00Z",
        ),
        (
            "group_sizes",
            "3,0",
            "group_sizes of the grant of default/web[app] is '3,0': give the cores of each group, like 3,4,1",
        ),
        (
            "group_sizes",
            "3,4",
            "group_sizes of the grant of default/web[app] is '3,4': its sum is 7, make it the 4 cores of the span",
        ),
        ("group_sizes", None, "group_sizes of the grant of default/web[app] is None: give a text like 3,4,1"),
        (
            "init_containers",
            ("app",),
            "init_containers of the grant of default/web[app] is ('app',): give other containers than app, each once",
        ),
        (
            "init_containers",
            ("a", "a"),
            "init_containers of the grant of default/web[app] is ('a', 'a'): give other containers than app, each once",
        ),
        (
            "init_containers",
            ("",),
            "init_containers of the grant of default/web[app] is ('',): give other containers than app, each once",
        ),
    ],
)
def test_grant_refuses_a_bad_field(field: str, value: Any, text: str) -> None:
    with pytest.raises(errors.InvalidGrant) as caught:
        domain.grant(**{field: value})
    assert str(caught.value) == text


@pytest.mark.parametrize(
    "since",
    [
        "",
        "2026-01-31",
        "2026-01-31T09:00:00",
        "2026-01-31 09:00:00Z",
        "2026-01-31T09:00Z",
        "2026-01-31T09:00:00Z\n",
        7,
    ],
)
def test_grant_refuses_a_time_that_is_not_rfc_3339(since: Any) -> None:
    with pytest.raises(errors.InvalidGrant, match="give an RFC 3339 time"):
        domain.grant(since=since)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"first": -1}, "cannot be read: first core of a span is -1"),
        ({"first": "4"}, "cannot be read: first core of a span is '4'"),
        ({"count": 0}, "cannot be read: number of cores of a span is 0"),
        ({"env": "both"}, "cannot be read: 'both' is not a valid EnvMode"),
        ({"state": "Bound"}, "cannot be read: 'Bound' is not a valid GrantState"),
        ({"since": 0}, "cannot be read: since of the grant"),
        ({"initContainers": 3}, "cannot be read: 'int' object is not iterable"),
        ({"initContainers": "setup"}, "cannot be read: 'setup' is not a list of names"),
        ({"initContainers": [["a"]]}, "cannot be read: init_containers"),
        ({"groupSizes": 4}, "cannot be read: group_sizes"),
    ],
)
def test_grant_refuses_a_bad_stored_form(change: dict[str, Any], text: str) -> None:
    with pytest.raises(errors.InvalidGrant, match=text):
        grants.Grant.from_dict(STORED | change)


def test_grant_refuses_a_stored_form_that_is_no_object() -> None:
    nothing: Any = None
    with pytest.raises(errors.InvalidGrant, match="grant None cannot be read"):
        grants.Grant.from_dict(nothing)


@pytest.mark.parametrize("key", list(STORED))
def test_grant_names_the_missing_key(key: str) -> None:
    with pytest.raises(errors.InvalidGrant, match=f"lacks {key}: give it"):
        grants.Grant.from_dict({each: value for each, value in STORED.items() if each != key})


STEPS = [(GRANTED, CONFIRMED), (GRANTED, RELEASING), (CONFIRMED, RELEASING)]


@pytest.mark.parametrize(("before", "after"), STEPS)
def test_grant_moves_along_the_table(before: grants.GrantState, after: grants.GrantState) -> None:
    grant = domain.grant(state=before)
    assert grant.moved_to(after, domain.LATER) == dataclasses.replace(grant, state=after, since=domain.LATER)


@pytest.mark.parametrize(
    ("before", "after"),
    [step for step in itertools.product(grants.GrantState, repeat=2) if step not in STEPS],
)
def test_grant_refuses_a_move_that_is_not_in_the_table(before: grants.GrantState, after: grants.GrantState) -> None:
    grant = domain.grant(state=before)
    with pytest.raises(errors.IllegalTransition, match=f"is {before} and cannot become {after}: only"):
        grant.moved_to(after, domain.LATER)


def test_transition_table_has_a_row_for_every_state() -> None:
    assert set(grants.TRANSITIONS) == set(grants.GrantState)


def test_grant_says_where_it_can_go() -> None:
    with pytest.raises(errors.IllegalTransition, match="only Confirmed or Releasing"):
        domain.grant().moved_to(GRANTED, domain.LATER)
    with pytest.raises(errors.IllegalTransition, match="only nothing: it can only be forgotten"):
        domain.grant(state=RELEASING).moved_to(CONFIRMED, domain.LATER)
