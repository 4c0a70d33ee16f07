import pytest

from kits.manifests import clusters
from neuronspan_operator.objects.constraints import selectors
from neuronspan_operator.scheduling.counting import domains, sums


def _of(app: str) -> domains.Population:
    return domains.Population(selectors.read({"matchLabels": {"app": app}}), "default")


def test_half_of_the_sums_that_was_asked_for_longest_ago_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sums, "MOST", 3)
    store = sums.Store()
    for app in ("one", "two", "three"):
        store.put(_of(app))
    assert store.find(_of("one")) is not None
    assert store.forgotten == 0
    store.put(_of("four"))
    assert [store.find(_of(app)) is not None for app in ("one", "two", "three", "four")] == [True, False, False, True]
    assert store.forgotten == 1


def test_forgotten_sums_cost_a_pod_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sums, "MOST", 1)
    store, old = sums.Store(), _of("web")
    store.put(old)
    store.put(_of("db"))
    assert not store.count(clusters.make_pod("web", {"app": "web"}), clusters.make_node("w1"), 1)
    assert old.by_node == {}
