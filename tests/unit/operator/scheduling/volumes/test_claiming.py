"""What a pod with a grant still needs before it can be bound."""

import dataclasses
from typing import Any

import pytest

from kits.manifests import volumes
from neuronspan_operator.objects import pods
from neuronspan_operator.objects.constraints import storage
from neuronspan_operator.scheduling.volumes import claiming

SINCE = "2026-01-31T10:00:00.000000Z"
WEB = volumes.view("web", ["data"])


def claimed(known: storage.Storage, pod: pods.PodView = WEB, node: str = "w1") -> claiming.Claiming:
    return claiming.of(pod, node, volumes.cluster(known, w1="a", w2="b"), SINCE)


def done(found: claiming.Claiming) -> list[str]:
    return [str(each) for each in found.writes]


def test_pod_without_claims_is_ready() -> None:
    assert claimed(volumes.stored(), volumes.view()).ready


def test_pod_whose_claims_have_their_volumes_there_is_ready() -> None:
    known = volumes.stored(
        [volumes.make_claim(volume="pv-1", bound=True)], [volumes.make_volume(zones=["a"], phase="Bound")]
    )
    assert claimed(known).ready
    assert claimed(known, node="w2") == claiming.Claiming(
        flaw="persistentvolumeclaim data has the volume pv-1, which the node cannot reach"
    )


def test_node_is_selected_for_a_claim_whose_volume_has_to_be_made() -> None:
    found = claimed(volumes.stored([volumes.make_claim(of_class="fast", version="7")]))
    assert [each.patch for each in found.writes] == [
        {"metadata": {"resourceVersion": "7", "annotations": {"volume.kubernetes.io/selected-node": "w1"}}}
    ]
    assert found.waits_for == ("persistentvolumeclaim data waits for a volume that ebs.csi.aws.com makes for w1",)
    assert not found.ready


def test_selected_node_is_written_once_and_waited_for() -> None:
    found = claimed(volumes.stored([volumes.make_claim(of_class="fast", selected="w1")]))
    assert (found.writes, found.flaw, found.ready) == ((), "", False)
    assert found.waits_for == ("persistentvolumeclaim data waits for a volume that ebs.csi.aws.com makes for w1",)


def test_space_that_a_selected_claim_is_using_up_is_no_flaw() -> None:
    known = volumes.stored(
        [volumes.make_claim(of_class="fast", selected="w1")],
        drivers=[volumes.make_csi_driver()],
        capacities=[volumes.make_capacity("a", capacity="0")],
    )
    assert claimed(known).flaw == ""


def test_volume_is_held_for_a_claim_that_finds_one() -> None:
    known = volumes.stored([volumes.make_claim(version="7")], [volumes.make_volume(version="9")])
    found = claimed(known)
    holder = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": "default", "name": "data"}
    assert [each.patch for each in found.writes] == [
        {
            "metadata": {"resourceVersion": "9", "annotations": {"pv.kubernetes.io/bound-by-controller": "yes"}},
            "spec": {"claimRef": {**holder, "uid": "uid-data", "resourceVersion": "7"}},
        }
    ]
    assert found.waits_for == ("persistentvolumeclaim data waits to be bound to persistentvolume pv-1",)


def test_volume_that_a_user_holds_for_the_claim_gets_its_uid_and_stays_the_users() -> None:
    (write,) = claimed(volumes.stored([volumes.make_claim()], [volumes.make_volume(claim="data")])).writes
    assert write.patch["spec"]["claimRef"]["uid"] == "uid-data"
    assert "annotations" not in write.patch["metadata"]


@pytest.mark.parametrize("phase", ["Available", "Bound"])
def test_volume_that_is_held_already_is_waited_for(phase: str) -> None:
    held = volumes.make_volume(claim="data", claim_uid="uid-data", phase=phase)
    found = claimed(volumes.stored([volumes.make_claim()], [held]))
    assert (found.writes, found.flaw, found.ready) == ((), "", False)
    assert found.waits_for == ("persistentvolumeclaim data waits to be bound to persistentvolume pv-1",)


def test_claims_are_written_side_by_side() -> None:
    known = volumes.stored([volumes.make_claim("data"), volumes.make_claim("logs", of_class="fast")],
                           [volumes.make_volume()])  # fmt: skip
    found = claimed(known, volumes.view("web", ["logs", "data"]))
    assert done(found) == [
        "hold persistentvolume pv-1 for persistentvolumeclaim data",
        "select node w1 for persistentvolumeclaim logs",
    ]


def test_smallest_claim_chooses_first_and_takes_the_smallest_volume_that_will_do() -> None:
    known = volumes.stored(
        [volumes.make_claim("large", size="2Gi"), volumes.make_claim("small", size="1Gi")],
        [volumes.make_volume("a", size="3Gi"), volumes.make_volume("b", size="2Gi")],
    )
    assert done(claimed(known, volumes.view("web", ["large", "small"]))) == [
        "hold persistentvolume b for persistentvolumeclaim small",
        "hold persistentvolume a for persistentvolumeclaim large",
    ]


@pytest.mark.parametrize(
    ("claim", "known_volumes", "words"),
    [
        (
            {"volume": "pv-1"},
            [volumes.make_volume()],
            "persistentvolumeclaim data waits until its binding to pv-1 is complete",
        ),
        (
            {"volume": "pv-1", "bound": True},
            [],
            "persistentvolumeclaim data is bound to persistentvolume pv-1, which does not exist or is not seen yet",
        ),
    ],
    ids=["binding", "volume not seen"],
)
def test_claim_that_is_seen_before_its_volume_is_waited_for(
    claim: dict[str, Any], known_volumes: list[Any], words: str
) -> None:
    found = claimed(volumes.stored([volumes.make_claim(**claim)], known_volumes))
    assert (found.writes, found.waits_for, found.flaw) == ((), (words,), "")


@pytest.mark.parametrize(
    ("claims", "flaw"),
    [
        ([], 'persistentvolumeclaim "data" not found'),
        ([volumes.make_claim(deleted=True)], 'persistentvolumeclaim "data" is being deleted'),
        ([volumes.make_claim()], "node(s) didn't find available persistent volumes to bind"),
        (
            [volumes.make_claim(of_class="at-once")],
            "persistentvolumeclaim data has no volume, and its class does not wait for a node",
        ),
        (
            [volumes.make_claim(of_class="fast", selected="w2")],
            "persistentvolumeclaim data gets its volume for another node, w2",
        ),
    ],
    ids=["missing", "deleted", "no volume left", "another class", "another node"],
)
def test_claim_that_can_have_no_volume_there_any_more_is_a_flaw(claims: list[Any], flaw: str) -> None:
    assert claimed(volumes.stored(claims)) == claiming.Claiming(flaw=flaw)


def test_selection_that_the_provisioner_took_away_is_a_flaw_of_the_grant_it_was_made_for() -> None:
    known = volumes.stored([volumes.make_claim(of_class="fast")])
    selected = dataclasses.replace(known, selections={"uid-data": storage.Selection("w1", SINCE)})
    assert claimed(selected).flaw == (
        "no volume could be made for persistentvolumeclaim data there; the Events of the claim say why"
    )
    for other in (storage.Selection("w1", "2026-01-31T09:00:00.000000Z"), storage.Selection("w2", SINCE)):
        anew = claimed(dataclasses.replace(known, selections={"uid-data": other}))
        assert done(anew) == ["select node w1 for persistentvolumeclaim data"]


def test_what_cannot_be_read_now_takes_nothing_back() -> None:
    found = claimed(storage.Storage(unread=("persistentvolumeclaims",)))
    assert (found.flaw, found.ready) == ("", False)
    assert found.waits_for == (
        "persistentvolumeclaims cannot be read: not listed yet, or the right to list is missing",
    )


def test_what_is_going_to_be_written_is_assumed_of_the_pods_that_follow() -> None:
    known = volumes.stored(
        [volumes.make_claim("data"), volumes.make_claim("logs"), volumes.make_claim("new", of_class="fast")],
        [volumes.make_volume()],
    )
    first = claimed(known, volumes.view("web", ["data", "new"]))
    after = first.assumed_in(known)
    assert claimed(after, volumes.view("web", ["data", "new"])).writes == ()
    assert claimed(after, volumes.view("db", ["logs"])).flaw
    assert claimed(after, volumes.view("db", ["new"]), "w2").flaw
    assert claimed(known, volumes.view("db", ["logs"])).writes  # what was known before is as it was


def test_nothing_is_assumed_where_nothing_is_written() -> None:
    known = volumes.stored([volumes.make_claim(of_class="fast", selected="w1")])
    assert claimed(known).assumed_in(known) is known
