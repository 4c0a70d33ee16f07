"""The stand-in's collections, page by page."""

from neuronspan_operator.objects import neuron_nodes, pods
from performance.footprint import contents
from performance.planner import scenes

CLUSTER = contents.Contents(scenes.Scene(nodes=3, running_on_node=2, foreign=4))


def test_pages_go_on_where_the_one_before_ended() -> None:
    first = CLUSTER.page("pods", 0, 6)
    second = CLUSTER.page("pods", first.following, 6)
    assert (first.following, second.following) == (6, 0)
    uids = [each["metadata"]["uid"] for each in (*first.items, *second.items)]
    assert len(set(uids)) == 3 * 2 + 4


def test_every_pod_with_cores_has_a_grant_that_its_node_has_confirmed() -> None:
    running = [pods.read(each) for each in CLUSTER.page("pods", 0, 6).items]
    members = [neuron_nodes.read(each) for each in CLUSTER.page("neuronnodes", 0, 0).items]
    granted = {grant.pod_uid for each in members if each.ledger for grant in each.ledger.grants}
    assert granted == {pod.uid for pod in running}
    assert {held.pod_uid for each in members for held in each.held} == granted


def test_a_kind_that_is_not_there_has_no_objects() -> None:
    assert CLUSTER.page("csinodes", 0, 500) == contents.Page([], 0)
