"""Volumes are promised once, whatever claims, volumes and nodes there are."""

from typing import Any

import hypothesis
from hypothesis import strategies

from kits.manifests import volumes
from neuronspan_operator.objects.constraints import storage
from neuronspan_operator.scheduling import cluster_state, objections
from neuronspan_operator.scheduling.volumes import binding, claiming

NODES = {"w1": "a", "w2": "b"}
NAMES = ("c0", "c1", "c2", "c3")
SINCE = "2026-01-31T10:00:00.000000Z"

_sizes = strategies.sampled_from(["1Gi", "2Gi", "3Gi"])
_claims: strategies.SearchStrategy[dict[str, Any]] = strategies.fixed_dictionaries(
    {
        "size": _sizes,
        "of_class": strategies.sampled_from(["slow", "slow", "slow", "fast"]),
        "selected": strategies.sampled_from(["", "", "", "w1"]),
    }
)
_volumes: strategies.SearchStrategy[dict[str, Any]] = strategies.fixed_dictionaries(
    {
        "size": _sizes,
        "zones": strategies.sampled_from([(), ("a",), ("b",)]),
        "claim": strategies.sampled_from(["", "", "", *NAMES]),
    }
)
_pods = strategies.lists(
    strategies.lists(strategies.sampled_from(NAMES), min_size=1, max_size=3, unique=True), min_size=2, max_size=4
)


@strategies.composite
def _stored(draw: strategies.DrawFn) -> storage.Storage:
    found = draw(strategies.lists(_volumes, max_size=5))
    return volumes.stored(
        [volumes.make_claim(name, **draw(_claims)) for name in NAMES],
        [volumes.make_volume(f"pv-{number}", **each) for number, each in enumerate(found)],
    )


def _served(cluster: cluster_state.Cluster, pods: list[list[str]]) -> list[tuple[str, str, claiming.Claiming]]:
    """Serve one pod after the other, each on the first node that will do: (pod, node, what it needs)."""
    found = []
    for number, names in enumerate(pods):
        pod = volumes.view(f"p{number}", names)
        judge = binding.for_pod(pod, cluster)
        assert judge is not None
        if isinstance(judge, objections.Objection):  # it concerns the pod as a whole
            continue
        node = next((each for each in cluster.nodes.values() if judge(each) is None), None)
        if node is not None:
            need = claiming.of(pod, node.name, cluster, SINCE)
            cluster.assume(need.assumed_in(cluster.storage))
            found.append((pod.name, node.name, need))
    return found


@hypothesis.given(known=_stored(), pods=_pods)
def test_no_volume_is_promised_to_two_claims_and_no_claim_to_two_nodes_or_volumes(
    known: storage.Storage, pods: list[list[str]]
) -> None:
    cluster = volumes.cluster(known, **NODES)
    writes = [each for _, _, need in _served(cluster, pods) for each in need.writes]
    held = [each for each in writes if isinstance(each, claiming.BindVolume)]
    selected = [each for each in writes if isinstance(each, claiming.SelectNode)]
    assert len({each.volume.name for each in held}) == len(held)
    assert len({each.claim.key for each in writes}) == len(writes)
    for each in held:
        labels = cluster.nodes[each.node].host.labels
        assert each.volume.capacity >= each.claim.requested
        assert each.volume.reachable(labels)
        assert each.volume.holder is None or each.volume.holder.is_claim(each.claim)
    assert all(each.claim.class_name == "fast" for each in selected)


@hypothesis.given(known=_stored(), pods=_pods)
def test_a_node_without_objection_can_have_the_claims_and_what_was_assumed_is_not_written_again(
    known: storage.Storage, pods: list[list[str]]
) -> None:
    cluster = volumes.cluster(known, **NODES)
    for name, node, need in _served(cluster, pods):
        pod = volumes.view(name, pods[int(name[1:])])
        again = claiming.of(pod, node, cluster, SINCE)
        assert need.flaw == again.flaw == ""
        assert again.writes == ()
