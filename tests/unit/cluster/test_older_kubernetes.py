"""Which older version of Kubernetes is asked for, and the module that builds it."""

import pytest

from cluster import errors, older_kubernetes

NEW = """module k8s.io/kubernetes

go 1.24.0

replace (
	k8s.io/api => ./staging/src/k8s.io/api
	k8s.io/kms => ./staging/src/k8s.io/kms
)
"""
OLD = "module k8s.io/kubernetes\n\ngo 1.22.0\n\nrequire (\n\tk8s.io/api v0.0.0\n\tk8s.io/klog/v2 v2.120.1\n)\n"


@pytest.mark.parametrize(
    ("asked", "query"),
    [("1.33", "v1.33"), ("1.33.x", "v1.33"), ("v1.30.14", "v1.30.14"), ("1.30.0", "v1.30.0")],
)
def test_version_is_asked_for_as_go_reads_it(asked: str, query: str) -> None:
    assert older_kubernetes.query(asked) == query


@pytest.mark.parametrize("asked", ["", "1.29.9", "1.3", "1", "latest", "2.0", "1.33.", "1.33.13-rc.1"])
def test_version_that_cannot_be_built_is_refused_by_its_name(asked: str) -> None:
    with pytest.raises(errors.UnknownVersion, match=f"VERSION is '{asked}': write 1.30 or newer"):
        older_kubernetes.query(asked)


def test_wrapper_replaces_each_library_by_its_release() -> None:
    text = older_kubernetes.wrapper(older_kubernetes.Release("v1.33.13", NEW))
    assert "go 1.24.0\n" in text
    assert "k8s.io/api => k8s.io/api v0.33.13\n\tk8s.io/kms => k8s.io/kms v0.33.13\n)" in text
    assert text.endswith("require k8s.io/kubernetes v1.33.13\n")


def test_wrapper_finds_the_libraries_when_nothing_is_replaced() -> None:
    text = older_kubernetes.wrapper(older_kubernetes.Release("v1.30.14", OLD))
    assert "k8s.io/api => k8s.io/api v0.30.14" in text
    assert "klog" not in text


def test_wrapper_refuses_a_module_that_names_no_libraries() -> None:
    with pytest.raises(errors.UnknownVersion, match="names no libraries"):
        older_kubernetes.wrapper(older_kubernetes.Release("v1.33.13", "module k8s.io/kubernetes\n\ngo 1.24.0\n"))
