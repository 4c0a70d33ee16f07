import pytest

from kits.manifests import clusters
from neuronspan_operator.scheduling.counting import placed_terms

WEB, DB = (clusters.make_pod(app, {"app": app}) for app in ("web", "db"))
GUARD = clusters.make_pod("guard", affinity=clusters.affinity(far=[clusters.term("zone", {"app": "web"})]))
A, NOWHERE = clusters.make_node("a", zone="a"), clusters.make_node("nowhere")


def test_terms_are_found_by_those_they_mean_while_a_pod_has_them() -> None:
    terms = placed_terms.PlacedTerms()
    terms.count(GUARD, A, 1, {})
    assert [each.forbidding for each in terms.about(WEB, {})] == [{"a": 1}]
    assert terms.about(DB, {}) == []
    terms.count(GUARD, A, -1, {})
    assert terms.about(WEB, {}) == []


def test_term_matters_only_if_it_means_somebody_who_asked() -> None:
    terms = placed_terms.PlacedTerms()
    assert not terms.count(GUARD, A, 1, {})
    terms.about(DB, {})
    assert not terms.count(GUARD, A, 1, {})
    terms.about(WEB, {})
    assert terms.count(GUARD, A, 1, {})


def test_new_term_matters_at_once_to_those_who_asked_before() -> None:
    terms = placed_terms.PlacedTerms()
    terms.about(WEB, {})
    assert terms.count(GUARD, A, 1, {})


def test_who_asked_long_ago_is_forgotten_and_that_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(placed_terms, "MOST_ASKERS", 1)
    terms = placed_terms.PlacedTerms()
    terms.about(WEB, {})
    assert terms.forgotten == 0
    terms.about(DB, {})
    assert terms.forgotten == 1


def test_labels_that_terms_are_about_are_all_that_is_seen_of_a_node() -> None:
    terms = placed_terms.PlacedTerms()
    assert terms.place(A) == terms.place(NOWHERE)
    terms.count(GUARD, NOWHERE, 1, {})
    assert terms.place(A) != terms.place(NOWHERE)
    terms.count(GUARD, NOWHERE, -1, {})
    assert terms.place(A) == terms.place(NOWHERE)
