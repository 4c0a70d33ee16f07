"""Pods that are alike and plain share their filters, until pods elsewhere forbid some of them anything."""

import pytest

from kits.manifests import clusters
from neuronspan_operator.objects import pods
from neuronspan_operator.planning.choosing import screens
from neuronspan_operator.planning.drafting import drafts

WEB, SECOND = (clusters.make_pod(name, {"app": "web"}) for name in ("web", "second"))
DB = clusters.make_pod("db", {"app": "db"})
GUARD = clusters.make_pod("guard", affinity=clusters.affinity(far=[clusters.term("zone", {"app": "web"})]))


@pytest.fixture
def draft() -> drafts.Draft:
    """Return a draft with one node."""
    found = drafts.Draft()
    found.cluster.put_node(clusters.make_node("w1", zone="a"))
    return found


def _words(draft: drafts.Draft, shared: screens.Screens, pod: pods.PodView, likeness: screens.Likeness) -> str:
    objection = shared.of(pod, likeness).objection(draft.cluster.nodes["w1"])
    return "" if objection is None else objection.words


def test_plain_pods_of_equal_shape_are_alike_and_share_their_filters(draft: drafts.Draft) -> None:
    shared = screens.Screens(draft)
    likeness = shared.likeness(WEB)
    assert likeness.local
    assert shared.likeness(DB) == likeness
    assert shared.of(WEB, likeness) is shared.of(DB, likeness)


def test_pods_of_another_shape_share_nothing_with_them(draft: drafts.Draft) -> None:
    shared = screens.Screens(draft)
    picky = clusters.make_pod("picky", selector={"zone": "b"})
    assert _words(draft, shared, WEB, shared.likeness(WEB)) == ""
    assert "affinity/selector" in _words(draft, shared, picky, shared.likeness(picky))


def test_filters_are_made_anew_for_each_pod_once_a_pod_forbids_one_of_them_anything(draft: drafts.Draft) -> None:
    shared = screens.Screens(draft)
    of_web, of_db = shared.likeness(WEB), shared.likeness(DB)
    shared.of(DB, of_db)
    draft.cluster.add(GUARD, "w1")
    assert "anti-affinity" in _words(draft, shared, WEB, of_web)
    assert _words(draft, shared, DB, of_db) == ""
    assert not shared.likeness(WEB).local


def test_who_is_plain_is_found_out_anew_when_pods_are_told_apart(draft: drafts.Draft) -> None:
    shared = screens.Screens(draft)
    shared.likeness(WEB)
    draft.cluster.add(GUARD, "w1")
    shared.tell_apart()
    assert shared.opinions == draft.cluster.opinions
    assert [shared.likeness(pod).local for pod in (WEB, SECOND, DB)] == [False, False, True]
    draft.cluster.remove(GUARD, "w1")
    shared.tell_apart()
    assert shared.likeness(WEB) == shared.likeness(DB)


def test_pods_to_whom_others_matter_are_alike_only_with_what_they_say_of_each_other(draft: drafts.Draft) -> None:
    shared = screens.Screens(draft)
    near, far = (
        clusters.make_pod(name, affinity=clusters.affinity(near=[clusters.term(name, {"app": "web"})]))
        for name in ("zone", "rack")
    )
    assert not shared.likeness(near).local
    assert shared.likeness(near) != shared.likeness(far)
    assert shared.likeness(near).shape == shared.likeness(far).shape
