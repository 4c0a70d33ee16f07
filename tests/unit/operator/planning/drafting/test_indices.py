"""Indices say what a look at everything would find, and forget what is not so any more."""

from typing import Any

from kits.manifests import builders, domain
from neuronspan_operator.objects import neuron_nodes, nodes, pods
from neuronspan_operator.planning.drafting import indices

VIEW = neuron_nodes.read(builders.make_neuron_node("w1", [domain.grant("0-3")]))
EMPTY = neuron_nodes.read(builders.make_neuron_node("w1"))


def _pod(**fields: Any) -> pods.PodView:
    return pods.read(builders.make_pod("web", cores=4, **fields))


def test_node_is_found_by_the_host_name_that_it_has_now() -> None:
    known = indices.Indices()
    before, after = (nodes.read(builders.make_node("w1", hostname=name)) for name in ("old", "new"))
    assert known.replace_node("w1", None, before)
    assert known.replace_node("w1", before, after)
    assert not known.replace_node("w1", after, after)
    assert (set(known.hostnames.of("old")), set(known.hostnames.of("new"))) == (set(), {"w1"})


def test_pod_is_in_flight_while_it_waits_and_a_ledger_has_it() -> None:
    known, waiting, bound = indices.Indices(), _pod(), _pod(node="w1")
    assert known.replace_neuron_node("w1", None, VIEW) == {"uid-web"}
    known.replace_pod("uid-web", None, waiting)
    assert known.in_flight() == ["uid-web"]
    assert known.replace_neuron_node("w1", VIEW, EMPTY) == {"uid-web"}
    assert known.in_flight() == []
    known.replace_neuron_node("w1", EMPTY, VIEW)
    known.replace_pod("uid-web", waiting, bound)
    assert (known.in_flight(), set(known.bound("w1"))) == ([], {"uid-web"})


def test_lowest_priority_is_of_pods_that_have_a_node_now() -> None:
    known, low = indices.Indices(), _pod(node="w1", priority=-5)
    known.replace_pod("uid-web", None, low)
    known.replace_pod("uid-db", None, _pod(node="w1", priority=3))
    assert known.lowest_priority == -5
    known.replace_pod("uid-web", low, _pod(node="w1", priority=-5, phase="Succeeded"))
    assert known.lowest_priority == 3
    known.replace_pod("uid-new", None, _pod(priority=-9))
    assert known.lowest_priority == 3


def test_pods_are_found_by_group_and_by_the_node_where_they_are_ending() -> None:
    known = indices.Indices()
    member = _pod(node="w1", deleted=True, annotations={"neuronspan.dev/pod-group": "g"})
    known.replace_pod("uid-web", None, member)
    assert (set(known.groups.of(("default", "g"))), set(known.dying.of("w1"))) == ({"uid-web"}, {"uid-web"})
    known.replace_pod("uid-web", member, None)
    assert (list(known.groups), list(known.dying), dict(known.bound("w1"))) == ([], [], {})
