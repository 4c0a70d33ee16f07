"""Where objects are served, and which version is older."""

import pytest

from neuronspan_agent import resources


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (resources.PODS.path(), "/api/v1/pods"),
        (resources.PODS.path(namespace="a b", name="c/d"), "/api/v1/namespaces/a%20b/pods/c%2Fd"),
        (resources.LEASES.path(namespace="ns", name="l"), "/apis/coordination.k8s.io/v1/namespaces/ns/leases/l"),
    ],
)
def test_resource_paths(path: str, expected: str) -> None:
    assert path == expected


def test_object_is_named_as_kubectl_users_name_it() -> None:
    assert resources.full_name({"metadata": {"namespace": "default", "name": "web"}}) == "default/web"
    assert resources.full_name({"metadata": {"name": "w1"}}) == "w1"


@pytest.mark.parametrize(
    ("seen", "written", "older"), [("9", "10", True), ("10", "10", False), ("11", "10", False), ("", "10", True)]
)
def test_versions_are_compared_as_numbers(seen: str, written: str, older: bool) -> None:
    assert resources.is_older(seen, written) is older


@pytest.mark.parametrize(
    ("seen", "older"), [("before", True), ("after", False), ("other", False)], ids=["before", "after", "other"]
)
def test_versions_that_are_no_numbers_are_older_only_when_known_so(seen: str, older: bool) -> None:
    assert resources.is_older(seen, "after", "before") is older
