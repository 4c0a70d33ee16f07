"""Where objects are served, and which version is older."""

import pytest

from kits.manifests import builders
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


def test_pod_is_known_by_its_uid_and_a_static_one_by_kubelets() -> None:
    assert resources.pod_uid_of(builders.make_pod("web")) == "uid-web"
    assert resources.pod_uid_of(builders.make_mirror("web")) == builders.STATIC_UID
    assert resources.is_static(builders.STATIC_UID)
    assert not resources.is_static("0d9bd9a4-5b6c-4d0f-8f39-5f2f3a8b7c11")


FORGED = {
    "the UID of an API object": builders.make_mirror(static_uid="0d9bd9a4-5b6c-4d0f-8f39-5f2f3a8b7c11"),
    "no hash": builders.make_mirror(static_uid="x"),
    "another node": builders.make_mirror() | {"spec": {"nodeName": "w2"}},
    "no node": builders.make_mirror() | {"spec": {}},
}


@pytest.mark.parametrize("manifest", FORGED.values(), ids=FORGED.keys())
def test_forged_mirror_stands_for_nobody_but_itself(manifest: builders.Manifest) -> None:
    assert resources.pod_uid_of(manifest) == "uid-web"
