"""Zone a has the nodes a1 and a2, zone b has b1, and x1 is in no zone."""

import math
from typing import Any

import pytest

from kits.manifests import clusters
from neuronspan import names
from neuronspan_operator.objects import pods
from neuronspan_operator.scheduling import cluster_state, topology_spread

HOST = names.HOSTNAME_LABEL
UNEVEN = "node(s) didn't match pod topology spread constraints"
NO_DOMAIN = f"{UNEVEN} (missing required label)"
WEB = {"app": "web"}
TAINT = {"key": "dedicated", "value": "ml", "effect": "NoSchedule"}
TOLERATION = {"key": "dedicated", "operator": "Exists"}


def _cluster(*at: str, taints: tuple[dict[str, str], ...] = ()) -> cluster_state.Cluster:
    """A cluster with a web pod on each of these nodes; the taints are those of b1."""
    known = [
        clusters.make_node("a1", zone="a"),
        clusters.make_node("a2", zone="a"),
        clusters.make_node("b1", taints=taints, zone="b"),
        clusters.make_node("x1"),
    ]
    placed = [(node, clusters.make_pod(f"p{number}", WEB)) for number, node in enumerate(at)]
    return clusters.make_cluster(known, placed)


def _pod(*spreads: dict[str, Any], labels: dict[str, str] | None = None, **fields: Any) -> pods.PodView:
    return clusters.make_pod("web", WEB if labels is None else labels, spreads=spreads, **fields)


def _verdicts(pod: pods.PodView, cluster: cluster_state.Cluster) -> dict[str, str]:
    return clusters.verdicts(topology_spread.for_pod(pod, cluster), cluster)


def _by_zone(**fields: Any) -> dict[str, Any]:
    return clusters.spread("zone", WEB, **fields)


def _soft(key: str = "zone", **fields: Any) -> dict[str, Any]:
    return clusters.spread(key, WEB, whenUnsatisfiable="ScheduleAnyway", **fields)


# --- constraints that must be met ------------------------------------------------------------------------------------


@pytest.mark.parametrize("spreads", [(), (_soft(),)], ids=["none", "soft"])
def test_pod_without_a_hard_constraint_needs_no_filter(spreads: tuple[dict[str, Any], ...]) -> None:
    assert topology_spread.for_pod(_pod(*spreads), _cluster("a1", "a1")) is None


def test_domain_may_not_get_ahead_by_more_than_the_skew() -> None:
    cluster = _cluster("a1", "a2")
    assert _verdicts(_pod(_by_zone()), cluster) == {"a1": UNEVEN, "a2": UNEVEN, "x1": NO_DOMAIN}
    assert _verdicts(_pod(_by_zone(skew=3)), cluster) == {"x1": NO_DOMAIN}


def test_pod_that_its_own_selector_does_not_mean_adds_nothing() -> None:
    assert _verdicts(_pod(_by_zone(), labels={"app": "other"}), _cluster("a1")) == {"x1": NO_DOMAIN}
    assert set(_verdicts(_pod(_by_zone(), labels={"app": "other"}), _cluster("a1", "a1"))) == {"a1", "a2", "x1"}


def test_every_constraint_must_be_met() -> None:
    pod = _pod(_by_zone(skew=2), clusters.spread(HOST, WEB))
    assert _verdicts(pod, _cluster("a1")) == {"a1": UNEVEN, "x1": NO_DOMAIN}


def test_node_that_lacks_one_key_counts_for_no_constraint() -> None:
    # x1 has a host name and no pod: were it a domain, the least would be nothing
    pod = _pod(_by_zone(), clusters.spread(HOST, WEB))
    assert _verdicts(pod, _cluster("a1", "a2", "b1", "b1")) == {"b1": UNEVEN, "x1": NO_DOMAIN}


def test_fewer_domains_than_wanted_count_as_an_empty_one() -> None:
    cluster = _cluster("a1", "b1")
    assert _verdicts(_pod(_by_zone(minDomains=2)), cluster) == {"x1": NO_DOMAIN}
    assert _verdicts(_pod(_by_zone(minDomains=3)), cluster) == {
        "a1": UNEVEN,
        "a2": UNEVEN,
        "b1": UNEVEN,
        "x1": NO_DOMAIN,
    }


def test_only_pods_of_the_own_namespace_count() -> None:
    cluster = _cluster()
    cluster.add(clusters.make_pod("other", WEB, namespace="team"), "a1")
    assert _verdicts(_pod(_by_zone()), cluster) == {"x1": NO_DOMAIN}


def test_pod_that_is_being_deleted_does_not_count() -> None:
    cluster = _cluster()
    cluster.add(clusters.make_pod("old", WEB, deleted=True), "a1")
    assert _verdicts(_pod(_by_zone()), cluster) == {"x1": NO_DOMAIN}


def test_selector_without_requirements_counts_no_pod() -> None:
    cluster = _cluster("a1", "a1", "a1")
    assert _verdicts(_pod(clusters.spread("zone")), cluster) == {"x1": NO_DOMAIN}


def test_absent_selector_means_no_pod() -> None:
    constraint = clusters.spread("zone")
    del constraint["labelSelector"]
    assert _verdicts(_pod(constraint), _cluster("a1", "a1")) == {"x1": NO_DOMAIN}


def test_match_label_keys_narrow_the_selector_to_the_pods_own_revision() -> None:
    cluster = _cluster("a1", "a1")
    constraint = _by_zone(matchLabelKeys=["revision", "absent"])
    assert set(_verdicts(_pod(constraint), cluster)) == {"a1", "a2", "x1"}
    pod = _pod(constraint, labels={**WEB, "revision": "2"})
    assert _verdicts(pod, cluster) == {"x1": NO_DOMAIN}
    cluster.add(clusters.make_pod("new", {**WEB, "revision": "2"}), "b1")
    assert set(_verdicts(pod, cluster)) == {"b1", "x1"}


# --- which nodes count -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wanted",
    [
        {"selector": {"zone": "a"}},
        {
            "affinity": {
                "nodeAffinity": {
                    "requiredDuringSchedulingIgnoredDuringExecution": {
                        "nodeSelectorTerms": [
                            {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}]}
                        ]
                    }
                }
            }
        },
    ],
    ids=["selector", "affinity"],
)
def test_nodes_that_the_pod_cannot_be_on_do_not_count_unless_told_so(wanted: dict[str, Any]) -> None:
    # zone a has one pod on each node, zone b has none
    cluster = _cluster("a1", "a2")
    assert _verdicts(_pod(_by_zone(), **wanted), cluster) == {"x1": NO_DOMAIN}
    assert _verdicts(_pod(_by_zone(nodeAffinityPolicy="Ignore"), **wanted), cluster) == {
        "a1": UNEVEN,
        "a2": UNEVEN,
        "x1": NO_DOMAIN,
    }


def test_tainted_nodes_count_unless_told_so() -> None:
    cluster = _cluster("a1", taints=(TAINT,))
    assert set(_verdicts(_pod(_by_zone()), cluster)) == {"a1", "a2", "x1"}
    honoring = _by_zone(nodeTaintsPolicy="Honor")
    assert _verdicts(_pod(honoring), cluster) == {"x1": NO_DOMAIN}
    assert set(_verdicts(_pod(honoring, tolerations=[TOLERATION]), cluster)) == {"a1", "a2", "x1"}


def test_taint_that_only_advises_keeps_no_node_out() -> None:
    cluster = _cluster("a1", taints=({**TAINT, "effect": "PreferNoSchedule"},))
    assert set(_verdicts(_pod(_by_zone(nodeTaintsPolicy="Honor")), cluster)) == {"a1", "a2", "x1"}


def test_each_constraint_has_its_own_policies() -> None:
    # b1 counts for zones, where nothing is on it, and not for host names, where a1 and a2 have one each
    cluster = _cluster("a1", "a2", taints=(TAINT,))
    pod = _pod(_by_zone(skew=3), clusters.spread(HOST, WEB, nodeTaintsPolicy="Honor"))
    assert _verdicts(pod, cluster) == {"x1": NO_DOMAIN}
    assert set(_verdicts(_pod(_by_zone(skew=3), clusters.spread(HOST, WEB)), cluster)) == {"a1", "a2", "x1"}


# --- constraints that are wishes -------------------------------------------------------------------------------------


def _scores(pod: pods.PodView, cluster: cluster_state.Cluster, *asked: str) -> dict[str, int] | None:
    scores = topology_spread.preferences(pod, cluster, [cluster.nodes[name] for name in asked or cluster.nodes])
    return None if scores is None else dict(scores)


@pytest.mark.parametrize("spreads", [(), (_by_zone(),)], ids=["none", "hard"])
def test_pod_without_a_soft_constraint_prefers_nothing(spreads: tuple[dict[str, Any], ...]) -> None:
    assert _scores(_pod(*spreads), _cluster("a1")) is None


def test_emptier_domain_scores_more_and_nodes_without_the_key_nothing() -> None:
    # two domains: a pod weighs log 4, so 3 pods and 1 pod are 4 and 1, rounded
    assert _scores(_pod(_soft()), _cluster("a1", "a1", "a2", "b1")) == {"a1": 25, "a2": 25, "b1": 100, "x1": 0}


def test_empty_cluster_gives_every_domain_the_best_score() -> None:
    assert _scores(_pod(_soft()), _cluster()) == {"a1": 100, "a2": 100, "b1": 100, "x1": 0}


def test_nodes_that_all_lack_the_key_score_nothing() -> None:
    assert _scores(_pod(_soft("rack")), _cluster("a1")) == {"a1": 0, "a2": 0, "b1": 0, "x1": 0}


def test_greater_skew_waters_the_difference_down() -> None:
    assert _scores(_pod(_soft(skew=5)), _cluster("a1", "a1", "a2", "b1")) == {"a1": 62, "a2": 62, "b1": 100, "x1": 0}


def test_by_host_name_each_node_is_a_domain() -> None:
    # four domains: a pod weighs log 6
    weights = [round(number * math.log(6)) for number in (2, 1, 0, 0)]
    expected = [100 * (weights[0] - each) // weights[0] for each in weights]
    assert _scores(_pod(_soft(HOST)), _cluster("a1", "a1", "a2")) == dict(
        zip(("a1", "a2", "b1", "x1"), expected, strict=True)
    )


def test_constraints_add_up() -> None:
    scores = _scores(_pod(_soft(), _soft(HOST)), _cluster("a1"))
    # two zones, three hosts: a1 has log 4 + log 5, a2 has log 4
    assert scores == {"a1": 0, "a2": 100 * 2 // 3, "b1": 100, "x1": 0}


def test_number_of_domains_is_that_of_the_nodes_asked_about_and_pods_are_those_of_all() -> None:
    # one domain left: a pod weighs log 3, and the pod on a2 counts for a1
    assert _scores(_pod(_soft()), _cluster("a2", "b1"), "a1") == {"a1": 100}
    assert _scores(_pod(_soft()), _cluster("a2", "a2", "b1"), "a1", "b1") == {"a1": 33, "b1": 100}


def test_inclusion_policies_leave_pods_out_of_zones_and_not_of_host_names() -> None:
    wanted = {"selector": {"zone": "b"}}
    cluster = _cluster("a1")
    assert _scores(_pod(_soft(), **wanted), cluster, "a1", "b1") == {"a1": 100, "b1": 100}
    assert _scores(_pod(_soft(nodeAffinityPolicy="Ignore"), **wanted), cluster, "a1", "b1") == {"a1": 0, "b1": 100}
    assert _scores(_pod(_soft(HOST), **wanted), cluster, "a1", "b1") == {"a1": 0, "b1": 100}
