"""Classes: who makes volumes, and for which nodes."""

import pytest

from kits.manifests import volumes
from neuronspan_operator.objects.constraints.volumes import classes

ZONE = "topology.kubernetes.io/zone"


@pytest.mark.parametrize(
    ("provisioner", "zones", "labels", "possible"),
    [
        ("ebs.csi.aws.com", (), {}, True),
        ("kubernetes.io/no-provisioner", (), {}, False),
        ("", (), {}, False),
        ("ebs.csi.aws.com", ("a",), {ZONE: "a"}, True),
        ("ebs.csi.aws.com", ("a",), {ZONE: "b"}, False),
        ("ebs.csi.aws.com", ("a",), {}, False),
    ],
)
def test_volumes_are_made_by_a_provisioner_in_its_topology(
    provisioner: str, zones: tuple[str, ...], labels: dict[str, str], *, possible: bool
) -> None:
    found = classes.read(volumes.make_class(provisioner=provisioner, zones=zones))
    assert found.provisions_for(labels) is possible


def test_empty_topology_term_means_no_node() -> None:
    manifest = volumes.make_class(provisioner="ebs.csi.aws.com") | {"allowedTopologies": [{}]}
    assert not classes.read(manifest).provisions_for({ZONE: "a"})


@pytest.mark.parametrize("immediate", [False, True])
def test_claims_wait_for_their_first_pod_when_the_class_says_so(*, immediate: bool) -> None:
    assert classes.read(volumes.make_class(immediate=immediate)).waits is not immediate
