"""Zone a has the nodes a1 and a2, zone b has b1, and x1 is in no zone."""

from typing import Any

import pytest

from kits.manifests import clusters
from neuronspan import names
from neuronspan_operator.objects import pods
from neuronspan_operator.scheduling import cluster_state, pod_affinity

HOST = names.HOSTNAME_LABEL
NODES = ("a1", "a2", "b1", "x1")
NOT_NEAR = "node(s) didn't match pod affinity rules"
TOO_NEAR = "node(s) didn't match pod anti-affinity rules"
UNWELCOME = "node(s) didn't satisfy existing pods anti-affinity rules"
DB = {"app": "db"}
WEB = {"app": "web"}


def _cluster(*placed: tuple[str, pods.PodView], **namespaces: dict[str, str]) -> cluster_state.Cluster:
    known = [clusters.make_node("a1", zone="a"), clusters.make_node("a2", zone="a")]
    known += [clusters.make_node("b1", zone="b"), clusters.make_node("x1")]
    return clusters.make_cluster(known, placed, namespaces)


def _pod(
    name: str = "web", labels: dict[str, str] | None = None, namespace: str = "default", **terms: Any
) -> pods.PodView:
    return clusters.make_pod(
        name, WEB if labels is None else labels, namespace=namespace, affinity=clusters.affinity(**terms)
    )


def _verdicts(pod: pods.PodView, cluster: cluster_state.Cluster) -> dict[str, str]:
    return clusters.verdicts(pod_affinity.for_pod(pod, cluster), cluster)


def _scores(pod: pods.PodView, cluster: cluster_state.Cluster) -> dict[str, int] | None:
    scores = pod_affinity.preferences(pod, cluster, list(cluster.nodes.values()))
    return None if scores is None else dict(scores)


def test_pod_without_terms_among_pods_without_terms_needs_no_filter() -> None:
    cluster = _cluster(("a1", _pod("db", DB)))
    assert pod_affinity.for_pod(_pod(), cluster) is None
    assert _scores(_pod(), cluster) is None


# --- required: what the pod wants ------------------------------------------------------------------------------------


def test_pod_goes_into_the_domain_of_the_pod_it_must_be_near() -> None:
    cluster = _cluster(("a1", _pod("db", DB)))
    pod = _pod(near=[clusters.term("zone", DB)])
    assert _verdicts(pod, cluster) == {"b1": NOT_NEAR, "x1": NOT_NEAR}


def test_all_terms_must_mean_one_and_the_same_pod() -> None:
    near = [clusters.term("zone", {"app": "db"}), clusters.term("zone", {"tier": "hot"})]
    apart = _cluster(("a1", _pod("p1", {"app": "db"})), ("a1", _pod("p2", {"tier": "hot"})))
    assert set(_verdicts(_pod(near=near), apart)) == set(NODES)
    together = _cluster(("a1", _pod("p1", {"app": "db", "tier": "hot"})))
    assert set(_verdicts(_pod(near=near), together)) == {"b1", "x1"}


def test_terms_of_different_keys_may_be_met_by_different_pods() -> None:
    near = [clusters.term("zone", DB), clusters.term(HOST, DB)]
    assert set(_verdicts(_pod(near=near), _cluster(("a1", _pod("p1", DB)), ("b1", _pod("p2", DB))))) == {"a2", "x1"}


def test_first_pod_of_a_series_may_be_wherever_the_topology_exists() -> None:
    pod = _pod(near=[clusters.term("zone", WEB)])
    assert _verdicts(pod, _cluster(("b1", _pod("db", DB)))) == {"x1": NOT_NEAR}


def test_second_pod_of_a_series_joins_the_first() -> None:
    pod = _pod(near=[clusters.term("zone", WEB)])
    assert set(_verdicts(pod, _cluster(("b1", _pod("first"))))) == {"a1", "a2", "x1"}


def test_first_pod_of_a_series_must_mean_itself_by_all_terms() -> None:
    near = [clusters.term("zone", WEB), clusters.term("zone", DB)]
    assert set(_verdicts(_pod(near=near), _cluster())) == set(NODES)


def test_pod_of_a_series_that_is_on_a_node_without_the_key_does_not_count() -> None:
    pod = _pod(near=[clusters.term("zone", WEB)])
    assert _verdicts(pod, _cluster(("x1", _pod("first")))) == {"x1": NOT_NEAR}


def test_pod_stays_out_of_the_domain_of_the_pod_it_must_not_be_near() -> None:
    cluster = _cluster(("a1", _pod("other")))
    assert _verdicts(_pod(far=[clusters.term("zone", WEB)]), cluster) == {"a1": TOO_NEAR, "a2": TOO_NEAR}
    assert _verdicts(_pod(far=[clusters.term(HOST, WEB)]), cluster) == {"a1": TOO_NEAR}


def test_each_anti_affinity_term_forbids_for_itself() -> None:
    cluster = _cluster(("a1", _pod("other")), ("b1", _pod("db", DB)))
    pod = _pod(far=[clusters.term(HOST, WEB), clusters.term(HOST, DB)])
    assert _verdicts(pod, cluster) == {"a1": TOO_NEAR, "b1": TOO_NEAR}


def test_node_without_the_key_is_far_from_everybody() -> None:
    cluster = _cluster(("x1", _pod("other")))
    assert _verdicts(_pod(far=[clusters.term("zone", WEB)]), cluster) == {}


def test_pod_that_is_being_deleted_still_counts() -> None:
    leaving = clusters.make_pod("old", WEB, deleted=True)
    assert _verdicts(_pod(far=[clusters.term(HOST, WEB)]), _cluster(("a1", leaving))) == {"a1": TOO_NEAR}


def test_what_the_pod_must_be_near_is_said_before_what_it_must_not() -> None:
    cluster = _cluster(("a1", _pod("db", DB)))
    pod = _pod(near=[clusters.term("zone", DB)], far=[clusters.term(HOST, DB)])
    assert _verdicts(pod, cluster) == {"a1": TOO_NEAR, "b1": NOT_NEAR, "x1": NOT_NEAR}


def test_absent_selector_means_no_pod_and_an_empty_one_every_pod() -> None:
    cluster = _cluster(("a1", _pod("other")))
    assert _verdicts(_pod(far=[{"topologyKey": HOST}]), cluster) == {}
    assert _verdicts(_pod(far=[{"topologyKey": HOST, "labelSelector": {}}]), cluster) == {"a1": TOO_NEAR}


# --- required: what the pods on nodes forbid -------------------------------------------------------------------------


def test_placed_pod_keeps_away_the_pods_it_must_not_be_near() -> None:
    cluster = _cluster(("a1", _pod("db", DB, far=[clusters.term("zone", WEB)])))
    assert _verdicts(_pod(), cluster) == {"a1": UNWELCOME, "a2": UNWELCOME}
    assert pod_affinity.for_pod(_pod("db-2", DB), cluster) is None


def test_placed_pod_on_a_node_without_the_key_keeps_nobody_away() -> None:
    cluster = _cluster(("x1", _pod("db", DB, far=[clusters.term("zone", WEB)])))
    assert pod_affinity.for_pod(_pod(), cluster) is None


def test_placed_pods_affinity_forbids_nothing() -> None:
    assert pod_affinity.for_pod(_pod(), _cluster(("a1", _pod("db", DB, near=[clusters.term("zone", WEB)])))) is None


def test_placed_pod_keeps_away_until_the_last_of_its_kind_has_left() -> None:
    first, second = (_pod(name, DB, far=[clusters.term("zone", WEB)]) for name in ("db-1", "db-2"))
    cluster = _cluster(("a1", first), ("a2", second))
    assert set(_verdicts(_pod(), cluster)) == {"a1", "a2"}
    cluster.remove(first, "a1")
    assert set(_verdicts(_pod(), cluster)) == {"a1", "a2"}
    cluster.remove(second, "a2")
    assert pod_affinity.for_pod(_pod(), cluster) is None


def test_own_anti_affinity_is_said_before_that_of_others() -> None:
    cluster = _cluster(("a1", _pod("other", far=[clusters.term(HOST, WEB)])))
    assert _verdicts(_pod(far=[clusters.term(HOST, WEB)]), cluster) == {"a1": TOO_NEAR}


# --- namespaces ------------------------------------------------------------------------------------------------------

TEAM = {"team": {"kind": "prod"}, "lab": {"kind": "test"}}
PROD = {"matchLabels": {"kind": "prod"}}


@pytest.mark.parametrize(
    ("fields", "meant"),
    [
        ({}, {"a1"}),
        ({"namespaces": ["team"]}, {"a2"}),
        ({"namespaces": ["team", "default"]}, {"a1", "a2"}),
        ({"namespaceSelector": PROD}, {"a2"}),
        ({"namespaceSelector": PROD, "namespaces": ["lab"]}, {"a2", "b1"}),
        ({"namespaceSelector": {}}, {"a1", "a2", "b1"}),
        ({"namespaceSelector": {"matchLabels": {"kind": "none"}}}, set()),
    ],
    ids=str,
)
def test_term_means_pods_of_its_namespaces(fields: dict[str, Any], meant: set[str]) -> None:
    homes = {"a1": "default", "a2": "team", "b1": "lab"}
    cluster = _cluster(*((node, _pod(node, namespace=home)) for node, home in homes.items()), **TEAM)
    assert set(_verdicts(_pod(far=[clusters.term(HOST, WEB, **fields)]), cluster)) == meant
    for node, home in homes.items():
        owner = _pod("owner", DB, far=[clusters.term(HOST, WEB, **fields)])
        forbidding = _cluster(("x1", owner), **TEAM)
        assert (_verdicts(_pod(namespace=home), forbidding) == {"x1": UNWELCOME}) is (node in meant)


def test_namespace_that_is_not_known_has_no_labels() -> None:
    absent = {"matchExpressions": [{"key": "kind", "operator": "DoesNotExist"}]}
    far = [clusters.term(HOST, WEB, namespaceSelector=absent)]
    # a selector of the pod's own is turned into names of known namespaces; one of a placed pod looks at labels
    assert _verdicts(_pod(far=far), _cluster(("a1", _pod("other", namespace="new")))) == {}
    assert _verdicts(_pod(namespace="new"), _cluster(("a1", _pod("other", DB, far=far)))) == {"a1": UNWELCOME}


# --- preferences -----------------------------------------------------------------------------------------------------


def test_preferred_affinity_pulls_and_preferred_anti_affinity_pushes() -> None:
    cluster = _cluster(("a1", _pod("db", DB)))
    assert _scores(_pod(liked={5: clusters.term("zone", DB)}), cluster) == {"a1": 100, "a2": 100, "b1": 0, "x1": 0}
    assert _scores(_pod(disliked={5: clusters.term(HOST, DB)}), cluster) == {"a1": 0, "a2": 100, "b1": 100, "x1": 100}


def test_each_matching_pod_adds_its_weight() -> None:
    cluster = _cluster(("a1", _pod("p1", DB)), ("a2", _pod("p2", DB)), ("b1", _pod("p3", DB)))
    both = {30: clusters.term("zone", DB), 20: clusters.term(HOST, DB)}
    assert _scores(_pod(liked=both), cluster) == {"a1": 100, "a2": 100, "b1": 62, "x1": 0}


def test_wishes_of_placed_pods_count_for_the_pod_they_mean() -> None:
    cluster = _cluster(
        ("a1", _pod("p1", DB, liked={10: clusters.term(HOST, WEB)})),
        ("b1", _pod("p2", DB, disliked={10: clusters.term(HOST, WEB)})),
    )
    assert _scores(_pod(), cluster) == {"a1": 100, "a2": 50, "b1": 0, "x1": 50}
    assert _scores(_pod(labels=DB), cluster) is None


def test_what_placed_pods_require_counts_one() -> None:
    cluster = _cluster(
        ("a1", _pod("p1", DB, near=[clusters.term(HOST, WEB)])),
        ("b1", _pod("p2", DB, liked={4: clusters.term(HOST, WEB)})),
    )
    assert _scores(_pod(), cluster) == {"a1": 25, "a2": 0, "b1": 100, "x1": 0}


def test_required_terms_of_the_pod_itself_are_no_preference() -> None:
    assert _scores(_pod(near=[clusters.term("zone", DB)]), _cluster(("a1", _pod("db", DB)))) is None


def test_preferences_are_spread_over_the_nodes_that_are_asked_about() -> None:
    cluster = _cluster(("a1", _pod("p1", DB)), ("a1", _pod("p2", DB)), ("a2", _pod("p3", DB)))
    pod = _pod(liked={1: clusters.term(HOST, DB)})
    asked = [cluster.nodes[name] for name in ("a2", "b1")]
    assert pod_affinity.preferences(pod, cluster, asked) == {"a2": 100, "b1": 0}


def test_equal_wishes_leave_every_node_at_nothing() -> None:
    cluster = _cluster(("a1", _pod("p1", DB)), ("b1", _pod("p2", DB)))
    asked = [cluster.nodes[name] for name in ("a1", "b1")]
    assert pod_affinity.preferences(_pod(liked={7: clusters.term("zone", DB)}), cluster, asked) == {"a1": 0, "b1": 0}
