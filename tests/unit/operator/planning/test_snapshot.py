"""What planning reads, as it is made of what was read of the cluster."""

import pytest

from kits.manifests import builders, domain, pool_views
from neuronspan_operator.objects import pods
from neuronspan_operator.objects.constraints import storage
from neuronspan_operator.planning import plans, snapshot


@pytest.mark.parametrize(
    ("of", "deleted", "draining"),
    [("a", True, True), ("a", False, False), ("b", True, False), ("", True, False)],
    ids=["pool being deleted", "pool that stays", "pool that is unknown", "no pool"],
)
def test_nodes_of_a_pool_in_deletion_take_no_more_pods(of: str, *, deleted: bool, draining: bool) -> None:
    members = {"w1": pool_views.member("w1", of=of)}
    known_pools = {"a": pool_views.pool("a", deleted=deleted)}
    found = snapshot.of({}, {"w1": pool_views.node("w1")}, members, known_pools, namespaces={}, stored=storage.EMPTY)
    assert found.nodes["w1"].draining is draining


def test_snapshot_keeps_what_was_read() -> None:
    pod = pods.read(builders.make_pod(cores=4))
    node = pool_views.node("w2")  # without a NeuronNode
    member = pool_views.member("w1")  # without a Node
    pool = pool_views.pool("a", policy={"limboSeconds": 5})
    labels = {"team": {"tier": "gold"}}
    gone = frozenset({"uid-gone"})
    stored = storage.Storage(unread=("persistentvolumes",))
    found = snapshot.of(
        {pod.uid: pod}, {"w2": node}, {"w1": member}, {"a": pool}, namespaces=labels, stored=stored, gone=gone
    )
    assert (found.namespaces, found.gone, found.storage) == (labels, gone, stored)
    assert (found.pods, found.nodes) == ({"uid-web": pod}, {"w2": node})
    assert (found.neuron_nodes, found.policies) == ({"w1": member.view}, {"w1": pool.policy})


def test_pods_are_mentioned_by_ledgers_and_by_plugins() -> None:
    held = [builders.held("4-7", "holding")]
    view = pool_views.member("w1", entries=(domain.grant("0-3", "granted"),), held=held).view
    assert snapshot.mentioned(plans.Snapshot({}, {}, {"w1": view})) == {"uid-granted", "uid-holding"}
