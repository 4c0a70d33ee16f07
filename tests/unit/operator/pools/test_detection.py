"""Pools whose nodes are asked what they have: when a node gets which hardware, and what the pool says meanwhile."""

import dataclasses
import datetime as dt

import pytest

from kits.manifests import domain, pool_views
from neuronspan import instance_types, names
from neuronspan_operator.objects import nodes, pools
from neuronspan_operator.pools import membership, pool_status, standings

NOW = dt.datetime(2026, 1, 31, 10, 0, tzinfo=dt.UTC)
INF2 = instance_types.hardware_of("inf2.24xlarge")
LABELLED = pool_views.node(**{"neuron": "yes", names.INSTANCE_TYPE_LABEL: "inf2.24xlarge"})

asked, member = pool_views.asked, pool_views.member


def _pool(name: str = "a") -> pools.PoolView:
    return pool_views.pool(name, hardware={"instanceType": "detect"})


def _decide(
    pool: pools.PoolView, own: pools.Member | None, node: nodes.NodeView | None = LABELLED
) -> membership.Decision:
    cluster = {} if node is None else {node.name: node}
    return membership.decide({pool.name: pool}, cluster, {} if own is None else {own.view.name: own}, NOW)


def _change(decision: membership.Decision) -> standings.Change:
    (change,) = decision.changes
    return change


def test_pool_that_detects_has_no_hardware_and_no_problem() -> None:
    assert (_pool().detects, _pool().hardware, _pool().problem) == (True, None, "")


def test_new_node_is_asked_with_what_its_label_says() -> None:
    (creation,) = _decide(_pool(), None).creations
    assert creation.manifest("node")["spec"] == {
        "detect": {"instanceType": "inf2.24xlarge"},
        "coreNumbering": "container",
    }


def test_node_gets_what_it_was_found_to_have() -> None:
    change = _change(_decide(_pool(), asked(found="inf2.24xlarge")))
    assert change.patch("node")["spec"] == {
        "hardware": INF2.to_dict(), "cores": 12, "grants": [], "granted": 0, "free": 12, "largestFreeRun": 12,
    }  # fmt: skip
    assert change.patch("node")["metadata"]["resourceVersion"] == "1"


def test_node_that_has_what_it_was_found_to_have_stays() -> None:
    decision = _decide(_pool(), asked(given="inf2.24xlarge", found="inf2.24xlarge"))
    assert (decision.changes, decision.removals) == ([], [])
    assert pool_status.wanted(_pool(), decision.findings["a"], NOW)["conditions"][0]["reason"] == "NodesReady"


def test_other_hardware_waits_until_nobody_has_a_core() -> None:
    busy = asked(given="inf2.24xlarge", found="inf2.48xlarge", entries=(domain.grant("0-3"),))
    decision = _decide(_pool(), busy)
    assert decision.changes == []
    assert "keeps its present hardware until it is empty" in decision.findings["a"].pending["w1"]
    idle = asked(given="inf2.24xlarge", found="inf2.48xlarge")
    assert _change(_decide(_pool(), idle)).patch("node")["spec"]["cores"] == 24


COMPLAINTS = {
    "nothing said": ("", "its device plugin has not looked yet"),
    "a complaint": ("NoDevices: no Neuron device", "NoDevices: no Neuron device"),
}


@pytest.mark.parametrize(("complaint", "words"), COMPLAINTS.values(), ids=COMPLAINTS)
def test_pool_says_of_which_node_nothing_is_known_and_why(complaint: str, words: str) -> None:
    decision = _decide(_pool(), asked(complaint=complaint))
    ready = pool_status.wanted(_pool(), decision.findings["a"], NOW)["conditions"][0]
    assert (ready["status"], ready["reason"]) == ("False", "HardwareUnknown")
    assert ready["message"] == f"what node w1 has is not known: {words}"
    assert decision.changes == []


def test_simulated_node_of_a_pool_that_detects_now_is_asked() -> None:
    change = _change(_decide(_pool(), member()))
    assert change.patch("node")["spec"] == {
        "detect": {"instanceType": "inf2.24xlarge"}, "coreNumbering": "container",
        "hardware": None, "cores": None, "granted": None, "free": None, "largestFreeRun": None,
    }  # fmt: skip
    assert _decide(_pool(), member(entries=(domain.grant("0-3"),))).changes == []


@pytest.mark.parametrize("given", ["", "trn1.32xlarge", "inf2.24xlarge"])
def test_detected_node_of_a_pool_that_simulates_now_is_simulated(given: str) -> None:
    change = _change(_decide(pool_views.pool(), asked(given=given, found="inf2.24xlarge")))
    assert change.patch("node")["spec"]["detect"] is None
    assert change.patch("node")["spec"]["hardware"]["instanceType"] == "trn1.32xlarge"
    assert [change.patch(numbering)["spec"]["coreNumbering"] for numbering in names.CORE_NUMBERINGS] == [
        *names.CORE_NUMBERINGS
    ]


def test_node_that_nothing_is_known_of_changes_hands_and_goes_like_any_other() -> None:
    change = _change(_decide(_pool("b"), asked(of="a")))
    assert change.patch("node") == {"metadata": change.patch("node")["metadata"]}
    assert change.pool == "b"
    (left,) = _decide(_pool(), asked(), pool_views.node(neuron="no")).removals
    (gone,) = _decide(_pool(), asked(), None).removals
    assert left == gone


def test_pool_with_a_bad_policy_asks_nobody() -> None:
    broken = pool_views.pool(hardware={"instanceType": "detect"}, policy={"packing": "any"})
    assert (broken.detects, broken.problem_reason) == (False, "InvalidPolicy")
    assert _decide(broken, None).creations == []


def test_cores_that_are_held_without_a_ledger_keep_the_node_as_it_is() -> None:
    own = asked(found="inf2.24xlarge")
    held = dataclasses.replace(own, view=dataclasses.replace(own.view, held=(object(),)))  # type: ignore[arg-type]
    assert _decide(_pool(), held).changes == []
