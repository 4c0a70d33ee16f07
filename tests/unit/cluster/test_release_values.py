import pytest

from kits.release import cluster_access, helm_release


def test_pools_select_the_workers_of_the_kind_cluster() -> None:
    chosen = helm_release.values({})
    assert [(pool["name"], pool["nodeSelector"], pool["instanceType"]) for pool in chosen["pools"]] == [
        ("trn1", {"neuronspan.dev/pool": "trn1"}, "trn1.32xlarge"),
        ("inf2", {"neuronspan.dev/pool": "inf2"}, "inf2.48xlarge"),
    ]


def test_images_are_chosen_by_content() -> None:
    chosen = helm_release.values({"neuronspan/operator:abc": ("x",), "neuronspan/deviceplugin:def": ("y",)})
    assert chosen["operator"] == {"image": {"tag": "abc"}}
    assert chosen["devicePlugin"] == {"image": {"tag": "def"}}
    assert chosen["image"] == {"pullPolicy": "Never"}


@pytest.mark.parametrize(
    ("resource", "namespace", "path"),
    [
        ("pods", "n", "/api/v1/namespaces/n/pods"),
        ("pod", "n", "/api/v1/namespaces/n/pods"),
        ("nodes", None, "/api/v1/nodes"),
        ("deployments", "n", "/apis/apps/v1/namespaces/n/deployments"),
        ("jobs", "n", "/apis/batch/v1/namespaces/n/jobs"),
        ("jobs.batch", None, "/apis/batch/v1/jobs"),
        ("neuronnodes.neuronspan.dev", None, "/apis/neuronspan.dev/v1alpha1/neuronnodes"),
    ],
)
def test_path_of_a_resource(resource: str, namespace: str | None, path: str) -> None:
    assert cluster_access.path_of(resource, namespace) == path


def test_path_of_an_unknown_resource_says_what_to_write() -> None:
    with pytest.raises(cluster_access.AccessError, match=r"write it as plural\.group"):
        cluster_access.path_of("widgets")
