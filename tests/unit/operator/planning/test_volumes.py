"""Pods with claims: granted where their volumes can be, bound when they are, and never promised another's volume."""

import dataclasses
from collections.abc import Iterable
from typing import Any

import pytest

from kits.manifests import builders, domain, snapshots, volumes
from neuronspan import grants
from neuronspan_operator import reasons
from neuronspan_operator.objects.constraints import storage
from neuronspan_operator.planning import planner, plans

Manifest = dict[str, Any]

WEB = volumes.make_pod("web", ["data"])
STORED = domain.grant("4-7")


def plan(pods: Iterable[Manifest], known: storage.Storage, entries: Iterable[grants.Grant] = ()) -> plans.Plan:
    found = snapshots.snapshot(pods, neuron_node_list=[builders.make_neuron_node("w1", entries)])
    return planner.plan(dataclasses.replace(found, storage=known), snapshots.NOW)


def member(name: str, claim: str) -> dict[str, Any]:
    manifest = volumes.make_pod(name, [claim])
    manifest["metadata"]["annotations"] = {
        "neuronspan.dev/pod-group": "gang",
        "neuronspan.dev/pod-group-size": "2",
    }
    return manifest


def test_pod_is_granted_first_and_its_claims_are_written_before_it_is_bound() -> None:
    found = plan([WEB], volumes.stored([volumes.make_claim(of_class="fast")]))
    assert snapshots.written(found) == {"web/app": "0-3 Granted"}
    assert [str(each) for each in found.claims] == ["select node w1 for persistentvolumeclaim data"]
    assert found.bindings == ()
    assert found.waiting["uid-web"] == plans.Waiting(
        reasons.WaitingReason.WAITING_FOR_VOLUMES,
        "It has its cores on w1; persistentvolumeclaim data waits for a volume that ebs.csi.aws.com makes for w1.",
        "w1",
    )


def test_pod_is_bound_when_its_claims_have_their_volumes() -> None:
    settled = volumes.make_claim(of_class="fast", selected="w1", volume="pv-1", bound=True)
    found = plan([WEB], volumes.stored([settled], [volumes.make_volume(phase="Bound")]), [STORED])
    assert snapshots.let_go(found) == {"web": "w1 app=4-7"}
    assert (found.claims, found.waiting) == ((), {})


@pytest.mark.parametrize(
    ("claim", "known_volumes"),
    [
        ({"of_class": "fast", "selected": "w1"}, []),
        ({"of_class": "fast", "selected": "w1", "volume": "pv-1"}, []),
        ({"of_class": "fast", "selected": "w1", "volume": "pv-1"}, [volumes.make_volume(phase="Bound")]),
        ({"of_class": "fast", "selected": "w1", "volume": "pv-1", "bound": True}, []),
        ({"of_class": "slow"}, [volumes.make_volume(claim="data", claim_uid="uid-data")]),
    ],
    ids=["no volume yet", "bound before its volume is seen", "half bound", "volume not seen", "volume is held"],
)
def test_grant_stays_while_its_volumes_are_under_way(claim: dict[str, Any], known_volumes: list[Manifest]) -> None:
    known = volumes.stored(
        [volumes.make_claim(**claim)],
        known_volumes,
        drivers=[volumes.make_csi_driver()],
        capacities=[volumes.make_capacity("a", capacity="0")],
    )
    found = plan([WEB], known, [STORED])
    assert (found.patches, found.ledgers, found.bindings, found.claims) == ((), (), (), ())
    assert found.waiting["uid-web"].reason is reasons.WaitingReason.WAITING_FOR_VOLUMES


def test_grant_is_taken_back_when_no_volume_could_be_made_there() -> None:
    known = volumes.stored([volumes.make_claim(of_class="fast")])
    failed = dataclasses.replace(known, selections={"uid-data": storage.Selection("w1", STORED.since)})
    found = plan([WEB], failed, [STORED])
    assert (found.claims, found.bindings) == ((), ())
    assert len(found.patches) == 1
    assert "no volume could be made for persistentvolumeclaim data there" in found.waiting["uid-web"].message


def test_pod_without_its_claim_waits_without_cores_and_is_granted_when_it_comes() -> None:
    without = plan([WEB], volumes.stored())
    assert (without.ledgers, without.bindings, without.evictions) == ((), (), ())
    assert 'persistentvolumeclaim "data" not found' in without.waiting["uid-web"].message
    settled = volumes.stored([volumes.make_claim(volume="pv-1", bound=True)], [volumes.make_volume()])
    assert snapshots.let_go(plan([WEB], settled)) == {"web": "w1 app=0-3"}


def test_volume_goes_to_one_of_two_pods_of_a_pass() -> None:
    known = volumes.stored([volumes.make_claim("data"), volumes.make_claim("logs")], [volumes.make_volume()])
    found = plan([WEB, volumes.make_pod("db", ["logs"])], known)
    assert snapshots.written(found) == {"db/app": "0-3 Granted"}
    assert [str(each) for each in found.claims] == ["hold persistentvolume pv-1 for persistentvolumeclaim logs"]
    assert "didn't find available persistent volumes to bind" in found.waiting["uid-web"].message


def test_volume_stays_with_the_first_of_two_grants_and_the_other_is_taken_back() -> None:
    known = volumes.stored([volumes.make_claim("data"), volumes.make_claim("logs")], [volumes.make_volume()])
    both = [domain.grant("0-3", "db"), domain.grant("4-7", "web")]
    found = plan([WEB, volumes.make_pod("db", ["logs"])], known, both)
    assert [str(each) for each in found.claims] == ["hold persistentvolume pv-1 for persistentvolumeclaim logs"]
    assert [patch.pod.name for patch in found.patches] == ["web"]
    assert found.waiting["uid-web"].reason is reasons.WaitingReason.REVOKED


def test_group_with_too_few_volumes_gets_nothing_and_leaves_them_to_others() -> None:
    claims = [volumes.make_claim(name) for name in ("c0", "c1", "data")]
    known = volumes.stored(claims, [volumes.make_volume()])
    group = [member("g0", "c0"), member("g1", "c1")]
    found = plan([*group, WEB], known)
    assert snapshots.written(found) == {"web/app": "0-3 Granted"}
    assert [str(each) for each in found.claims] == ["hold persistentvolume pv-1 for persistentvolumeclaim data"]


def test_group_that_waits_for_a_member_keeps_its_volume() -> None:
    claims = [volumes.make_claim(name) for name in ("c0", "c1", "data")]
    known = volumes.stored(claims, [volumes.make_volume("pv-1"), volumes.make_volume("pv-2")])
    group = [member("g0", "c0"), member("g1", "c1")]
    found = plan([*group, WEB], known, [domain.grant("0-3", "g0")])
    assert snapshots.written(found) == {"g0/app": "0-3 Granted", "g1/app": "4-7 Granted"}
    assert found.claims == ()
    assert "didn't find available persistent volumes to bind" in found.waiting["uid-web"].message
