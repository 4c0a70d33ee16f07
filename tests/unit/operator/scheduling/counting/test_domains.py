import dataclasses

from kits.manifests import clusters
from neuronspan_operator.objects.constraints import selectors
from neuronspan_operator.scheduling.counting import domains

WEB = clusters.make_pod("web", {"app": "web"})
SELECTOR = selectors.read({"matchLabels": {"app": "web"}})
A1, A2, B = (clusters.make_node(name, zone=name[0]) for name in ("a1", "a2", "b"))


def _spread() -> domains.Spread:
    return domains.Spread("zone", SELECTOR, "default", domains.Inclusion(frozenset({"zone"})))


def test_least_is_that_of_the_emptiest_domain() -> None:
    spread = _spread()
    assert spread.least == 0
    spread.settle((A1, B), 1)
    spread.count(WEB, A1, 1)
    assert spread.least == 0
    spread.count(WEB, B, 1)
    spread.count(WEB, B, 1)
    assert (spread.counts, spread.least) == ({"a": 1, "b": 2}, 1)


def test_domain_closes_with_its_last_node() -> None:
    spread = _spread()
    spread.settle((A1, A2, B), 1)
    spread.count(WEB, B, 1)
    spread.settle((A1,), -1)
    assert spread.counts == {"a": 0, "b": 1}
    spread.settle((A2,), -1)
    assert (spread.counts, spread.least) == ({"b": 1}, 1)


def test_only_pods_that_stay_count_in_a_spread() -> None:
    spread = _spread()
    spread.settle((A1,), 1)
    assert not spread.count(dataclasses.replace(WEB, deleted=True), A1, 1)
    assert not spread.count(clusters.make_pod("db", {"app": "db"}), A1, 1)
    assert not spread.count(WEB, clusters.make_node("nowhere"), 1)
    assert spread.counts == {"a": 0}
