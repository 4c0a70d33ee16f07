import datetime as dt
from typing import Any

import pytest

from kits.manifests import clusters
from neuronspan_operator.objects.constraints import pod_constraints, pod_terms, selectors

LABELS = {"app": "web", "revision": "2"}
NAMESPACES = {"team": {"kind": "prod"}, "lab": {"kind": "test"}}


def _manifest(term: dict[str, Any], uid: str = "") -> dict[str, Any]:
    metadata = {"name": "web", "namespace": "team", "labels": LABELS, "uid": uid}
    return {"metadata": metadata, "spec": {"affinity": clusters.affinity(far=[term])}}


def _read(term: dict[str, Any], uid: str = "") -> pod_terms.AffinityTerm:
    (read,) = pod_constraints.read(_manifest(term, uid)).pod_affinity.anti_required
    return read


def test_all_four_kinds_of_terms_are_read() -> None:
    affinity = clusters.affinity(
        near=[clusters.term("k1")],
        far=[clusters.term("k2")],
        liked={3: clusters.term("k3")},
        disliked={4: clusters.term("k4")},
    )
    read = pod_terms.read(affinity, "team", {})
    assert [each.topology_key for each in (*read.required, *read.anti_required)] == ["k1", "k2"]
    assert [(each.weight, each.term.topology_key) for each in read.preferred] == [(3, "k3")]
    assert [(each.weight, each.term.topology_key) for each in read.anti_preferred] == [(4, "k4")]


@pytest.mark.parametrize("affinity", [None, {}, {"podAffinity": {}, "podAntiAffinity": None}], ids=str)
def test_pod_without_terms_has_none(affinity: dict[str, Any] | None) -> None:
    assert not pod_terms.read(affinity, "team", LABELS)


def test_pods_that_say_the_same_share_their_terms_and_no_others_do() -> None:
    affinity = clusters.affinity(far=[clusters.term("shared", LABELS)])
    read = pod_terms.read(affinity, "team", {})
    assert pod_terms.read(clusters.affinity(far=[clusters.term("shared", LABELS)]), "team", {}) is read
    others = (
        pod_terms.read(affinity, "lab", {}),
        pod_terms.read(clusters.affinity(near=[clusters.term("shared", LABELS)]), "team", {}),
        pod_terms.read(
            clusters.affinity(far=[clusters.term("shared", LABELS, matchLabelKeys=["x"])]), "team", {"x": "1"}
        ),
    )
    assert read not in others


@pytest.mark.parametrize("odd", [dt.date(2026, 1, 1), "9" * 10_000], ids=["no value of JSON", "very long"])
def test_term_that_is_not_remembered_is_read_all_the_same(odd: Any) -> None:
    affinity = clusters.affinity(far=[clusters.term("zone", {"app": odd})])
    (term,) = pod_terms.read(affinity, "team", {}).anti_required
    assert term.selector.requirements == (selectors.Requirement("app", selectors.Operator.IN, (odd,)),)


def test_placed_pod_is_read_with_the_same_terms() -> None:
    manifest = _manifest(clusters.term("zone", LABELS))
    assert pod_constraints.read_placed(manifest).pod_affinity == pod_constraints.read(manifest).pod_affinity


@pytest.mark.parametrize(
    ("field", "meant"),
    [("matchLabelKeys", {"same"}), ("mismatchLabelKeys", {"other", "without"})],
)
def test_label_keys_of_a_pod_in_a_file_are_compared_with_its_own_labels(field: str, meant: set[str]) -> None:
    term = _read(clusters.term("zone", {"app": "web"}, **{field: ["revision", "absent"]}))
    pods = {"same": LABELS, "other": LABELS | {"revision": "1"}, "without": {"app": "web"}}
    assert {name for name, labels in pods.items() if term.selects("team", labels, {})} == meant


def test_label_keys_of_a_stored_pod_are_left_to_its_selector() -> None:
    merged = {"key": "revision", "operator": "In", "values": ["1"]}  # its labels were others when it was made
    selector = {"matchLabels": {"app": "web"}, "matchExpressions": [merged]}
    term = _read(clusters.term("zone", labelSelector=selector, matchLabelKeys=["revision"]), uid="uid-web")
    assert term.selects("team", LABELS | {"revision": "1"}, {})
    assert not term.selects("team", LABELS, {})


def test_term_with_an_absent_selector_stays_without_meaning_when_it_has_label_keys() -> None:
    term = _read({"topologyKey": "zone", "matchLabelKeys": ["revision"]})
    assert not term.selects("team", LABELS, {})


@pytest.mark.parametrize(
    ("fields", "meant"),
    [
        ({}, {"team"}),
        ({"namespaces": []}, {"team"}),
        ({"namespaces": ["lab"]}, {"lab"}),
        ({"namespaceSelector": {}}, {"team", "lab", "new"}),
        ({"namespaceSelector": {"matchLabels": {"kind": "prod"}}}, {"team"}),
        ({"namespaceSelector": {"matchLabels": {"kind": "prod"}}, "namespaces": ["new"]}, {"team", "new"}),
    ],
    ids=str,
)
def test_resolved_term_means_the_same_namespaces(fields: dict[str, Any], meant: set[str]) -> None:
    term = _read(clusters.term("zone", **fields))
    homes = ("team", "lab", "new")
    assert {home for home in homes if term.selects(home, LABELS, NAMESPACES)} == meant
    assert {home for home in homes if term.resolved(NAMESPACES).selects(home, LABELS, {})} == meant


def test_resolved_term_has_names_in_place_of_its_selector() -> None:
    term = _read(clusters.term("zone", namespaceSelector={"matchLabels": {"kind": "test"}})).resolved(NAMESPACES)
    assert (term.namespaces, term.namespace_selector) == (frozenset({"lab"}), selectors.NOTHING)


def test_a_namespace_is_selected_by_its_labels() -> None:
    assert pod_terms.namespace_labels({"metadata": {"name": "team", "labels": {"tier": "gold"}}}) == {"tier": "gold"}


def test_a_namespace_may_have_no_labels() -> None:
    assert pod_terms.namespace_labels({"metadata": {"name": "team"}}) == {}
